"""Uploads that servers work on, watched by one task."""
