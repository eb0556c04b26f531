"""Turns of accounts: in order, apart from each other, and nothing left behind by who goes away."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tests.engine.clock import FakeClock
from uploader.engine.limiting import FRESH, MANY, Opened, Permit, Turns
from uploader.errors import LimitsError, RateLimitedError
from uploader.limits import Rate

MINUTE = Rate(name="init", operation="init", amount=2, noun="posts", opens=True)
DAY = Rate(name="day", operation="init", amount=5, window=86_400.0, noun="posts", opens=True)
ASKS = Rate(name="status", operation="status", amount=2)


class HandClock(FakeClock):
    """A clock that a test moves; who sleeps wakes when it is time."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.someone_sleeps = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, woken))
        self.someone_sleeps.set()
        await woken

    async def move(self, seconds: float) -> None:
        self.now += seconds
        for until, woken in self._sleepers:
            if until <= self.now and not woken.done():
                woken.set_result(None)
        await settle()


class Shared:
    """A limiter that answers what it is told to."""

    def __init__(self, *answers: float | LimitsError) -> None:
        self._answers = list(answers)
        self.taken = self.given_back = 0
        self.blocked: list[float] = []
        self.names: list[str] = []

    def take(self, account: str, rates: Sequence[Rate]) -> float:
        answer = self._answers.pop(0) if self._answers else 0.0
        if isinstance(answer, LimitsError):
            raise answer
        self.taken += answer == 0.0
        return answer

    def give_back(self, account: str, rates: Sequence[Rate]) -> None:
        self.given_back += 1
        self.names += [rate.name for rate in rates]

    def block(self, account: str, rates: Sequence[Rate], seconds: float) -> None:
        self.blocked.append(seconds)


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def unheard(seconds: float, rate: Rate | None) -> None:
    """Nobody is told."""


def take(turns: Turns, account: str = "acme", *rates: Rate) -> asyncio.Task[Permit]:
    """Ask for a turn."""
    return asyncio.ensure_future(turns.take(account, rates or (MINUTE,), heard=unheard))


@pytest.fixture
def clock() -> HandClock:
    """Stand still until it is moved."""
    return HandClock()


@pytest.fixture
def turns(clock: HandClock) -> Turns:
    """Let everybody wait for three minutes and a bit."""
    return Turns(clock, None, 200.0)


async def test_an_account_s_requests_go_in_the_order_of_asking(
    turns: Turns, clock: HandClock
) -> None:
    """Two at a time, and another account's between them is not held back."""
    asked = [take(turns) for _ in range(6)]
    await settle()
    other = await take(turns, "other")
    other.over()
    for batch in range(3):
        done = [each.done() for each in asked]
        assert done == [True] * 2 * (batch + 1) + [False] * (4 - 2 * batch)
        for each in asked[2 * batch : 2 * batch + 2]:
            (await each).over()
        await clock.move(60.5)


async def test_who_goes_away_leaves_no_gap(turns: Turns, clock: HandClock) -> None:
    """A cancelled wait, at the head of the line or within it, costs nobody a turn."""
    first = [await take(turns) for _ in range(2)]
    waiting = [take(turns) for _ in range(4)]
    await settle()
    for index in (0, 2):
        waiting[index].cancel()
    for each in first:
        each.over()
    await clock.move(60.5)
    assert [each.done() for each in waiting] == [True] * 4
    assert [each.cancelled() for each in waiting] == [True, False, True, False]


async def test_a_permit_given_back_wakes_who_waits(turns: Turns) -> None:
    """At once, not when the window is over."""
    first = [await take(turns) for _ in range(2)]
    waiting = take(turns)
    await settle()
    assert not waiting.done()
    await first[0].give_back()
    await settle()
    assert waiting.done()
    await first[0].give_back()  # a second time changes nothing
    assert not take(turns).done()


async def test_the_line_s_length_decides_whether_to_wait(turns: Turns) -> None:
    """Whose turn would come too late is told so at once, with the seconds."""
    for permit in [await take(turns) for _ in range(2)]:
        permit.over()
    waiting = [take(turns) for _ in range(6)]  # the last of them for three minutes
    await settle()
    with pytest.raises(RateLimitedError, match="2 posts a minute") as raised:
        await take(turns)
    assert raised.value.retry_after == pytest.approx(240.4)
    for each in waiting:
        each.cancel()


async def test_the_stricter_of_two_limits_counts(turns: Turns, clock: HandClock) -> None:
    """A day's fifth post passes, its sixth waits for the next day."""
    for _ in range(5):
        asked = take(turns, "acme", MINUTE, DAY)
        await settle()
        if not asked.done():
            await clock.move(60.5)
        (await asked).over()
    with pytest.raises(RateLimitedError, match="5 posts a day"):
        await take(turns, "acme", MINUTE, DAY)


async def test_a_block_holds_the_line_back(turns: Turns, clock: HandClock) -> None:
    """Who waits already too; and who would wait too long then is told."""
    for permit in [await take(turns) for _ in range(2)]:
        permit.over()
    waiting = take(turns)
    await settle()
    await turns.block("acme", (MINUTE,), 100.0)
    await clock.move(61)
    assert not waiting.done()
    await clock.move(40)
    assert waiting.done()
    late = take(turns)
    await (await waiting).give_back()
    (await late).over()
    await turns.block("acme", (MINUTE,), 1000.0)
    with pytest.raises(RateLimitedError) as raised:
        await take(turns)
    assert raised.value.retry_after == 1000.0
    assert (await take(turns, "other")) is not None


async def test_a_block_holds_back_what_has_its_turn_already(turns: Turns) -> None:
    """A permit that waited for a lane meanwhile is given back."""
    permit = await take(turns)
    await turns.block("acme", (MINUTE,), 30.0)
    assert await permit.use() == 30.0
    assert turns._windows["acme", "init"].held == 0


async def test_who_is_urgent_does_not_queue(turns: Turns, clock: HandClock) -> None:
    """A question on which a running upload depends comes before all others of the account."""
    for permit in [await take(turns) for _ in range(2)]:
        permit.over()
    waiting = [take(turns) for _ in range(3)]
    await settle()
    urgent = asyncio.ensure_future(turns.take("acme", (MINUTE,), heard=unheard, urgent=True))
    await settle()
    await clock.move(60.2)
    assert urgent.done()
    assert [each.done() for each in waiting].count(True) == 1
    for each in waiting:
        each.cancel()


async def test_idle_lines_are_dropped(turns: Turns, clock: HandClock) -> None:
    """Memory does not grow with the number of accounts that were ever seen."""
    for number in range(MANY + 10):
        (await take(turns, f"account {number}")).over()
        clock.now += 1.0
    assert len(turns._lines) < MANY
    assert len(turns._windows) == len(turns._lines)


async def test_a_shared_limiter_counts_too(clock: HandClock) -> None:
    """What others have sent is waited for, and a permit that got old is counted anew."""
    shared = Shared(7.0)
    turns = Turns(clock, shared, 30.0)
    asked = take(turns)
    await clock.someone_sleeps.wait()
    assert not asked.done()
    await clock.move(7.0)
    permit = await asked
    assert (shared.taken, await permit.use()) == (1, 0.0)
    clock.now += FRESH + 0.1
    assert await permit.use() == 0.0
    assert (shared.taken, shared.given_back) == (2, 1)
    await permit.give_back()
    assert shared.given_back == 2
    await turns.block("acme", (MINUTE,), 9.0)
    assert shared.blocked == [9.0]
    turns.close()


async def test_an_old_permit_may_be_refused(clock: HandClock) -> None:
    """Others were quicker: it is given back, and the wait is told."""
    turns = Turns(clock, Shared(0.0, 12.0), 30.0)
    permit = await take(turns)
    clock.now += FRESH + 0.1
    assert await permit.use() == 12.0
    assert all(not window.held for window in turns._windows.values())
    turns.close()


async def test_only_what_still_counts_is_given_back(clock: HandClock) -> None:
    """After a minute its place is another's; and what was counted anew is as old as that."""
    shared = Shared()
    turns = Turns(clock, shared, 30.0)
    permit = await take(turns, "acme", MINUTE, DAY)
    clock.now += MINUTE.window
    assert await permit.use() == 0.0
    assert (shared.taken, shared.names) == (2, ["day"])
    clock.now += FRESH / 2
    await permit.give_back()
    assert shared.names == ["day", "init", "day"]
    lone = await take(turns)
    clock.now += MINUTE.window
    await lone.give_back()
    assert shared.given_back == 2
    turns.close()


async def test_who_goes_away_while_it_is_counted_takes_nobody_s_place(clock: HandClock) -> None:
    """The shared limiter has counted it all the same: it is given back."""
    asked, go, back = threading.Event(), threading.Event(), threading.Event()

    class Slow(Shared):
        def take(self, account: str, rates: Sequence[Rate]) -> float:
            asked.set()
            assert go.wait(10)
            return super().take(account, rates)

        def give_back(self, account: str, rates: Sequence[Rate]) -> None:
            super().give_back(account, rates)
            back.set()

    shared = Slow()
    turns = Turns(clock, shared, 30.0)
    asking = take(turns)
    assert await asyncio.to_thread(asked.wait, 10)
    asking.cancel()
    await settle()
    assert asking.cancelled()
    go.set()
    assert await asyncio.to_thread(back.wait, 10)
    assert (shared.taken, shared.given_back) == (1, 1)
    assert turns._windows["acme", "init"].held == 0
    turns.close()


async def test_what_was_recalled_counts_however_many_accounts_there_are(clock: HandClock) -> None:
    """It is not taken for idle because its account has not asked yet."""

    async def recall() -> list[Opened]:
        return [Opened("acme", "day", clock.time()) for _ in range(5)]

    turns = Turns(clock, None, 30.0, recall)
    for number in range(MANY + 10):
        (await take(turns, f"account {number}")).over()
        clock.now += 1.0
    with pytest.raises(RateLimitedError, match="5 posts a day"):
        await take(turns, "acme", MINUTE, DAY)


async def test_without_the_shared_limiter_nothing_is_opened(clock: HandClock) -> None:
    """What opens something waits, then fails; what only asks is counted here alone."""
    down = [LimitsError("no Redis") for _ in range(3)]
    turns = Turns(clock, Shared(*down), 1.5)
    question = await take(turns, "acme", ASKS)
    assert question is not None
    opening = take(turns)
    await clock.someone_sleeps.wait()
    assert not opening.done()
    await clock.move(1.0)
    with pytest.raises(LimitsError, match="no Redis"):
        await opening
    assert turns._windows["acme", "init"].held == 0
    turns.close()
