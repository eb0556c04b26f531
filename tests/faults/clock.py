"""A clock that is moved by whoever waits on it."""

import asyncio

from transports.tiktok.sandbox import SandboxClock

DRAW = 0.5


class SteppedClock:
    """Serve an uploader: a wait moves this clock and the sandbox's, and is over at once."""

    def __init__(self, sandbox: SandboxClock) -> None:
        self._sandbox = sandbox
        self.waits: list[float] = []

    def time(self) -> float:
        return self._sandbox.now()

    def monotonic(self) -> float:
        return self._sandbox.now()

    def draw(self) -> float:
        return DRAW

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._sandbox.advance(seconds)
        await asyncio.sleep(0)
