"""Lateness of an event loop, seen by a ticker that runs on it.

Rule: ticks are due at a fixed rate, however late the last one was, so that one long stall counts
as every tick it delayed (no coordinated omission).
"""

from __future__ import annotations

import asyncio
from time import perf_counter

INTERVAL = 0.001


async def tick(samples: int, *, interval: float = INTERVAL) -> list[float]:
    """Return how many seconds late each of `samples` ticks was.

    asyncio rounds timers up to the next millisecond, so an idle loop is up to 1 ms late.
    """
    late = []
    due = perf_counter() + interval
    for _ in range(samples):
        await asyncio.sleep(max(due - perf_counter(), 0))
        late.append(max(perf_counter() - due, 0.0))
        due += interval
    return late
