"""The body of one PUT on its way into a post: counted and hashed, kept only where that was asked.

Rule: a body counts when it is committed. Until then it is hashed into a copy, and a chunk that is
cut off leaves the post as it was (or, if so switched, longer by what arrived).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import BinaryIO, Self

from aiohttp import StreamReader

from transports.tiktok.sandbox.peer import Peer
from transports.tiktok.sandbox.posts import Chunk, Post

# Below this, a hop to the hashing thread costs more than it saves.
_THREAD_BYTES = 256 * 1024


class Intake:
    """Receive one body; leaving the context without `commit` is a cut."""

    def __init__(
        self,
        post: Post,
        chunk: Chunk,
        content: StreamReader,
        peer: Peer,
        *,
        pool: Executor,
        hurry: asyncio.Event,
        notify: Callable[[], None],
        keep_partial: bool,
    ) -> None:
        self._post = post
        self._chunk = chunk
        self._content = content
        self._peer = peer
        self._pool = pool
        self._notify = notify
        self._keep_partial = keep_partial
        self._hasher = post.hasher.copy()
        self._hashing: Future[None] | None = None
        self._settled = False
        self._file: BinaryIO | None = None
        # Set: stop being slow or stalled, somebody waits for this body to end.
        self._hurry = hurry

    async def receive(self, limit: int | None = None) -> None:
        """Read to the end of the body, or `limit` bytes of it."""
        while limit is None or self._chunk.received < limit:
            piece = await self._content.readany()
            if not piece:
                break
            await self._take(piece if limit is None else piece[: limit - self._chunk.received])
        await self._hashed()

    async def receive_slowly(self, bytes_per_second: float) -> None:
        """Read to the end of the body at about this rate."""
        self._peer.narrow()
        step = max(1, int(bytes_per_second / 20))
        try:
            while piece := await self._next(step):
                await self._take(piece)
                self._peer.hold()
                await self._pause(len(piece) / bytes_per_second)
        finally:
            self._peer.release()
        await self._hashed()

    async def stall(self) -> None:
        """Read nothing more until the client has gone or somebody is in a hurry."""
        self._peer.hold()
        gone = asyncio.ensure_future(self._peer.wait_gone())
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait((gone, hurry), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            hurry.cancel()
        # A client's FIN comes after what it had written: reading on is how to learn of it.
        self._peer.release()
        await self._peer.drain()
        await self._peer.abandon()

    def commit(self) -> None:
        """Count the body as stored."""
        self._settled = True
        self._chunk.stored = True
        self._post.store(self._chunk.received, self._hasher)

    def cut(self) -> None:
        """Count the body as cut off here."""
        if self._settled:
            return
        self._settled = True
        if not self._keep_partial or not self._chunk.received:
            return
        if self._hashing is not None:
            self._hashing.result()  # one piece: less than a millisecond
        self._post.store(self._chunk.received, self._hasher)

    def __enter__(self) -> Self:
        if self._post.kept is not None:
            self._post.kept.touch(mode=0o600)
            self._file = self._post.kept.open("r+b")
            self._file.seek(self._post.received)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()
        if self._file is not None:
            if self._hashing is not None:
                self._hashing.result()
            self._file.close()

    async def _take(self, piece: bytes) -> None:
        await self._hashed()
        self._chunk.received += len(piece)
        if len(piece) < _THREAD_BYTES:
            self._absorb(piece)
        else:
            # hashlib drops the GIL: the next piece is received while this one is hashed.
            self._hashing = self._pool.submit(self._absorb, piece)
        self._notify()

    def _absorb(self, piece: bytes) -> None:
        self._hasher.update(piece)
        if self._file is not None:
            self._file.write(piece)

    async def _hashed(self) -> None:
        if self._hashing is None:
            return
        # Shielded: what is counted is hashed, even if this request is cancelled.
        await asyncio.shield(asyncio.wrap_future(self._hashing))
        self._hashing = None

    async def _next(self, step: int) -> bytes:
        if self._hurry.is_set():
            self._peer.release()
            return await self._content.readany()
        if self._content.total_bytes == self._chunk.received:  # nothing is buffered
            self._peer.release()
        return await self._content.read(step)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._hurry.wait(), seconds)
        except TimeoutError:
            return
