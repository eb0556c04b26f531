"""What a failing run emits, searched for what it must not."""
