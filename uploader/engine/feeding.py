"""What comes of a stream, on its way from who produces it to the lanes that send it.

Rule: a part is in memory as long as it may have to be sent again, and counted against one budget of
all streams. Lives on the engine's loop; only the filling of a block happens elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

from uploader.errors import PlanError, UploaderError
from uploader.model import Part
from uploader.source.buffered import BytesWindow
from uploader.transport import Capabilities

BLOCKS = 3
"""Blocks that one stream may hold: one that is filled while two are sent."""


class Over(Exception):
    """The run has ended: nobody wants more of the stream."""


def part_length(index: int, limits: Capabilities) -> int:
    """Return how many bytes part number `index` of a stream gets, unless the stream ends in it.

    The wanted size for the first half of all parts, then twice as much with each further tenth:
    as far as the stream goes on, it fits, and what ends early never needs more memory.
    """
    alignment = limits.alignment
    least = -(-limits.min_part // alignment) * alignment
    wanted = max(least, limits.part_size // alignment * alignment)
    doubled = max(0, 10 * index // limits.max_parts - 4)
    return min(wanted << doubled, limits.max_part // alignment * alignment)


class BlockBudget:
    """Share `capacity` bytes between the blocks of all streams, in the order of asking.

    A block that is larger than all of it is given out alone.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Wait until `size` bytes may be held, and count them."""
        if not self._waiting and self._fits(size):
            self.used += size
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append((size, waiter))
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give_back(size)
            else:
                with contextlib.suppress(ValueError):  # passed over already, in the same moment
                    self._waiting.remove((size, waiter))
                self._wake()
            raise

    def give_back(self, size: int) -> None:
        self.used -= size
        self._wake()

    def _fits(self, size: int) -> bool:
        return not self.used or self.used + size <= self.capacity

    def _wake(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, waiter = self._waiting.popleft()
            if not waiter.done():
                self.used += size
                waiter.set_result(None)


class Block:
    """Memory for one part: anonymous pages, which are touched as far as they are filled."""

    kind = "stream"
    lent = None
    executor: Executor | None = None

    def __init__(self, index: int, start: int, size: int, gone: Callable[[Block], None]) -> None:
        self._memory = mmap.mmap(-1, size)
        self._view: memoryview | None = memoryview(self._memory)
        self._gone = gone
        self.index = index
        self.start = start
        self.size = size
        self.length = 0
        self.name = "the stream"

    @property
    def part(self) -> Part:
        return Part(self.index, self.start, self.length)

    @property
    def view(self) -> memoryview:
        """The bytes that it was filled with."""
        if self._view is None:
            raise Over
        return self._view[: self.length]

    @property
    def is_full(self) -> bool:
        return self.length == self.size

    def fill(self, content: memoryview) -> memoryview:
        """Copy what fits and return the rest; raise `Over` when nobody wants it any more."""
        view = self._view
        if view is None:
            raise Over
        taken = content[: self.size - self.length]
        view[self.length : self.length + len(taken)] = taken
        self.length += len(taken)
        return content[len(taken) :]

    def release(self) -> None:
        """Give the memory back."""
        view, self._view = self._view, None
        if view is None:
            return
        with contextlib.suppress(BufferError):  # a dropped connection may still look at a slice
            view.release()
            self._memory.close()
        self._gone(self)

    # As a source of one part, in places of the whole stream.

    async def window(self, start: int, length: int, ahead: int) -> BytesWindow:
        begin = start - self.start
        return BytesWindow(self.view[begin : begin + length])

    def check(self) -> None:
        """Nobody else writes here."""

    def close(self) -> None:
        """Its owner releases it."""


class Feed:
    """The blocks of one stream: filled ones go to whoever sends, empty ones to who fills."""

    def __init__(self, budget: BlockBudget, limits: Capabilities) -> None:
        self._budget = budget
        self._limits = limits
        self._alive: set[Block] = set()
        self._ready: deque[Block] = deque()
        self._changed = asyncio.Event()
        self._asking: asyncio.Task[object] | None = None
        self._error: UploaderError | None = None
        self._closed = False
        self.ended = False
        self.total = 0
        """Bytes that were handed over so far."""
        self.count = 0
        """Parts that were handed over so far."""

    async def block(self) -> Block:
        """Return an empty block for the next part, when there is room; raise `Over`."""
        self._asking = asyncio.current_task()
        try:
            return await self._block()
        except PlanError as error:
            self.fail(error)
            raise Over from None
        except asyncio.CancelledError:
            if self._closed:
                raise Over from None
            raise
        finally:
            self._asking = None

    def hand(self, block: Block, *, last: bool) -> None:
        """Hand a filled block over to be sent; `last` says that the stream ends with it."""
        if self._closed:
            raise Over
        self.total += block.length
        self.count += 1
        self.ended = last
        self._ready.append(block)
        self._changed.set()

    def fail(self, error: UploaderError) -> None:
        """Let the run end with this."""
        self._error = error
        self._changed.set()

    async def take(self) -> Block | None:
        """Wait for a filled block; `None` at the stream's end. Raises what the stream failed with.

        Whoever took a block releases it.
        """
        while True:
            if self._error is not None:
                raise self._error
            if self._ready:
                return self._ready.popleft()
            if self.ended:
                return None
            self._changed.clear()
            await self._changed.wait()

    def close(self) -> None:
        """Release every block; who fills one hears of it at the next step."""
        self._closed = True
        for block in list(self._alive):
            block.release()
        self._ready.clear()
        if self._asking is not None:
            self._asking.cancel()

    async def _block(self) -> Block:
        limits = self._limits
        if self.count >= limits.max_parts or self.total >= limits.max_size:
            raise PlanError(
                f"the stream has more than {self.total:,} bytes in {self.count:,} parts, the"
                f" destination takes {limits.max_parts:,} parts and {limits.max_size:,} bytes"
            ).hint("give the destination a larger part size: parts grow from it")
        size = min(part_length(self.count, limits), limits.max_size - self.total)
        if not self.count:
            size = min(size, limits.max_single)
        while len(self._alive) >= BLOCKS and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        if self._closed:
            raise Over
        await self._budget.take(size)
        try:
            block = Block(self.count, self.total, size, self._gone)
        except BaseException:
            self._budget.give_back(size)
            raise
        self._alive.add(block)
        return block

    def _gone(self, block: Block) -> None:
        self._alive.discard(block)
        self._budget.give_back(block.size)
        self._changed.set()
