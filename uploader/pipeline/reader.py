"""The reader: pages a source in ahead of need and queues windows of it.

Rule: in order, without gaps, never across a part's end, and past it: while the answer to one part
is on its way, the first windows of the next part become ready.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import xxhash

from uploader.errors import SourceError, SourceReadError
from uploader.model import MIB, Part, Plan
from uploader.pipeline.budget import DEPTH, Allowance
from uploader.source import Source, Window, to_its_end

AHEAD = 8 * MIB
"""How far the kernel is asked to read on before the windows are taken."""
WORTH_A_THREAD = 1 * MIB
"""A window that is not larger takes as long to hand to a thread as to digest, and a file as long to
hand to a task as to read."""


@dataclass(slots=True)
class Queued:
    """A window in the queue: its place in the file, and its cost in the budget."""

    start: int
    length: int
    window: Window


class Reader:
    """Read `source` part by part, from a byte on, into a queue bounded by the allowance."""

    def __init__(
        self, source: Source, plan: Plan, allowance: Allowance, *, digest: bool = True
    ) -> None:
        """`digest=False` spares the digests, which cost about as much as sending does."""
        self._source = source
        self._plan = plan
        self._allowance = allowance
        self._wants_digest = digest
        # One place more than windows may exist, so that an error always finds room.
        self._queue: asyncio.Queue[Queued | SourceError] = asyncio.Queue(DEPTH + 1)
        self._task: asyncio.Task[None] | None = None
        self._next = 0
        self._until = plan.size
        self._hash = xxhash.xxh3_128()
        self._whole = False
        """Whether the part being read was read from its start on."""
        self.digests: dict[int, str] = {}
        """The digest of each part that was read whole, for who takes it out."""

    @property
    def queued(self) -> int:
        return self._queue.qsize()

    @property
    def lent(self) -> int | None:
        """The descriptor that the source lends, see `Source`."""
        return self._source.lent

    async def seek(self, start: int, until: int | None = None) -> None:
        """Make `start` the next byte; the queue is emptied unless it begins there already.

        Nothing is read ahead past `until`, the end of the file when it is not given.
        """
        until = self._plan.size if until is None else until
        reads = self._task is not None or self.queued > 0
        if reads and (self._next, self._until) == (start, until):
            return
        await self.stop()
        self._next, self._until = start, until
        self._whole = False
        if self._is_one_window(start, until):
            await self._run(start)
        else:
            self._task = asyncio.create_task(self._run(start), name="uploader-reader")

    def _is_one_window(self, start: int, until: int) -> bool:
        """Whether little is left, of one part. More than one window may have to wait for room."""
        little = until - start <= min(WORTH_A_THREAD, self._allowance.window_size())
        return little and (start >= until or until <= self._part_at(start).stop)

    async def next(self) -> Queued:
        """Return the next window, to be handed to `done`; raise the `SourceError` met there."""
        item = await self._queue.get()
        if isinstance(item, SourceError):
            self._next = -1
            raise item
        self._next = item.start + item.length
        return item

    def done(self, item: Queued) -> None:
        """Release a window whose bytes nobody needs any more."""
        item.window.release()
        self._allowance.give_back(item.length)

    async def stop(self) -> None:
        """End reading ahead and release what is queued."""
        self._next = -1
        task, self._task = self._task, None
        if task is None:
            self._empty()
            return
        task.cancel()
        # Not `await task`: its cancellation and our own could not be told apart.
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            # What it still reads has to come back, and the source may be closed after us.
            await asyncio.wait((task,))
            raise
        finally:
            self._empty()

    def _empty(self) -> None:
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if isinstance(item, Queued):
                self.done(item)

    async def _run(self, start: int) -> None:
        position = start
        try:
            while position < self._until:
                position = await self._read_one(position)
        except SourceError as error:
            self._queue.put_nowait(error)
        except Exception as error:
            # Whoever waits for the next window must hear of it, or would wait for ever.
            failure = SourceReadError(f"reading failed with {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._queue.put_nowait(failure)

    async def _read_one(self, position: int) -> int:
        length = min(self._allowance.window_size(), self._part_at(position).stop - position)
        await self._allowance.take(length)
        try:
            window = await self._source.window(position, length, AHEAD)
        except BaseException:
            self._allowance.give_back(length)
            raise
        item = Queued(position, length, window)
        try:
            if self._wants_digest:
                await self._digest(item)
        except BaseException:
            self.done(item)
            raise
        self._queue.put_nowait(item)
        return position + length

    async def _digest(self, item: Queued) -> None:
        """Digest the content in passing: a later run proves by it that the file is the same."""
        part = self._part_at(item.start)
        if item.start == part.start:
            self._hash = xxhash.xxh3_128()
            self._whole = True
        executor, update = self._source.executor, self._hash.update
        if executor is None or item.length <= WORTH_A_THREAD:
            update(item.window.view)
        else:
            loop = asyncio.get_running_loop()
            await to_its_end(loop.run_in_executor(executor, update, item.window.view))
        if item.start + item.length == part.stop and self._whole:
            self.digests[part.index] = self._hash.hexdigest()

    def _part_at(self, position: int) -> Part:
        plan = self._plan
        return plan.part(min(position // plan.part_size, plan.count - 1))
