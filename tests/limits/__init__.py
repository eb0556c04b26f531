"""Limits of accounts: windows, turns, uploads that wait, a Redis that processes share."""
