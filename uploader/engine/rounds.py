"""The one timer of all uploads that servers still work on.

Rule: whoever waits to ask again waits here, in one heap behind one task, however many they are. Who
is hurried asks at once, because somebody has told that there is news.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from uploader.engine.settings import Clock

MOMENT = 0.05
"""Seconds."""


@dataclass(order=True, slots=True)
class _Wait:
    due: float
    number: int
    name: str = field(compare=False)
    seconds: float = field(compare=False)
    began: float = field(compare=False)
    call: Callable[[], None] | None = field(compare=False)
    """`None` once it was called, or given up."""


class Rounds:
    """Call back when a wait is over. Lives on the engine's loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[_Wait] = []
        self._named: dict[str, list[_Wait]] = {}
        self._numbers = itertools.count()
        self._earlier = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._named.values()))

    def later(self, name: str, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` after so many seconds, or when `name` is hurried; return a way out."""
        now = self._clock.monotonic()
        wait = _Wait(now + seconds, next(self._numbers), name, seconds, now, call)
        heapq.heappush(self._heap, wait)
        self._named.setdefault(name, []).append(wait)
        if self._heap[0] is wait:
            self._earlier.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve(), name="uploader-rounds")
        return lambda: self._drop(wait)

    async def wait(self, name: str, seconds: float) -> None:
        """Wait for so many seconds, or until `name` is hurried."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end() -> None:
            if not over.done():
                over.set_result(None)

        drop = self.later(name, seconds, end)
        try:
            await over
        finally:
            drop()

    def hurry(self, name: str) -> bool:
        """End the waits of a name now; tell whether there were any."""
        waits = list(self._named.get(name, ()))
        for wait in waits:
            self._call(wait)
        return bool(waits)

    async def close(self) -> None:
        """Wake nobody any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _serve(self) -> None:
        while self._heap:
            first = self._heap[0]
            now = self._clock.monotonic()
            if first.call is None or first.due <= now:
                heapq.heappop(self._heap)
                self._call(first)
                continue
            # What was asked for, where it was asked a moment ago: a difference is a little off.
            fresh = now - first.began < MOMENT
            await self._nap(first.seconds if fresh else first.due - now)

    async def _nap(self, seconds: float) -> None:
        """Sleep, unless an earlier wait comes."""
        self._earlier.clear()
        tasks = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._earlier.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _call(self, wait: _Wait) -> None:
        call = wait.call
        self._drop(wait)
        if call is not None:
            call()

    def _drop(self, wait: _Wait) -> None:
        """Forget a wait; its place in the heap is passed over when its time comes."""
        if wait.call is None:
            return
        wait.call = None
        waits = self._named[wait.name]
        waits.remove(wait)
        if not waits:
            del self._named[wait.name]
