"""The numbers of one upload while it runs.

Rule: written on the engine's loop, read from any thread; sent, confirmed and done never fall and
never pass the total.
"""

from __future__ import annotations

from collections.abc import Callable

from uploader.model import Progress

TOLD_EVERY = 0.25
"""Seconds between two events about sent bytes: each costs a turn of another thread."""


class Tally:
    """Count what is sent and confirmed, and tell of sent bytes in lumps."""

    def __init__(self, total: int, monotonic: Callable[[], float]) -> None:
        self._total = total
        self._monotonic = monotonic
        self._sent = 0
        self._confirmed = 0
        self._done = False
        self._untold = 0
        self._told_at = monotonic()
        self.bytes_sent = 0
        self.retries = 0
        self.tell: Callable[[int], None] = lambda count: None

    @property
    def progress(self) -> Progress:
        return Progress(self._total, self._sent, self._confirmed, self._total if self._done else 0)

    def grow(self, total: int) -> None:
        """Count on a larger total: a stream's is what came of it so far."""
        self._total = max(self._total, total)

    @property
    def confirmed(self) -> int:
        return self._confirmed

    def sent(self, position: int, count: int) -> None:
        """Count `count` bytes that the kernel took, up to `position` in the file."""
        self.bytes_sent += count
        self._sent = min(self._total, max(self._sent, position))
        self._untold += count
        now = self._monotonic()
        if now - self._told_at >= TOLD_EVERY:
            self.flush()

    def flush(self) -> None:
        """Tell of the bytes that were not told yet."""
        count, self._untold = self._untold, 0
        self._told_at = self._monotonic()
        if count:
            self.tell(count)

    def confirm(self, position: int) -> None:
        self._confirmed = min(self._total, max(self._confirmed, position))
        self._sent = max(self._sent, self._confirmed)

    def finish(self) -> None:
        """Every byte belongs to a completed upload."""
        self.confirm(self._total)
        self._done = True
