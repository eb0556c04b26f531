"""One timer wakes whoever waits, in order, and early who is hurried."""

import asyncio

import pytest

from tests.engine.clock import FakeClock
from uploader.engine.rounds import Rounds


class Held(FakeClock):
    """A clock whose waits end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.asked = asyncio.Queue[float]()

    async def sleep(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self.go.wait()
        self.now += seconds


async def test_waits_end_in_their_order(still_clock: FakeClock) -> None:
    """Hundreds wait behind one task; no time is slept twice."""
    rounds, ended = Rounds(still_clock), list[int]()

    async def one(number: int) -> None:
        await rounds.wait(f"upload {number}", 500.0 - number)
        ended.append(number)

    waiting = [asyncio.create_task(one(number)) for number in range(500)]
    await asyncio.sleep(0)
    assert len(rounds) == 500
    assert sum(task.get_name() == "uploader-rounds" for task in asyncio.all_tasks()) == 1
    await asyncio.gather(*waiting)
    assert ended == list(reversed(range(500)))
    assert still_clock.now == 1_500.0
    assert len(rounds) == 0
    await rounds.close()


async def test_an_earlier_wait_is_not_kept_waiting() -> None:
    """The timer sleeps for whoever is first."""
    clock = Held()
    rounds = Rounds(clock)
    late = asyncio.create_task(rounds.wait("late", 600.0))
    assert await clock.asked.get() == 600.0
    soon = asyncio.create_task(rounds.wait("soon", 2.0))
    assert await clock.asked.get() == 2.0
    clock.go.set()
    await soon
    await late
    assert clock.now == 1_600.0
    await rounds.close()


async def test_who_is_hurried_waits_no_more() -> None:
    """Others do; who is nobody's is not hurried."""
    clock = Held()
    rounds = Rounds(clock)
    tasks = {name: asyncio.create_task(rounds.wait(name, 60.0)) for name in ("a", "b")}
    await asyncio.sleep(0)
    assert rounds.hurry("a")
    await tasks["a"]
    assert not rounds.hurry("a")
    assert not tasks["b"].done()
    tasks["b"].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks["b"]
    assert len(rounds) == 0
    await rounds.close()


@pytest.fixture
def still_clock() -> FakeClock:
    """Time that moves by what is waited for."""
    return FakeClock()
