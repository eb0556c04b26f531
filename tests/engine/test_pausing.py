"""The pauses that a process knows of, and what is no reason for one."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.engine.clock import FakeClock
from tests.engine.conftest import Make
from tests.engine.depot import Depot
from tests.engine.files import make_clip
from tests.engine.parcel import PART, Asked, Parcel, limits
from uploader import Outcome, RejectedError
from uploader.engine.pausing import Board
from uploader.journal import Pause
from uploader.journals import MemoryJournal
from uploader.model import Processing, Session
from uploader.transport import Flow, Moment, Order

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


class Judged(Asked):
    """One that says of every post at the end that it is refused."""

    __slots__ = ()

    def poll(self, session: Session) -> Flow[Processing]:
        yield self._ask("query", "GET", str(session.fields["id"]))
        error = RejectedError("it was refused", operation="status", general=True)
        return Processing("REFUSED", error=error)


def test_what_a_server_says_at_the_end_is_no_refusal_that_waits(
    make_uploader: Make, depot: Depot, tmp_path: Path
) -> None:
    """Nothing of such a post can be sent later: it has failed, however many they are."""
    uploader, film = make_uploader(), make_clip(tmp_path / "film.mp4", PART)
    cut = limits(order=Order.SEQUENTIAL, irreversible=Moment.LAST_PART)
    results = [
        uploader.upload(film, Parcel(depot.url, Judged, cut, account=f"account {number}"))
        for number in range(4)
    ]
    assert [result.outcome for result in results] == [Outcome.FAILED] * 4
    assert uploader.pauses() == []


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
