"""The wire alone, against peers that do exactly what a test says."""
