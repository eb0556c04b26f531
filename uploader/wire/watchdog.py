"""Ends a request whose peer has stopped listening or answering.

Rule: it counts bytes, not time alone: a slow peer that takes a byte now and then is never cut off.
"""

from __future__ import annotations

import array
import asyncio
import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uploader.http import Timeouts

SIOCOUTQ = 0x5411  # linux/sockios.h: bytes in the send queue that the peer has not acknowledged


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a request has come: bytes that left this machine's queue, and whether all have."""

    delivered: int
    all_out: bool
    ours: bool = False
    """Whether it is we who let the peer wait: for a file, or for a limit of ours."""


class Watchdog:
    """Run a request under limits on stalls and on the wait for an answer.

    `reached()` is asked a few times within each limit. The clock is the loop's.
    """

    def __init__(self, timeouts: Timeouts, reached: Callable[[], Reached | None]) -> None:
        self._timeouts = timeouts
        self._reached = reached
        self._last: Reached | None = None
        self._scope: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self.expired = ""

    async def __aenter__(self) -> Watchdog:
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._scope = asyncio.timeout(None)
        await self._scope.__aenter__()
        self._tick()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._scope is not None:
            await self._scope.__aexit__(*exc_info)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now, reached = loop.time(), self._reached()
        if reached != self._last or (reached is not None and reached.ours):
            self._last, self._since = reached, now
        phase, limit = self._limit(reached)
        remaining = self._since + limit - now
        if remaining <= 0 and self._scope is not None:
            self.expired = phase
            self._scope.reschedule(now)
            return
        # The next phase may begin at any moment, and have a shorter limit than this one.
        often = min(limit, self._timeouts.stall, self._timeouts.response) / 8
        self._timer = loop.call_later(min(1.0, max(0.01, min(remaining, often))), self._tick)

    def _limit(self, reached: Reached | None) -> tuple[str, float]:
        if reached is None:
            # Connecting has its own limit in the connector; this is the net below it.
            return "connect", self._timeouts.connect * 2 + 1
        if not reached.all_out:
            return "stall", self._timeouts.stall
        return "response", self._timeouts.response


def unacknowledged(transport: asyncio.BaseTransport | None) -> int | None:
    """Return the bytes that the kernel holds and the peer has not acknowledged.

    0 where the kernel does not tell, `None` when the connection is closed and nobody can.
    """
    if transport is None or not sys.platform.startswith("linux"):
        return 0
    sock = transport.get_extra_info("socket")
    if sock is None:
        return 0
    import fcntl

    answer = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), SIOCOUTQ, answer)
    except OSError as error:
        return None if error.errno == errno.EBADF else 0
    except ValueError:  # a closed socket's descriptor is -1
        return None
    return answer[0]
