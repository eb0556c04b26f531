"""HTTP/1.1 heads on blocking sockets, for the sink and for the rivals that speak it themselves.

Rule: a head is read into one small buffer; bodies never pass through here except small JSON
ones. Chunked bodies are refused: what is measured here declares its length.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

_READ = 16 * 1024
_HEAD_LIMIT = 64 * 1024


class Readable(Protocol):
    """A connected socket, or what reads like one."""

    def recv(self, size: int, /) -> bytes: ...


class HeadError(ValueError):
    """The peer sent something that is not a head this module accepts."""


@dataclass(frozen=True)
class Head:
    """First line and headers of a message, and the body bytes that arrived with them."""

    start: tuple[str, str, str]
    headers: dict[str, str]
    early: bytes = field(repr=False)

    @property
    def length(self) -> int:
        """Declared body length; 0 if none is declared."""
        if "transfer-encoding" in self.headers:
            raise HeadError("chunked bodies are not accepted")
        try:
            length = int(self.headers.get("content-length", "0"))
        except ValueError:
            raise HeadError("Content-Length is not a number") from None
        if length < 0:
            raise HeadError("Content-Length is negative")
        return length

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may carry another message after this one."""
        return self.headers.get("connection", "").lower() != "close"


def parse_head(raw: bytes, early: bytes = b"") -> Head:
    """Parse what stands before the empty line."""
    first, *lines = raw.decode("latin-1").split("\r\n")
    start = first.split(" ", 2)
    if len(start) < 2:
        raise HeadError("no request or status line")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise HeadError("a header line has no colon")
        headers[name.strip().lower()] = value.strip()
    return Head((start[0], start[1], start[2] if len(start) == 3 else ""), headers, early)


def read_head(sock: Readable, pending: bytes = b"") -> Head | None:
    """Read one head; None if the peer closed the connection between two messages."""
    data = pending
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _HEAD_LIMIT:
            raise HeadError("the head is longer than 64 KiB")
        more = sock.recv(_READ)
        if not more:
            if data:
                raise HeadError("the connection ended inside a head")
            return None
        data += more
    return parse_head(data[:end], data[end + 4 :])


def read_small_body(sock: Readable, head: Head) -> tuple[bytes, bytes]:
    """Return the body and whatever of the next message came with it."""
    data = head.early
    while len(data) < head.length:
        more = sock.recv(_READ)
        if not more:
            raise HeadError("the connection ended inside a body")
        data += more
    return data[: head.length], data[head.length :]


def encode_head(start: str, headers: dict[str, str]) -> bytes:
    """Write a head, empty line included."""
    lines = [start, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def encode_json(value: Any) -> bytes:
    """Write a JSON body without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()
