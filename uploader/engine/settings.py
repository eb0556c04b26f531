"""What can be set for all uploads of a process, and the clock that they live by.

Rule: every wait, time and random number of the engine goes through the clock, so that a test can
give its own.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from dataclasses import dataclass, field
from typing import Protocol

from uploader.breaker import BreakerPolicy
from uploader.http import Timeouts
from uploader.limits import Limiter, RateChanges
from uploader.model import MIB
from uploader.pacing import PollPolicy
from uploader.retry import RetryPolicy
from uploader.source import SourceMode


class Clock(Protocol):
    """Time in seconds. `draw` returns a random number in [0, 1)."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    def draw(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def draw(self) -> float:
        return random.random()  # noqa: S311 - jitter, not a secret

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Process-wide limits and policies.

    `max_uploads` uploads are driven at once, the others wait without a descriptor or connection.
    Each has one lane; where parts go in any order it takes more, `max_extra_lanes` over all.
    `window_bytes` bounds the pages and buffers of all of them, `stream_bytes` what is kept of
    streams, whose parts are held in memory. `bandwidth` is in bytes a second. `part_size` is about
    what a part has where neither the destination nor its opener says.
    An account's limits are waited for `limit_wait` seconds at most; `limiter` counts them together
    with other processes, `rates` are what this deployment has changed of them.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    poll: PollPolicy = field(default_factory=PollPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    max_uploads: int = 64
    max_extra_lanes: int = 64
    window_bytes: int = 12 * MIB
    stream_bytes: int = 96 * MIB
    bandwidth: float | None = None
    part_size: int | None = None
    limiter: Limiter | None = field(default=None, repr=False)
    limit_wait: float = 90.0
    rates: RateChanges = field(default_factory=RateChanges)
    source_mode: SourceMode = SourceMode.AUTO
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    clock: Clock = field(default_factory=SystemClock, repr=False)
