"""What sends one HTTP request and returns its response."""

from uploader.wire.contract import StreamedBody, Wire

__all__ = ["StreamedBody", "Wire"]
