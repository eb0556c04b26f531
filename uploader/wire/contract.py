"""What the engine needs of an HTTP library.

Rule: one request in, one response out; nothing is retried, redirected or remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from uploader.errors import UploaderError
from uploader.http import Request, Response


class Sink(Protocol):
    """Where a body is written to. `slice_size` is how many bytes one write should get."""

    slice_size: int

    async def write(self, data: memoryview, file: int | None = None, at: int = 0) -> int:
        """Hand a slice to the socket and return how many of its bytes went; wait while none goes.

        0 after such a wait means that the same slice is to be offered again, verified again, before
        any other.

        `file` is a descriptor by which the kernel may take the same bytes itself, from `at` on. It
        is used before anything is waited for, and no more afterwards.
        """
        ...

    def unsent(self) -> int:
        """Return how many bytes of all that was written the kernel has not taken yet.

        Raises `OSError` when the connection is gone.
        """
        ...

    def abort(self) -> None:
        """Drop the connection and what it still holds, at once."""
        ...


class StreamedBody(Protocol):
    """A body that streams itself into a socket."""

    error: UploaderError | None
    accepted: int
    writing: bool
    digests: Mapping[str, bytes]

    def __len__(self) -> int: ...

    @property
    def complete(self) -> bool: ...

    async def stream(self, sink: Sink) -> None: ...

    async def ended(self) -> None: ...


class Wire(Protocol):
    async def send(self, request: Request) -> Response:
        """Send `request` once and return the whole answer.

        Raises `NetworkError` (with `ambiguous`), `ProtocolError` for an answer that came before the
        body was out and looks like success, and what a body kept for itself
        (`SourceError`, `LeaseLostError`).
        """
        ...

    async def close(self) -> None: ...
