"""One budget of window bytes over all uploads of the process.

Rule: an upload that holds no window always gets one; only spare windows read ahead. So memory is
bounded by the budget, and one small window for each upload that came when it was used up.
"""

from __future__ import annotations

import asyncio
from collections import deque

from uploader.model import KIB, MIB

LARGEST = 4 * MIB
SMALLEST = 256 * KIB
DEPTH = 3
"""Windows an upload may hold: one in the socket's hands, two in the queue."""


class WindowBudget:
    """Share `capacity` bytes of windows between the active uploads, first come first served."""

    def __init__(self, capacity: int = 12 * MIB) -> None:
        self.capacity = capacity
        self.used = 0
        self.active = 0
        self.windows = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def window_size(self) -> int:
        """Return how large a window may be now: smaller when many uploads share the budget."""
        share = self.capacity // (DEPTH * max(1, self.active))
        size = LARGEST
        while size > SMALLEST and size > share:
            size //= 2
        return size

    def allowance(self) -> Allowance:
        """Register an upload as active."""
        self.active += 1
        return Allowance(self)

    def wake(self) -> None:
        """Let everyone who waits look again, in the order of waiting."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter


class Allowance:
    """What one upload holds of the budget."""

    def __init__(self, budget: WindowBudget) -> None:
        self._budget = budget
        self._held = 0
        self._closed = False

    def window_size(self) -> int:
        return self._budget.window_size()

    async def take(self, length: int) -> None:
        """Wait until a window of `length` bytes may be held, and count it."""
        budget = self._budget
        while self._held and (self._held >= DEPTH or budget.used + length > budget.capacity):
            await budget.wait()
        self._held += 1
        budget.used += length
        budget.windows += 1

    def give_back(self, length: int) -> None:
        self._held -= 1
        self._budget.used -= length
        self._budget.windows -= 1
        self._budget.wake()

    def close(self) -> None:
        """Unregister; every window must have been given back."""
        if not self._closed:
            self._closed = True
            self._budget.active -= 1
            self._budget.wake()
