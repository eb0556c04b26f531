"""Tests of the words and of the pure decisions."""
