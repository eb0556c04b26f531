"""tus against the server that its authors wrote, and a strict one for what that lacks."""
