"""Uploads that are bound to a time: a limit of the run, a date, the life of a session."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.faults.clock import SteppedClock
from tests.resume.records import DONE, FIRST, SECOND
from tests.resume.stage import PART, Stage
from tests.resume.watched import Watched
from transports.tiktok.sandbox import Fault
from uploader import Outcome, Uploader
from uploader.api.handle import UploadHandle
from uploader.events import Event, SessionRestarted
from uploader.journal import State
from uploader.journals import SqliteJournal
from uploader.testing.nursery import Nursery

HOUR = 3600.0


@pytest.fixture
def seen() -> list[Event]:
    """Collect events."""
    return []


@pytest.fixture
def up(stage: Stage, seen: list[Event]) -> Iterator[Uploader]:
    """Upload by the stage's journal and the sandbox's clock."""
    with stage.uploader(
        clock=SteppedClock(stage.sandbox.clock), subscribers=[seen.append]
    ) as uploader:
        yield uploader


def state_of(up: Uploader, upload_id: str) -> State | None:
    """Return what the journal says of an upload."""
    entry = up.journal.get(upload_id)
    return entry.state if entry is not None else None


@pytest.mark.parametrize(("record", "parts"), [(FIRST, 1), (SECOND, 2)])
def test_a_time_limit_ends_a_run_at_a_part_boundary(
    stage: Stage, up: Uploader, record: int, parts: int
) -> None:
    """Suspended with whole parts confirmed; the next run goes on there, and sends none twice."""
    clock = SteppedClock(stage.sandbox.clock)

    def pass_time(number: int) -> None:
        if number == record:
            stage.sandbox.clock.advance(60.0)

    with (
        closing(SqliteJournal(stage.journal)) as journal,
        stage.uploader(journal=Watched(journal, after=pass_time), clock=clock) as limited,
    ):
        first = limited.upload(stage.film, stage.post(), time_limit=60.0)
    assert first.outcome is Outcome.SUSPENDED
    assert first.bytes_sent == parts * PART
    assert stage.seen("put") == parts

    second = up.resume(first.upload_id)

    assert second.resumed_from == parts * PART
    stage.check_posted_once(second, kills=0)


def test_a_time_limit_ends_a_run_before_a_wait_that_would_pass_it(
    stage: Stage, up: Uploader
) -> None:
    """Told to come again in five minutes, a run of one minute does not wait for it."""
    stage.sandbox.script(Fault("init", status=429, headers={"Retry-After": "300"}))
    first = up.upload(stage.film, stage.post(), time_limit=60.0)
    assert first.outcome is Outcome.SUSPENDED
    assert state_of(up, first.upload_id) is State.QUEUED

    second = up.resume(first.upload_id)

    assert stage.seen("init") == 2
    stage.check_posted_once(second, kills=0)


def test_a_time_limit_ends_the_watching_too(set_stage: Callable[..., Stage]) -> None:
    """What is processed for longer than a run may take is PROCESSING, and watched by the next."""
    stage = set_stage(processing_seconds=600.0)
    with stage.uploader(clock=SteppedClock(stage.sandbox.clock)) as up:
        first = up.upload(stage.film, stage.post(), time_limit=60.0)
        assert first.outcome is Outcome.PROCESSING
        stage.sandbox.clock.advance(600.0)

        second = up.resume(first.upload_id)

    stage.check_posted_once(second, kills=0)


def test_enqueued_uploads_are_sent_by_whoever_takes_them_up(stage: Stage, up: Uploader) -> None:
    """`enqueue` writes one entry and sends nothing; `resume_all` sends it once."""
    upload_id = up.enqueue(stage.film, stage.post())
    assert up.enqueue(stage.film, stage.post()) == upload_id
    assert stage.sandbox.requests == []
    with stage.uploader() as another:
        (result,) = another.resume_all()
        assert another.resume_all() == []

    assert result.upload_id == upload_id
    stage.check_posted_once(result, kills=0)


def test_nothing_is_sent_before_its_time(stage: Stage, up: Uploader) -> None:
    """`not_before` holds for `resume` and `resume_all` alike."""
    upload_id = up.enqueue(stage.film, stage.post(), not_before=up.now() + HOUR)
    early = up.resume(upload_id)
    assert early.outcome is Outcome.SUSPENDED
    assert up.resume_all() == []
    assert stage.sandbox.requests == []
    stage.sandbox.clock.advance(HOUR + 1)
    (result,) = up.resume_all()

    assert result.upload_id == upload_id
    stage.check_posted_once(result, kills=0)


def test_nothing_is_sent_after_its_time(stage: Stage, up: Uploader) -> None:
    """Past `not_after` an upload of which nothing was sent ends CANCELLED."""
    upload_id = up.enqueue(stage.film, stage.post(), not_after=up.now() + HOUR)
    stage.sandbox.clock.advance(HOUR + 1)
    (result,) = up.resume_all()

    assert result.upload_id == upload_id
    assert result.outcome is Outcome.CANCELLED
    assert state_of(up, upload_id) is State.CANCELLED
    assert stage.sandbox.requests == []


def test_a_session_that_expired_is_dead(
    stage: Stage, up: Uploader, children: Nursery, seen: list[Event]
) -> None:
    """Resumed after its hour, an upload starts anew, says so, and is posted once."""
    assert children.run(stage.order(dies=(SECOND, True)))["exit"] < 0
    stage.sandbox.clock.advance(HOUR + 1)
    (result,) = up.resume_all()

    assert result.outcome is Outcome.DONE
    assert [type(event) for event in seen].count(SessionRestarted) == 1
    assert stage.seen("init") == 2
    assert len(stage.sandbox.posts) == 1
    stage.sandbox.assert_posted_once(stage.film)


def test_a_session_that_expires_while_it_waits_is_dead_by_the_next_run(
    set_stage: Callable[..., Stage],
) -> None:
    """A run that is suspended and taken up an hour later does not trust the old session."""
    stage = set_stage()
    clock = SteppedClock(stage.sandbox.clock)

    def an_hour(number: int) -> None:
        if number == FIRST:
            stage.sandbox.clock.advance(HOUR)

    with (
        closing(SqliteJournal(stage.journal)) as journal,
        stage.uploader(journal=Watched(journal, after=an_hour), clock=clock) as limited,
    ):
        first = limited.upload(stage.film, stage.post(), time_limit=HOUR)
    assert first.outcome is Outcome.SUSPENDED
    with stage.uploader(clock=clock) as up:
        assert up.resume(first.upload_id).outcome is Outcome.DONE
    assert stage.seen("init") == 2
    stage.sandbox.assert_posted_once(stage.film)


@pytest.mark.parametrize("stop", ["suspend", "cancel"])
def test_a_stop_that_comes_too_late_changes_nothing(stage: Stage, stop: str) -> None:
    """While the end of an upload is recorded nothing stops it any more: it has ended."""
    handles: queue.SimpleQueue[UploadHandle] = queue.SimpleQueue()

    def stop_it(number: int) -> None:
        if number == DONE:
            handle = handles.get(timeout=10)
            handle.suspend() if stop == "suspend" else handle.cancel()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), running(late)).result(10)

    with (
        closing(SqliteJournal(stage.journal)) as journal,
        stage.uploader(journal=Watched(journal, before=stop_it)) as late,
    ):
        handle = late.submit(stage.film, stage.post())
        handles.put(handle)
        stage.check_posted_once(handle.result(20), kills=0)
        assert state_of(late, handle.upload_id) is State.DONE


def running(up: Uploader) -> asyncio.AbstractEventLoop:
    """Return the engine's loop."""
    loop = up._thread._loop
    assert loop is not None
    return loop
