"""Journals: the contract, and what each of them promises besides."""
