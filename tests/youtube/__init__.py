"""The YouTube destination and its sandbox."""
