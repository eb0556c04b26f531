"""The journal fails at any record: nothing is posted twice, and a later run ends the upload."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.clock import SteppedClock
from tests.resume.records import COMMITTING, GIVEN_BACK, OPENING, RECORDS, SESSION
from tests.resume.stage import PART, Stage
from tests.resume.watched import Watched
from uploader import JournalError, Outcome, UploadResult
from uploader.journals import SqliteJournal
from uploader.testing.nursery import Nursery

HOUR = 3600.0
SAVES = [pytest.param(number, id=RECORDS[number - 1]) for number in range(OPENING, GIVEN_BACK)]


class Broken:
    """Fails at a record, and when `lasting` at all that follow."""

    def __init__(self, at: int, *, lasting: bool) -> None:
        self._at = at
        self._lasting = lasting

    def __call__(self, number: int) -> None:
        if number == self._at or (self._lasting and number > self._at):
            raise JournalError("the connection to the journal was lost")


def upload_with(stage: Stage, before: Callable[[int], None]) -> UploadResult:
    """Upload the film with a journal before whose records something happens."""
    with closing(SqliteJournal(stage.journal, timeout=0.05)) as journal:
        return stage.upload(journal=Watched(journal, before=before))


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("number", SAVES)
def test_the_connection_is_lost(
    stage: Stage,
    number: int,
    lasting: bool,
) -> None:
    """Before the last part is out SUSPENDED, afterwards UNKNOWN; a sane journal ends it DONE."""
    result = upload_with(stage, Broken(number, lasting=lasting))

    check_first(stage, result.outcome, number)
    assert isinstance(result.error, JournalError)
    end_it(stage, number)


@pytest.mark.parametrize("number", SAVES)
def test_another_process_holds_the_file(
    stage: Stage,
    number: int,
) -> None:
    """A journal that stays locked is a journal that fails."""
    with closing(sqlite3.connect(stage.journal, check_same_thread=False)) as other:

        def lock(current: int) -> None:
            if current == number:
                other.execute("BEGIN IMMEDIATE")

        result = upload_with(stage, lock)

        check_first(stage, result.outcome, number)
        assert isinstance(result.error, JournalError)
        assert "lock" in result.error.message
        other.rollback()
    end_it(stage, number)


@pytest.mark.parametrize("number", SAVES)
def test_the_disk_is_full(stage: Stage, children: Nursery, number: int) -> None:
    """A disk that takes no more bytes is a journal that fails; what it had stays."""
    ended = children.run(stage.order(full=number))

    check_first(stage, ended["result"]["outcome"], number)
    assert ended["result"]["error"]["code"] == "journal"
    end_it(stage, number)


@pytest.mark.parametrize(
    "number", [pytest.param(number, id=RECORDS[number - 1]) for number in (OPENING, COMMITTING)]
)
def test_the_disk_is_full_once_a_stream_is_copied(
    stage: Stage, children: Nursery, tmp_path: Path, number: int
) -> None:
    """The copy of what has no descriptor goes with the run, and the file itself ends the upload."""
    ended = children.run(stage.order(full=number, stream=True, temporary=str(spool(tmp_path))))

    check_first(stage, ended["result"]["outcome"], number)
    assert ended["result"]["error"]["code"] == "journal"
    assert list(spool(tmp_path).iterdir()) == []
    end_it(stage, number)


def test_the_disk_has_no_room_for_a_copy_of_a_stream(
    stage: Stage, children: Nursery, tmp_path: Path
) -> None:
    """What cannot be copied is the caller's to mend: nothing is recorded, sent or left behind."""
    order = stage.order(stream=True, room=PART, temporary=str(spool(tmp_path)))
    ended = children.run(order)

    assert ended["exit"] == 0
    assert ended["raised"]["code"] == "source"
    assert "cannot be copied to a temporary file" in ended["raised"]["message"]
    assert stage.sandbox.requests == []
    assert stage.entry() is None
    assert list(spool(tmp_path).iterdir()) == []
    stage.check_posted_once(stage.upload(), kills=0)


def test_a_journal_that_fails_at_once_is_raised(stage: Stage) -> None:
    """What cannot be recorded is not begun."""
    with pytest.raises(JournalError, match="connection"):
        upload_with(stage, Broken(1, lasting=True))

    assert stage.sandbox.requests == []


def test_a_lease_that_cannot_be_given_back_changes_nothing(stage: Stage) -> None:
    """The upload is recorded as done by then."""
    result = upload_with(stage, Broken(GIVEN_BACK, lasting=True))

    stage.check_posted_once(result, kills=0)
    stage.check_posted_once(stage.upload(), kills=0)


def test_a_journal_in_a_folder_that_is_missing_is_refused(stage: Stage, tmp_path: Path) -> None:
    """Nothing is sent without a journal."""
    with pytest.raises(JournalError, match="does not exist"):
        stage.upload(journal=tmp_path / "nowhere" / "uploads.db")

    assert stage.sandbox.requests == []


def spool(place: Path) -> Path:
    """Return the folder for copies of streams."""
    folder = place / "spool"
    folder.mkdir(exist_ok=True)
    return folder


def check_first(stage: Stage, outcome: str, number: int) -> None:
    """Check how the run ended whose journal failed at a record."""
    sent = number > COMMITTING
    assert outcome == (Outcome.UNKNOWN if sent else Outcome.SUSPENDED)
    assert len(stage.sandbox.posts) == sent
    assert stage.seen("init") == (number > OPENING)


def end_it(stage: Stage, number: int) -> None:
    """Run it again with a sane journal, and once more."""
    clock = SteppedClock(stage.sandbox.clock)
    if number == SESSION:
        # The session was opened and could not be recorded: it is lost until its URL expires.
        assert stage.upload(clock=clock).outcome is Outcome.UNKNOWN
        assert stage.seen("init") == 1
        stage.sandbox.clock.advance(HOUR + 1)
        assert stage.upload(clock=clock).outcome is Outcome.DONE
        stage.sandbox.assert_posted_once(stage.film)
        return
    stage.check_posted_once(stage.upload(clock=clock), kills=1)
    asked = len(stage.sandbox.requests)
    stage.check_posted_once(stage.upload(clock=clock), kills=1)
    assert len(stage.sandbox.requests) == asked
