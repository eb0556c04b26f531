"""Tests of the sandboxes that ship with the transports."""
