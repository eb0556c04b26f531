"""When to try again, and how long to wait before it.

Rule: pure arithmetic; the time and the random number are given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from uploader.errors import RateLimitedError, TransportError

LEAST_AGAIN = 0.5
"""Seconds that a `Retry-After` is worth when the server has said it once already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long a failing operation is tried again.

    Waits grow as `base * 2**n` up to `cap` seconds, with full jitter; a server's `Retry-After` wins
    over them. An operation gives up after `attempts` tries or `total` seconds without a newly
    confirmed byte. Answers of 429 are waited out without counting as attempts, for at most
    `rate_limit` seconds in all; without a `Retry-After` none of these waits is below `rate_base`,
    and a `Retry-After` that is repeated counts as half a second at least.
    """

    attempts: int = 3
    base: float = 0.5
    cap: float = 30.0
    total: float = 900.0
    rate_base: float = 5.0
    rate_limit: float = 300.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is {self.attempts}, at least 1 is needed")


@dataclass(slots=True)
class RetryBudget:
    """What is left of a policy for one operation. Progress refunds it."""

    policy: RetryPolicy
    started: float
    attempts: int = 0
    limited: int = 0
    waited: float = field(default=0.0)

    def refund(self, now: float) -> None:
        """Start the budget afresh: the server has confirmed bytes it had not before."""
        self.started = now
        self.attempts = self.limited = 0
        self.waited = 0.0

    def next_wait(self, error: TransportError, now: float, draw: float) -> float | None:
        """Count a failure and return the seconds to wait, `None` when the budget is spent.

        `draw` is a random number in [0, 1).
        """
        policy = self.policy
        if isinstance(error, RateLimitedError):
            return self._wait_out(error, draw)
        self.attempts += 1
        if self.attempts >= policy.attempts:
            return None
        wait = error.retry_after
        if wait is None:
            wait = draw * min(policy.cap, _doubled(policy.base, self.attempts - 1))
        if now + wait - self.started > policy.total:
            return None
        return wait

    def _wait_out(self, error: RateLimitedError, draw: float) -> float | None:
        policy = self.policy
        self.limited += 1
        wait = error.retry_after
        if wait is None:
            top = min(60.0, _doubled(policy.rate_base, self.limited - 1))
            wait = top * (1 + draw / 4)
        elif self.limited > 1:
            # "At once", said again and again, must not become a loop without a pause or an end.
            wait = max(wait, LEAST_AGAIN)
        self.waited += wait
        return wait if self.waited <= policy.rate_limit else None


def _doubled(base: float, times: int) -> float:
    """Double `base` so many times; floats end at 2**1024, and every cap far below 2**64."""
    return base * 2.0 ** min(times, 64)
