"""Destinations, one package each; found through the entry-point group `uploader.transports`."""
