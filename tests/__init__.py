"""The tests; a package, so that they can share stand-ins by name."""
