"""The pauses that a process knows of."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.engine.clock import FakeClock
from uploader.engine.pausing import Board
from uploader.journal import Pause
from uploader.journals import MemoryJournal

PATIENCE = 10.0


class Slow(MemoryJournal):
    """A journal whose first answer is on its way until the test lets it go."""

    waits = True

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = threading.Event(), threading.Event()

    def pauses(self) -> Sequence[Pause]:
        found = super().pauses()
        if not self.asked.is_set():
            self.asked.set()
            assert self.go.wait(PATIENCE)
        return found


async def test_an_answer_from_before_a_pause_is_not_believed_after_it() -> None:
    """Who asks next hears of what was made while the journal answered."""
    journal, clock = Slow(), FakeClock()
    with ThreadPoolExecutor(1) as executor:
        board = Board(clock, executor, 1800.0)
        asking = asyncio.create_task(board.standing(journal))
        assert await asyncio.to_thread(journal.asked.wait, PATIENCE)
        journal.pause(Pause("tiktok", None, "a rule was changed", since=clock.time()))
        board.forget()
        journal.go.set()
        assert await asking == []
        assert [each.transport for each in await board.standing(journal)] == ["tiktok"]
