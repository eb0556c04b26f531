"""The body of one part: windows from the reader, slice by slice into a socket.

Rule: no byte is copied here. A window is released when the kernel has taken it, and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from uploader.errors import SourceError, UploaderError
from uploader.model import KIB, Part
from uploader.pipeline.reader import Queued, Reader
from uploader.wire import Sink

TURN = 256 * KIB
"""Bytes that go out in one turn where a bandwidth is shared: eight uploads at 20 MB/s change places
ten times a second."""


class PartBody:
    """Stream one part, once. A new attempt needs a new body.

    `pace(n)` is awaited before `n` bytes go out, `permit()` may raise then;
    `on_sent(n)` is told of bytes the kernel took.
    """

    def __init__(
        self,
        reader: Reader,
        part: Part,
        *,
        pace: Callable[[int], Awaitable[None]] | None = None,
        permit: Callable[[], None] = lambda: None,
        on_sent: Callable[[int], None] = lambda count: None,
        digests: Mapping[str, bytes] | None = None,
    ) -> None:
        self._reader = reader
        self._part = part
        self._pace = pace
        self._permit = permit
        self._on_sent = on_sent
        self.digests: Mapping[str, bytes] = digests or {}
        self._held: list[Queued] = []
        self.writing = False
        """Whether it is the peer that is waited for, and not the file or a limit of ours."""
        self.written = 0
        self.accepted = 0
        self.error: UploaderError | None = None
        self._started = False
        self._ended = asyncio.Event()

    def __len__(self) -> int:
        return self._part.length

    @property
    def complete(self) -> bool:
        """Whether every byte was handed to the socket."""
        return self.written == self._part.length

    async def stream(self, sink: Sink) -> None:
        """Write the part into `sink`; an error of ours is kept in `error`.

        Whatever ends it early drops the connection first: bytes that wait in it would otherwise be
        read from memory that is given back here.
        """
        if self._started:
            raise RuntimeError("a body is streamed once")
        self._started = True
        try:
            while self.written < self._part.length:
                await self._forward(await self._reader.next(), sink)
            while sink.unsent():
                await asyncio.sleep(0.005)
                self._settle(sink)
            self._settle(sink)
        except BaseException as error:
            self.error = error if isinstance(error, UploaderError) else self._lost()
            sink.abort()
            raise
        finally:
            while self._held:
                self._reader.done(self._held.pop(0))
            self._ended.set()

    async def ended(self) -> None:
        """Wait until `stream` is over, if it ever began."""
        if self._started:
            await self._ended.wait()

    async def _forward(self, item: Queued, sink: Sink) -> None:
        self._held.append(item)
        self._permit()
        view, begin, paid = item.window.view, 0, 0
        size = sink.slice_size if self._pace is None else min(sink.slice_size, TURN)
        while begin < item.length:
            piece = view[begin : begin + size]
            if self._pace is not None and begin + len(piece) > paid:
                await self._pace(begin + len(piece) - paid)
                paid = begin + len(piece)
                self._permit()
            item.window.verify()
            self.writing = True
            taken = await sink.write(piece, self._reader.lent, item.start + begin)
            self.writing = False
            begin += taken
            self.written += taken
            self._settle(sink)

    def _lost(self) -> SourceError | None:
        """Say whether a connection broke because pages of the file went while they were sent."""
        try:
            for item in self._held:
                item.window.verify()
        except SourceError as error:
            return error
        return None

    def _settle(self, sink: Sink) -> None:
        """Count what the kernel took, and release the windows that it took whole."""
        accepted = max(self.accepted, self.written - sink.unsent())
        if accepted > self.accepted:
            self._on_sent(accepted - self.accepted)
            self.accepted = accepted
        while self._held and self._held[0].start + self._held[0].length <= (
            self._part.start + accepted
        ):
            self._reader.done(self._held.pop(0))
