"""The command, as people and scripts meet it: what it says, and how it ends."""
