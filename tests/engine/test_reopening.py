"""Sessions of which nothing comes when their opening was not answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Make
from tests.engine.depot import Depot, Fault
from tests.engine.files import make_clip
from tests.engine.parcel import PART, Asked, Parcel, limits
from uploader import Outcome
from uploader.errors import JournalError
from uploader.journal import State
from uploader.journals import MemoryJournal
from uploader.transport import Moment, Order

IN_ORDER: dict[str, Any] = {"order": Order.SEQUENTIAL, "irreversible": Moment.LAST_PART}
LOST = Fault(acted=True)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write three parts."""
    return make_clip(tmp_path / "film.mp4", 3 * PART)


@pytest.mark.parametrize(
    ("reopens", "outcome", "opened"), [(True, Outcome.DONE, 3), (False, Outcome.UNKNOWN, 1)]
)
def test_an_opening_whose_answer_was_lost_is_sent_again_where_that_harms_nothing(
    make_uploader: Make, depot: Depot, film: Path, reopens: bool, outcome: Outcome, opened: int
) -> None:
    """What was opened in vain gets no byte."""
    depot.script("create", LOST, LOST)
    parcel = Parcel(depot.url, Asked, limits(**IN_ORDER, reopens=reopens))
    result = make_uploader().upload(film, parcel)
    assert result.outcome is outcome, result.error
    assert depot.count("create") == opened
    sent = [each.content for each in depot.uploads.values() if each.content]
    assert sent == ([film.read_bytes()] if reopens else [])


@pytest.mark.parametrize(("reopens", "outcome"), [(True, Outcome.DONE), (False, Outcome.UNKNOWN)])
def test_a_run_that_died_before_the_answer_was_recorded_opens_it_again(
    make_uploader: Make, depot: Depot, film: Path, still: Any, reopens: bool, outcome: Outcome
) -> None:
    """The next run need not wait until what was opened has expired."""

    class Dying(MemoryJournal):
        dead = False

        def save(self, lease: Any, changes: Any, **named: Any) -> None:
            self.dead |= changes.get("state") is State.SENDING
            if self.dead:
                raise JournalError("the process was killed")
            super().save(lease, changes, **named)

    journal = Dying(clock=still.time)
    parcel = Parcel(depot.url, Asked, limits(**IN_ORDER, reopens=reopens))
    assert make_uploader(journal=journal).upload(film, parcel).outcome is not Outcome.DONE
    (entry,) = journal.latest()
    assert entry.state is State.OPENING

    journal.save = lambda *given, **named: MemoryJournal.save(  # type: ignore[method-assign]
        journal, *given, **named
    )
    result = make_uploader(journal=journal).upload(film, parcel)
    assert result.outcome is outcome, result.error
    assert depot.count("create") == (2 if reopens else 1)


def test_whoever_is_cancelled_while_it_is_opened_has_posted_nothing(
    make_uploader: Make, depot: Depot, film: Path
) -> None:
    """There is no doubt about a session of which nothing comes."""
    parcel = Parcel(depot.url, Asked, limits(**IN_ORDER, reopens=True))
    held = Fault(acted=True)
    depot.script("create", *[held] * 100)
    handle = make_uploader().submit(film, parcel)
    depot.wait_for("create")
    handle.cancel()
    assert handle.result(20).outcome is Outcome.CANCELLED
