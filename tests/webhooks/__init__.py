"""Webhooks: what is taken for genuine, and what becomes of it."""
