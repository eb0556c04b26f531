"""Requests and responses as the contract sees them.

Rule: plain values; no socket, no HTTP library, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from uploader.secret import MASK, Secret

JSON_TYPE = "application/json; charset=UTF-8"


class Body(Protocol):
    """The bytes of one part. A flow may read `len(body)` and `digests`, and never a byte.

    `digests` holds what `Capabilities.digests` asked for, by name, as raw bytes (big-endian).
    """

    def __len__(self) -> int: ...

    @property
    def digests(self) -> Mapping[str, bytes]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request that a flow asks for.

    `url` is a `Secret` when it carries a token. `auth` names the credential that the engine must
    sign it with, `None` for none. `content` is a small body (bytes), `body` a streamed one; at most
    one of them is set. `fresh` asks for a new connection: an idle one may die unnoticed, and a
    request that must not be sent twice cannot be sent again to find out.
    """

    operation: str
    method: str
    url: str | Secret
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    content: bytes | None = None
    body: Body | None = None
    auth: str | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.content is not None and self.body is not None:
            raise ValueError("a request has content or a body, not both")

    def __repr__(self) -> str:
        return f"<Request {self.operation} {self.method} {origin(self.url)}>"


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer: status, headers (names in lower case) and the whole, bounded body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.content)} bytes>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits of waiting, in seconds. There is never a total limit on a body.

    `connect` covers name look-up, TCP and TLS; `stall` is the longest time in which the kernel
    takes, or the peer acknowledges, no further byte of a body; `response` is the longest time
    between the last acknowledged byte of a request and the answer.
    """

    connect: float = 15.0
    stall: float = 30.0
    response: float = 60.0


def origin(url: str | Secret) -> str:
    """Return scheme, host and port of a URL, which are never secret; for logs and error texts."""
    try:
        parts = urlsplit(url.reveal() if isinstance(url, Secret) else url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    except ValueError:
        return MASK
