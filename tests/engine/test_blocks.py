"""The memory of streams: shared in the order of asking, and by nobody who went away."""

import asyncio

from uploader.engine.feeding import BlockBudget


async def test_who_goes_away_in_the_moment_of_its_turn_is_passed_over() -> None:
    """Its task hears of nothing but that it was cancelled, and the next one gets the room."""
    budget = BlockBudget(100)
    await budget.take(100)
    waiting = [asyncio.create_task(budget.take(100)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    budget.give_back(100)
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert ended[1] is None
    assert budget.used == 100
