"""What an earlier run left in the journal never becomes a second post."""

from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.engine.conftest import Make
from tests.engine.files import make_clip
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import Outcome
from uploader.journal import Journal, State
from uploader.journals import MemoryJournal, SqliteJournal

HOUR = 3600.0
SIZE = 20_000_000


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, still: FakeClock, tmp_path: Path) -> Any:
    """Remember uploads, on the clock that stands still."""
    if request.param == "memory":
        yield MemoryJournal(clock=still.time)
        return
    made = SqliteJournal(tmp_path / "uploads.db", clock=still.time)
    yield made
    made.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Make a video of three parts, or of one."""
    return make_clip(tmp_path / "clip.mp4", SIZE)


def left_at(journal: Journal, upload_id: str, state: State) -> None:
    """Leave an upload behind as a kill does."""
    _, lease = journal.take(upload_id, 60)
    journal.save(lease, {"state": state})
    journal.release(lease)


def test_a_last_part_that_a_killed_run_may_have_sent_is_not_failed_by_a_refusal(
    make_uploader: Make, post: Make, journal: Journal, clip: Path, sandbox: Sandbox
) -> None:
    """404 may mean that it was published: UNKNOWN, and a repeated call does not start anew."""
    uploader = make_uploader(journal=journal)
    first = uploader.upload(clip, post(), time_limit=0)
    left_at(journal, first.upload_id, State.COMMITTING)
    sandbox.script(Fault("put", status=404))

    again = uploader.upload(clip, post())

    assert (first.outcome, again.outcome) == (Outcome.SUSPENDED, Outcome.UNKNOWN)
    assert uploader.upload(clip, post()).upload_id == first.upload_id
    assert len(sandbox.uploads) == 1


@pytest.mark.parametrize("session", [False, True], ids=["queued", "opened"])
def test_what_a_restored_backup_forgot_never_starts_anew_by_itself(
    make_uploader: Make, post: Make, journal: Journal, clip: Path, sandbox: Sandbox,
    still: FakeClock, session: bool,
) -> None:  # fmt: skip
    """Nobody knows what went on since: no age of it makes it safe to send."""
    uploader = make_uploader(
        journal=journal, credentials=lambda transport, account: sandbox.access_token
    )
    if session:
        sandbox.script(Fault("init", vendor_code="spam_risk_too_many_posts"))
        upload_id = uploader.upload(clip, post()).upload_id
    else:
        upload_id = uploader.enqueue(clip, post())
    asked = len(sandbox.requests)
    assert journal.restored(still.time()) == 1
    still.now += 2 * HOUR

    assert uploader.resume(upload_id).outcome is Outcome.UNKNOWN
    assert uploader.upload(clip, post()).outcome is Outcome.UNKNOWN
    assert uploader.resolve(upload_id).outcome is Outcome.UNKNOWN
    assert [result.outcome for result in uploader.resume_all()] == [Outcome.UNKNOWN]
    assert len(sandbox.requests) == asked


def test_an_upload_that_was_suspended_within_its_last_part_can_start_anew_later(
    make_uploader: Make, post: Make, journal: Journal, clip: Path, sandbox: Sandbox,
    still: FakeClock,
) -> None:  # fmt: skip
    """The last part did not go out whole: when the session has expired, a resume opens another."""
    sandbox.script(Fault("put", slow=200_000))
    uploader = make_uploader(
        journal=journal, credentials=lambda transport, account: sandbox.access_token
    )
    handle = uploader.submit(clip, post())
    sandbox.wait_for(
        lambda: sandbox.uploads and any(chunk.received for chunk in sandbox.uploads[0].chunks)
    )
    handle.suspend()
    result = handle.result(10)
    still.now += 2 * HOUR
    sandbox.clock.advance(2 * HOUR)

    resumed = uploader.resume(result.upload_id)

    assert (result.outcome, resumed.outcome) == (Outcome.SUSPENDED, Outcome.DONE)
    assert len(sandbox.posts) == 1


def test_what_is_done_and_pruned_is_answered_from_the_journal(
    make_uploader: Make, post: Make, journal: Journal, clip: Path, sandbox: Sandbox
) -> None:
    """The destination's fields are gone, the result is not."""
    uploader = make_uploader(journal=journal)
    done = uploader.upload(clip, post())
    assert journal.prune(float("inf")) == 1

    again = uploader.resume(done.upload_id)

    assert (again.outcome, again.fields) == (Outcome.DONE, done.fields)
    assert uploader.resolve(done.upload_id).outcome is Outcome.DONE


@pytest.mark.parametrize("stop", ["cancel", "suspend"])
def test_bytes_that_are_all_out_may_be_posted_whatever_the_status_says_at_that_moment(
    make_uploader: Make, post: Make, journal: Journal, tmp_path: Path, sandbox: Sandbox, stop: str
) -> None:
    """The server may be reading them still: UNKNOWN, never a promise; it is posted once."""
    sandbox.script(Fault("put", slow=30_000))
    clip = make_clip(tmp_path / "small.mp4", 60_000)
    uploader = make_uploader(journal=journal)
    handle = uploader.submit(clip, post())
    sandbox.wait_for(lambda: handle.progress.sent == 60_000 and sandbox.uploads[0].chunks)

    getattr(handle, stop)()

    assert handle.result(10).outcome is Outcome.UNKNOWN
    assert uploader.upload(clip, post()).upload_id == handle.upload_id
    assert len(sandbox.uploads) == 1
