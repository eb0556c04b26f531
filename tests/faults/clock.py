"""A clock that is moved by whoever waits on it."""

import asyncio
from collections.abc import Callable

from transports.tiktok.sandbox import SandboxClock

DRAW = 0.5


class SteppedClock:
    """Serve an uploader: a wait moves this clock and the sandbox's, and is over at once."""

    def __init__(self, sandbox: SandboxClock, on_wait: Callable[[], object] = lambda: None) -> None:
        self._sandbox = sandbox
        self.on_wait = on_wait
        self.waits: list[float] = []
        self.stands = False
        """Whether a wait, once begun, never ends."""

    def time(self) -> float:
        return self._sandbox.now()

    def monotonic(self) -> float:
        return self._sandbox.now()

    def draw(self) -> float:
        return DRAW

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._sandbox.advance(seconds)
        self.on_wait()
        if self.stands:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)
