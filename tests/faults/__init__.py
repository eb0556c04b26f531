"""Every fault of the sandbox against the whole engine, on real sockets."""
