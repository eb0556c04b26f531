"""The watchdog by itself, on a loop whose clock the test moves."""

import asyncio
import selectors
import socket
import time

import pytest

from uploader import Timeouts
from uploader.wire.watchdog import Reached, Watchdog, unacknowledged

LIMITS = Timeouts(connect=10.0, stall=30.0, response=60.0)


class SteppedLoop(asyncio.SelectorEventLoop):
    """A loop that jumps to its next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: SteppedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout:
            self._loop.jump(timeout)
        return found


class Exchange:
    """A request whose progress is a function of the time since it began."""

    def __init__(self, loop: SteppedLoop, connected: float, rate: float, until: float) -> None:
        self._loop = loop
        self._began = loop.time()
        self._connected = connected
        self._rate = rate
        self._until = until

    def __call__(self) -> Reached | None:
        age = self._loop.time() - self._began - self._connected
        if age < 0:
            return None
        delivered = int(self._rate * min(age, self._until))
        return Reached(delivered, all_out=age >= self._until and self._rate > 0)


def watch(
    *, connected: float = 0.0, rate: float = 0.0, until: float = 0.0, ends: float = 10**9
) -> tuple[str, float]:
    """Run a request; return which limit ended it ("" for none), and after how long."""
    loop = SteppedLoop()

    async def run() -> tuple[str, float]:
        began = loop.time()
        watchdog = Watchdog(LIMITS, Exchange(loop, connected, rate, until))
        done = loop.create_future()
        loop.call_later(ends, done.set_result, None)
        try:
            async with watchdog:
                await done
        except TimeoutError:
            return watchdog.expired, loop.time() - began
        return "", loop.time() - began

    began = time.monotonic()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()
        assert time.monotonic() - began < 5


def about(seconds: float) -> object:
    """Allow for the distance of two looks."""
    return pytest.approx(seconds, abs=2.5)


def test_a_peer_that_takes_a_byte_now_and_then_is_never_cut_off() -> None:
    """One byte in 29 seconds, for hours."""
    assert watch(rate=1 / 29, until=9000.0, ends=9000.0)[0] == ""


def test_a_peer_that_takes_a_byte_too_seldom() -> None:
    """One byte in 40 seconds is a stall, after the first."""
    phase, seconds = watch(rate=1 / 40, until=10**6)
    assert (phase, seconds) == ("stall", about(30.0))


def test_a_peer_that_stops() -> None:
    """The limit counts from the last byte, not from the beginning."""
    phase, seconds = watch(rate=0.0)
    assert (phase, seconds) == ("stall", about(30.0))


def test_a_peer_that_does_not_answer() -> None:
    """Its limit begins when the last byte was acknowledged."""
    phase, seconds = watch(rate=1000.0, until=100.0)
    assert (phase, seconds) == ("response", about(160.0))


def test_a_connection_that_does_not_come() -> None:
    """A net below the connector's own limit."""
    phase, seconds = watch(connected=10**6)
    assert (phase, seconds) == ("connect", about(21.0))


def test_a_short_limit_does_not_wait_for_the_tick_of_a_long_one() -> None:
    """Connecting may take long; a stall of a quarter second is still one."""
    loop = SteppedLoop()

    async def run() -> float:
        began = loop.time()
        limits = Timeouts(connect=60.0, stall=0.25, response=0.25)
        with pytest.raises(TimeoutError):
            async with Watchdog(limits, Exchange(loop, 0.01, 0.0, 0.0)):
                await loop.create_future()
        return loop.time() - began

    try:
        assert loop.run_until_complete(run()) < 0.5
    finally:
        loop.close()


def test_nobody_is_asked_about_a_connection_that_is_not_there() -> None:
    """No transport, no bytes."""
    assert unacknowledged(None) == 0


async def test_nobody_can_tell_of_a_connection_that_is_closed() -> None:
    """A tick may come when the socket has ended and its transport is still held: it is no error."""
    near, far = socket.socketpair()
    with near, far:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        assert unacknowledged(transport) == 0
        transport.abort()
        for _turn in range(3):
            await asyncio.sleep(0)
        assert near.fileno() == -1
        assert not unacknowledged(transport)
