"""What holds the project together: layers, cheap import, locks and the built wheel."""
