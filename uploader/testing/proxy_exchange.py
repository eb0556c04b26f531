"""What a `FaultyProxy` remembers of each request.

Rule: sizes and digests, never a body; what may open an upload is a `Secret`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from uploader.secret import MASK, Secret

RANGES = ("content-range", "range", "upload-offset", "upload-length")
"""The headers that say which bytes a request is about."""


@dataclass(slots=True)
class Exchange:
    """One request and what came of it.

    `target` is path and query as they were sent. `received` bytes of the body came in, of which
    `sha256` is the digest. `forwarded` says that the peer got all of it, `status` what the peer
    answered, `answered` what the client was told; `None` is a connection that was reset.
    """

    number: int
    method: str
    target: Secret
    operation: str | None = None
    ranges: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    received: int = 0
    sha256: str = ""
    forwarded: bool = False
    status: int | None = None
    answered: int | None = None
    act: object = None
    ended: bool = False

    @property
    def path(self) -> str:
        """The path, with the names of the query's fields and none of their values."""
        return masked(self.target)

    def __repr__(self) -> str:
        ranges = "".join(f", {name} {value}" for name, value in self.ranges.items())
        return (
            f"<{self.number}: {self.method} {self.path}{ranges}, {self.received} bytes,"
            f" peer {self.status}, client {self.answered}{f', {self.act}' if self.act else ''}>"
        )


def masked(target: Secret) -> str:
    """Return a path and query without the query's values."""
    parts = urlsplit(target.reveal())
    names = [name.partition("=")[0] for name in parts.query.split("&") if name]
    query = "&".join(f"{name}={MASK}" for name in names)
    return f"{parts.path}?{query}" if query else parts.path
