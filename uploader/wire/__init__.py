"""What sends one HTTP request and returns its response."""

from uploader.wire.contract import Sink, StreamedBody, Wire

__all__ = ["Sink", "StreamedBody", "Wire"]
