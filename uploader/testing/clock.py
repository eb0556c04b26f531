"""A clock that stands still until somebody waits.

Rule: no real time passes; every wait is written down.
"""

from __future__ import annotations

import asyncio


class StillClock:
    """Time that moves by what is waited for, at once. `draw` always returns the same."""

    def __init__(self, *, now: float = 1_800_000_000.0, draw: float = 0.5) -> None:
        self.now = now
        self.waits: list[float] = []
        self._draw = draw

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def draw(self) -> float:
        return self._draw

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += max(0.0, seconds)
        await asyncio.sleep(0)
