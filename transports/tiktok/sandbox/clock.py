"""The sandbox's own time: real time plus what a test has added.

Rule: everything in the sandbox that lasts (URL life, rate windows, processing, delays) asks this
clock, so a test that wants an hour to pass advances it instead of sleeping.
"""

import asyncio
import threading
import time
from collections.abc import Callable


class SandboxClock:
    """Run like the wall clock, and jump forward on request. Thread-safe."""

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        """Start at now; `source` (seconds, never backwards) replaces the running clock."""
        # time.time() may step back; monotonic cannot, and rate windows rely on it.
        epoch = time.time() - time.monotonic()
        self._source = source or (lambda: epoch + time.monotonic())
        self._offset = 0.0
        self._lock = threading.Lock()
        self._sleepers: set[Callable[[], None]] = set()

    def now(self) -> float:
        """Return the sandbox's time in seconds since the epoch."""
        return self._source() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake whatever was waiting for that moment."""
        if seconds < 0:
            raise ValueError(f"the clock cannot go back: {seconds} s")
        with self._lock:
            self._offset += seconds
            sleepers = list(self._sleepers)
        for wake in sleepers:
            wake()

    async def wait(self, seconds: float) -> None:
        """Wait until the clock has moved by `seconds`, in real time or by `advance`."""
        deadline = self.now() + seconds
        loop = asyncio.get_running_loop()
        moved = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(moved.set)

        with self._lock:
            self._sleepers.add(wake)
        try:
            while (left := deadline - self.now()) > 0:
                moved.clear()
                try:
                    await asyncio.wait_for(moved.wait(), left)
                except TimeoutError:
                    continue
        finally:
            with self._lock:
                self._sleepers.discard(wake)
