"""One budget of windows over all uploads: never exceeded by read-ahead, never a deadlock."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from uploader.model import KIB, MIB
from uploader.pipeline import Allowance, WindowBudget
from uploader.pipeline.budget import DEPTH, LARGEST, SMALLEST

STEADY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(eq=False)
class Upload:
    """One upload's allowance, what it holds, and what it waits for."""

    allowance: Allowance
    held: list[int] = field(default_factory=list)
    asking: asyncio.Task[None] | None = None
    wanted: int = 0


class BudgetMachine(RuleBasedStateMachine):
    """Uploads come, ask, give back, are cancelled and leave in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.budget = WindowBudget(4 * MIB)
        self.uploads: list[Upload] = []
        self.first = 0
        """Bytes of windows that were granted to uploads which held none."""

    def settle(self) -> None:
        async def turns() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())
        for upload in self.uploads:
            if upload.asking is not None and upload.asking.done():
                if not upload.asking.cancelled():
                    upload.held.append(upload.wanted)
                upload.asking = None

    def pick(self, data: st.DataObject, among: list[Upload]) -> Upload:
        return among[data.draw(st.integers(0, len(among) - 1))]

    @rule()
    def come(self) -> None:
        if len(self.uploads) < 40:
            self.uploads.append(Upload(self.budget.allowance()))

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        upload = self.pick(data, self.uploads)
        if upload.asking is None:
            upload.wanted = upload.allowance.window_size()
            upload.asking = self.loop.create_task(upload.allowance.take(upload.wanted))
            self.settle()

    @precondition(lambda self: any(upload.held for upload in self.uploads))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        upload = self.pick(data, [upload for upload in self.uploads if upload.held])
        upload.allowance.give_back(upload.held.pop(0))
        self.settle()

    @precondition(lambda self: any(upload.asking for upload in self.uploads))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        upload = self.pick(data, [upload for upload in self.uploads if upload.asking])
        assert upload.asking is not None
        upload.asking.cancel()
        self.settle()

    @precondition(lambda self: any(not u.held and not u.asking for u in self.uploads))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        upload = self.pick(data, [u for u in self.uploads if not u.held and not u.asking])
        upload.allowance.close()
        upload.allowance.close()
        self.uploads.remove(upload)
        self.settle()

    @invariant()
    def the_books_agree(self) -> None:
        """What is counted is what is held."""
        held = [length for upload in self.uploads for length in upload.held]
        assert (self.budget.used, self.budget.windows) == (sum(held), len(held))
        assert self.budget.active == len(self.uploads)

    @invariant()
    def read_ahead_stays_within_the_budget(self) -> None:
        """Beyond the capacity there is at most one window for each upload that has one."""
        own = sum(max(upload.held) for upload in self.uploads if upload.held)
        spare = self.budget.used - own
        assert spare <= max(0, self.budget.capacity - SMALLEST)
        assert self.budget.used <= self.budget.capacity + own
        assert all(len(upload.held) <= DEPTH for upload in self.uploads)

    @invariant()
    def nobody_without_a_window_waits(self) -> None:
        """An upload that holds nothing has been given what it asked for."""
        assert all(upload.held for upload in self.uploads if upload.asking)

    def teardown(self) -> None:
        """When everyone gives back, everyone gets, and nothing is left."""
        while any(upload.held or upload.asking for upload in self.uploads):
            upload = next(u for u in self.uploads if u.held)
            upload.allowance.give_back(upload.held.pop(0))
            self.settle()
        for upload in self.uploads:
            upload.allowance.close()
        assert (self.budget.used, self.budget.windows, self.budget.active) == (0, 0, 0)
        self.loop.close()


TestBudget = BudgetMachine.TestCase
TestBudget.settings = settings(STEADY, max_examples=20, stateful_step_count=50)


@pytest.mark.parametrize("capacity", [1, SMALLEST, MIB, 12 * MIB, 100 * MIB])
def test_windows_shrink_when_many_share(capacity: int) -> None:
    """More uploads mean smaller windows, never under the smallest nor over the largest."""
    budget, sizes = WindowBudget(capacity), []
    for _ in range(100):
        budget.allowance()
        sizes.append(budget.window_size())
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= SMALLEST
    assert sizes[0] <= LARGEST


@STEADY
@given(capacity=st.integers(1, 2 * MIB), uploads=st.integers(1, 20), windows=st.integers(1, 12))
def test_a_budget_below_one_window_for_each_is_no_deadlock(
    capacity: int, uploads: int, windows: int
) -> None:
    """However small the budget, every upload gets to its end."""

    async def one(budget: WindowBudget) -> None:
        allowance, held = budget.allowance(), list[int]()
        for _ in range(windows):
            wanted = allowance.window_size()
            taking = asyncio.ensure_future(allowance.take(wanted))
            while not taking.done():
                await asyncio.sleep(0)
                if held and not taking.done():
                    allowance.give_back(held.pop(0))
            held.append(wanted)
        while held:
            allowance.give_back(held.pop(0))
        allowance.close()

    async def everyone() -> WindowBudget:
        budget = WindowBudget(capacity)
        async with asyncio.timeout(10):
            await asyncio.gather(*(one(budget) for _ in range(uploads)))
        return budget

    budget = asyncio.run(everyone())
    assert (budget.used, budget.windows, budget.active) == (0, 0, 0)


async def test_spare_windows_go_to_those_who_waited_first() -> None:
    """Who asked for read-ahead first gets it first."""
    budget = WindowBudget(4 * SMALLEST)
    first, second, third = (budget.allowance() for _ in range(3))
    for allowance in (first, second, third):
        await allowance.take(SMALLEST)
    await third.take(SMALLEST)
    order: list[str] = []

    async def ask(name: str, allowance: Allowance) -> None:
        await allowance.take(SMALLEST)
        order.append(name)

    asking = [asyncio.create_task(ask("first", first)), asyncio.create_task(ask("second", second))]
    await asyncio.sleep(0)
    for _ in asking:
        third.give_back(SMALLEST)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(*asking)
    assert order == ["first", "second"]
    assert budget.used == 4 * 256 * KIB
