"""Lanes without a server: what happens in the same turn of the loop."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from uploader.engine.lanes import LaneSender
from uploader.engine.progress import Tally
from uploader.engine.settings import SystemClock
from uploader.errors import RejectedError
from uploader.model import Part, Plan, Receipt
from uploader.pipeline import WindowBudget
from uploader.retry import RetryBudget, RetryPolicy
from uploader.source.buffered import BytesSource

SIZE = 8_000


class Rig:
    """What lanes ask of their run; every part is answered in the same turn by `answer`."""

    can_renew = False

    def __init__(self, answer: Callable[[int], Any] = Receipt, *, room: int = 8) -> None:
        self.budget_of_windows = WindowBudget()
        self.answer = answer
        self.confirmed: list[int] = []
        self.rooms = asyncio.Semaphore(room)
        self.tally = Tally(SIZE, lambda: 0.0)
        self.at_boundary: Callable[[Part], None] = lambda part: None

    def sender(self, count: int) -> LaneSender:
        given: dict[str, Any] = {
            "allowance": self.budget_of_windows.allowance,
            "hooks": self,
            "caller": self,
            "listener": self,
            "room": self.room,
        }
        return LaneSender(
            count=count,
            plan=Plan(SIZE, SIZE // 8, 8),
            source=BytesSource(bytes(SIZE), name="film"),
            digest=True,
            clock=SystemClock(),
            tally=self.tally,
            pace=None,
            permit=lambda: None,
            **given,
        )

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        async with self.rooms:
            yield

    def flow(self, part: Part, body: Any) -> Iterator[Part]:
        yield part

    def budget(self) -> RetryBudget:
        return RetryBudget(RetryPolicy(), 0.0)

    async def once(self, flow: Iterator[Part]) -> Any:
        part = next(flow)
        for _ in range(5):
            await asyncio.sleep(0)
        return self.answer(part.index)

    async def digests(self, part: Part) -> dict[str, bytes]:
        return {}

    async def before(self, part: Part) -> None:
        self.at_boundary(part)

    async def after(self, part: Part, receipt: Receipt, digest: str | None) -> None:
        self.confirmed.append(self.tally.confirmed)

    def part_started(self, *given: Any) -> None:
        """Nobody listens."""

    part_confirmed = part_failed = part_started

    def check_free(self) -> None:
        budget = self.budget_of_windows
        assert (budget.used, budget.windows, budget.active) == (0, 0, 0)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
async def test_lanes_that_end_together_give_everything_back(count: int) -> None:
    """Windows that were read, and the share of the budget."""
    rig = Rig()
    await rig.sender(count).send_all(range(8))
    rig.check_free()
    assert rig.confirmed[-1] == SIZE


async def test_lanes_that_fail_together_are_all_heard(caplog: pytest.LogCaptureFixture) -> None:
    """One failure is raised, and asyncio has none to complain of."""

    def refuse(index: int) -> Receipt:
        raise RejectedError(f"put: {index}", operation="put")

    rig = Rig(refuse)

    async def fails() -> None:
        with pytest.raises(RejectedError):
            await rig.sender(4).send_all(range(8))

    with caplog.at_level(logging.ERROR, "asyncio"):
        await fails()
        await asyncio.sleep(0)
        gc.collect()
    assert [each.message for each in caplog.records] == []
    rig.check_free()


async def test_a_boundary_that_stops_waits_for_no_room() -> None:
    """Who waits for a lane that others hold would begin no part with it."""
    rig = Rig(room=0)

    def stop(part: Part) -> None:
        raise asyncio.CancelledError

    rig.at_boundary = stop
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(rig.sender(4).send_all(range(8)), 5)
    rig.check_free()
