"""Pauses: recorded once, obeyed by every process, and never in the middle of what counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.faults.clock import SteppedClock
from tests.resume.records import COMMITTING, FIRST, LAST, OPENING, SECOND
from tests.resume.stage import PART, Stage
from tests.resume.watched import Watched
from uploader import AsyncUploader, Outcome, PausedError, Uploader, UploadResult
from uploader.engine import pausing
from uploader.events import Event, PauseLifted, PauseSet, UploadSuspended
from uploader.journal import Pause, State
from uploader.journals import SqliteJournal


@pytest.fixture
def seen() -> list[Event]:
    """Collect events."""
    return []


@pytest.fixture
def up(stage: Stage, seen: list[Event]) -> Iterator[Uploader]:
    """Upload by the stage's journal and the sandbox's clock."""
    clock = SteppedClock(stage.sandbox.clock)
    with stage.uploader(clock=clock, subscribers=[seen.append]) as uploader:
        yield uploader


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the pauses whenever somebody asks."""
    monkeypatch.setattr(pausing, "PAUSES_EVERY", 0.0)


def paused(result: UploadResult) -> PausedError:
    """Return why an upload was held back."""
    assert result.outcome is Outcome.SUSPENDED
    assert isinstance(result.error, PausedError)
    return result.error


def test_nothing_is_sent_of_what_is_paused(stage: Stage, up: Uploader, seen: list[Event]) -> None:
    """The result says who paused what, why and since when; later it goes on as if nothing was."""
    up.pause("tiktok", reason="a rule was changed", by="ann", seconds=60.0)

    result = up.upload(stage.film, stage.post())

    error = paused(result)
    assert (error.code, error.transport, error.account) == ("paused", "tiktok", None)
    assert (error.reason, error.by) == ("a rule was changed", "ann")
    assert error.since is not None
    assert error.until == pytest.approx(error.since + 60.0)
    for word in ("uploads to tiktok", "by ann", "a rule was changed", "since 20"):
        assert word in error.message
    assert "uploader unpause --transport tiktok" in error.hints[0]
    assert stage.sandbox.requests == []
    assert up.resume_all() == []
    assert [type(each) for each in seen if not isinstance(each, UploadSuspended)] == [PauseSet]

    assert up.unpause("tiktok") == 1
    (again,) = up.resume_all()

    assert PauseLifted in map(type, seen)
    assert again.upload_id == result.upload_id
    stage.check_posted_once(again, kills=0)


@pytest.mark.parametrize(
    ("transport", "account", "held"),
    [
        (None, None, True),
        (None, "acme", True),
        ("tiktok", "acme", True),
        ("tiktok", "other", False),
        (None, "other", False),
        ("s3", None, False),
    ],
)
def test_a_pause_is_about_what_it_names(
    stage: Stage, up: Uploader, transport: str | None, account: str | None, held: bool
) -> None:
    """All else is published as usual."""
    up.pause(transport, account)

    result = up.upload(stage.film, stage.post())

    assert result.outcome is (Outcome.SUSPENDED if held else Outcome.DONE)
    assert bool(stage.sandbox.posts) is not held


def test_a_pause_ends_by_itself(stage: Stage, up: Uploader) -> None:
    """When its time is over."""
    up.pause(seconds=60.0)
    first = up.upload(stage.film, stage.post())
    stage.sandbox.clock.advance(61.0)

    (second,) = up.resume_all()

    assert (first.outcome, up.pauses()) == (Outcome.SUSPENDED, [])
    stage.check_posted_once(second, kills=0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("record", "parts"), [(OPENING, 0), (FIRST, 1), (SECOND, 2)])
def test_what_runs_stops_at_its_next_part(stage: Stage, record: int, parts: int) -> None:
    """Another process pauses; whole parts are confirmed, and none is sent twice later."""
    with closing(SqliteJournal(stage.journal)) as other:

        def pause(number: int) -> None:
            if number == record:
                other.pause(Pause("tiktok", "acme", "to look", since=0.0, by="another process"))

        with closing(SqliteJournal(stage.journal)) as journal:
            first = stage.upload(journal=Watched(journal, after=pause))

        assert paused(first).by == "another process"
        assert first.bytes_sent == parts * PART
        assert stage.seen("put") == parts
        other.unpause("tiktok", "acme")
    with stage.uploader() as up:
        second = up.resume(first.upload_id)
    assert second.resumed_from == parts * PART
    stage.check_posted_once(second, kills=0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("record", [COMMITTING, LAST])
def test_what_cannot_be_taken_back_is_finished(stage: Stage, record: int) -> None:
    """A pause that comes after the last part was announced changes nothing for this upload."""
    with (
        closing(SqliteJournal(stage.journal)) as journal,
        closing(SqliteJournal(stage.journal)) as other,
    ):

        def pause(number: int) -> None:
            if number == record:
                other.pause(Pause(None, None, "", since=0.0))

        result = stage.upload(journal=Watched(journal, after=pause))

    stage.check_posted_once(result, kills=0)


def test_what_is_processed_is_watched_all_the_same(stage: Stage, up: Uploader) -> None:
    """No byte of it is left to be sent."""
    first = up.upload(stage.film, stage.post(), wait=False)
    up.pause()

    (second,) = up.resume_all()

    assert first.outcome is Outcome.PROCESSING
    stage.check_posted_once(second, kills=0)


def test_an_opening_that_was_not_answered_is_not_forgotten_by_a_pause(
    stage: Stage, up: Uploader
) -> None:
    """What an earlier run may have opened stays so: else it would be opened a second time."""
    with closing(SqliteJournal(stage.journal)) as journal:
        entry = up.journal.get(up.enqueue(stage.film, stage.post()))
        assert entry is not None
        _, lease = journal.take(entry.upload_id, 60.0)
        journal.save(lease, {"state": State.OPENING})
        journal.release(lease)
    up.pause()

    held = up.resume(entry.upload_id)
    up.unpause()
    result = up.resume(entry.upload_id)

    assert held.outcome is Outcome.SUSPENDED
    assert result.outcome is Outcome.UNKNOWN
    assert stage.seen("init") == 0


async def test_the_asyncio_face_pauses_too(stage: Stage) -> None:
    """With the same words."""
    settings: dict[str, Any] = {"journal": stage.journal, "metrics": False}
    async with AsyncUploader(**settings) as up:
        pause = await up.pause("tiktok", reason="to look")
        result = await up.upload(stage.film, stage.post())

        assert await up.pauses() == [pause]
        assert paused(result).by == pause.by != ""
        assert await up.unpause("tiktok") == 1
        assert await up.unpause("tiktok") == 0


def test_however_many_ask_the_journal_is_read_once_a_second(stage: Stage) -> None:
    """A part costs no question; time that passes does."""
    asked: list[float] = []
    clock = SteppedClock(stage.sandbox.clock)

    class Counting(SqliteJournal):
        def pauses(self) -> Any:
            asked.append(clock.monotonic())
            return super().pauses()

    with closing(Counting(stage.journal)) as journal, stage.uploader(journal=journal) as up:
        up.upload(stage.film, stage.post())

    assert 1 <= len(asked) <= 2
