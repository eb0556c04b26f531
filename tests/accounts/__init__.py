"""Accounts: token stores, refreshing, login, and what the command makes of them."""
