"""Clips that users hand in, and what became of them on TikTok."""
