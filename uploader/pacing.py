"""How fast bytes may go out, and how often a server is asked.

Rule: pure arithmetic on seconds; the caller waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Pacer:
    """Spread bytes evenly at `rate` bytes a second over all who ask.

    Each reservation is served in the order of asking, so uploads that ask window by window get
    equal shares. Idle time is not saved up beyond `burst` seconds.
    """

    rate: float
    burst: float = 0.05
    _free_at: float = float("-inf")

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"a rate of {self.rate} bytes a second sends nothing")

    def reserve(self, count: int, now: float) -> float:
        """Reserve `count` bytes and return the seconds to wait before sending them."""
        begin = max(self._free_at, now - self.burst)
        self._free_at = begin + count / self.rate
        return max(0.0, begin - now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How often, and how long, the server is asked about an upload that it still works on.

    The waits are `first` seconds, then longer by `factor` up to `slowest`. After `limit` seconds
    or `attempts` questions the upload is left PROCESSING.
    """

    first: float = 1.0
    factor: float = 1.6
    slowest: float = 15.0
    limit: float = 1800.0
    attempts: int | None = None

    def __post_init__(self) -> None:
        if self.first < 0 or self.slowest < 0:
            raise ValueError(f"waits of {self.first} to {self.slowest} seconds cannot be")
        if self.attempts is None and min(self.first, self.slowest) * self.factor == 0:
            raise ValueError("without a wait or a number of attempts nobody would stop asking")

    def waits(self) -> Iterator[float]:
        """Yield the seconds to wait after each question that had no final answer."""
        wait, total, asked = self.first, 0.0, 1
        while total + wait <= self.limit and (self.attempts is None or asked < self.attempts):
            yield wait
            total += wait
            asked += 1
            wait = min(self.slowest, wait * self.factor)
