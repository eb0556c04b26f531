"""The Cloud Storage destination, against an emulator in a process of its own."""
