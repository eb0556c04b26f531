"""Nobody knows: how that comes, what is not done then, and how it is resolved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.clock import SteppedClock
from tests.resume.records import LAST
from tests.resume.stage import Stage
from transports.tiktok import TikTokPublishService
from transports.tiktok.sandbox import Fault
from uploader import Outcome, PollPolicy, SourceChangedError, Uploader
from uploader.journal import State
from uploader.journals import default_path
from uploader.testing.nursery import Nursery

HOUR = 3600.0
ONCE = PollPolicy(attempts=1)
LOST_LAST_ANSWER = Fault("put", nth=3, lose_answer=True)
NO_STATUS = Fault("status", status=500, times=3)
"""As often as it is asked for."""


def by_the_clock(stage: Stage) -> Uploader:
    """Return an uploader that waits for nothing in real time."""
    return stage.uploader(clock=SteppedClock(stage.sandbox.clock))


def state(stage: Stage) -> State | None:
    """Return what the journal says of the upload."""
    entry = stage.entry()
    return entry.state if entry is not None else None


def test_a_lost_last_answer_is_reconciled_by_the_status(stage: Stage) -> None:
    """Where the destination can be asked, a lost answer costs nothing."""
    stage.sandbox.script(LOST_LAST_ANSWER)
    with by_the_clock(stage) as up:
        stage.check_posted_once(up.upload(stage.film, stage.post()), kills=0)


@pytest.mark.parametrize("how", ["resolve", "resume", "the same call"])
def test_what_nobody_told_is_asked_again_later(stage: Stage, how: str) -> None:
    """UNKNOWN is no end: the destination is asked again, and nothing is sent a second time."""
    stage.sandbox.script(LOST_LAST_ANSWER, NO_STATUS)
    with by_the_clock(stage) as up:
        first = up.upload(stage.film, stage.post())
        assert first.outcome is Outcome.UNKNOWN
        match how:
            case "resolve":
                second = up.resolve(first.upload_id)
            case "resume":
                second = up.resume(first.upload_id)
            case _:
                second = up.upload(stage.film, stage.post())

    assert second.upload_id == first.upload_id
    stage.check_posted_once(second, kills=0)


def test_resolve_sends_nothing(stage: Stage) -> None:
    """An upload of which the last part did not arrive can be resumed then, and is not by itself."""
    stage.sandbox.script(Fault("put", nth=3, reset_after=1_000_000), NO_STATUS)
    with by_the_clock(stage) as up:
        first = up.upload(stage.film, stage.post())
        assert first.outcome is Outcome.UNKNOWN
        puts = stage.seen("put")
        assert up.resolve(first.upload_id).outcome is Outcome.SUSPENDED
        assert stage.seen("put") == puts
        stage.check_posted_once(up.resume(first.upload_id))


def test_a_lost_init_waits_for_its_url_to_expire(stage: Stage) -> None:
    """A repeated call sends nothing until what may have been opened is dead, then starts anew."""
    stage.sandbox.script(Fault("init", lose_answer=True))
    with by_the_clock(stage) as up:
        first = up.upload(stage.film, stage.post())
        asked = len(stage.sandbox.requests)
        stage.sandbox.clock.advance(HOUR / 2)
        early = [up.upload(stage.film, stage.post()), up.resolve(first.upload_id)]
        assert len(stage.sandbox.requests) == asked
        stage.sandbox.clock.advance(HOUR / 2 + 1)
        last = up.upload(stage.film, stage.post())

    assert {first.outcome, *(each.outcome for each in early)} == {Outcome.UNKNOWN}
    assert last.outcome is Outcome.DONE
    assert last.upload_id == first.upload_id
    assert stage.seen("init") == 2
    assert len(stage.sandbox.posts) == 1


def test_a_lost_init_is_resolved_when_its_url_has_expired(stage: Stage) -> None:
    """Then it is certain that nothing was posted."""
    stage.sandbox.script(Fault("init", lose_answer=True))
    with by_the_clock(stage) as up:
        first = up.upload(stage.film, stage.post())
        stage.sandbox.clock.advance(HOUR + 1)
        resolved = up.resolve(first.upload_id)

    assert resolved.outcome is Outcome.CANCELLED
    assert stage.seen("init") == 1
    assert stage.sandbox.posts == []


def test_processing_is_not_unknown(set_stage: Callable[..., Stage]) -> None:
    """All bytes confirmed and the destination still at work: the same call goes on watching."""
    stage = set_stage(processing_seconds=HOUR)
    with by_the_clock(stage) as up:
        first = up.upload(stage.film, stage.post(), poll=ONCE)
        second = up.upload(stage.film, stage.post(), poll=ONCE)
        resolved = up.resolve(first.upload_id)
        stage.sandbox.clock.advance(HOUR + 1)
        last = up.upload(stage.film, stage.post(), poll=ONCE)

    assert {r.outcome for r in (first, second, resolved)} == {Outcome.PROCESSING}
    assert last.upload_id == first.upload_id
    stage.check_posted_once(last, kills=0)


def test_the_drop_in_goes_on_with_the_same_post(
    set_stage: Callable[..., Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`publish_video` again after "Processing timeout", in another process too: the same post."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    stage = set_stage(processing_seconds=HOUR)
    answers = []
    for _ in range(3):
        with TikTokPublishService(
            stage.sandbox.access_token, account="acme", base_url=stage.sandbox.base_url
        ) as service:
            answers.append(
                service.publish_video(
                    stage.film, "Hi", "private", poll_interval=0, max_poll_attempts=2
                )
            )
        if len(answers) == 2:
            stage.sandbox.clock.advance(HOUR + 1)

    assert [answer["error"] for answer in answers] == ["Processing timeout"] * 2 + [None]
    assert answers[2]["success"] is True
    assert len({answer["publish_id"] for answer in answers}) == 1
    assert len(stage.sandbox.uploads) == 1
    assert default_path().is_relative_to(tmp_path)


# The last part was sent and its answer not recorded: whatever happens until the destination has
# said how that went, the upload must not become one that a repeated call starts anew.


@pytest.fixture
def in_doubt(stage: Stage, children: Nursery) -> Stage:
    """Kill a process between the last answer and its record."""
    assert children.run(stage.order(dies=(LAST, False)))["exit"] < 0
    assert state(stage) is State.COMMITTING
    return stage


def end_in_doubt(stage: Stage) -> None:
    """The same call, when all is well again, ends with one post."""
    assert state(stage) in (State.COMMITTING, State.UNKNOWN)
    with by_the_clock(stage) as up:
        stage.check_posted_once(up.upload(stage.film, stage.post()), kills=0)


@pytest.mark.parametrize("verb", ["upload", "resume", "resolve"])
def test_in_doubt_and_the_token_is_refused(in_doubt: Stage, verb: str) -> None:
    """A destination that does not talk to us has not said that there is no post."""
    entry = in_doubt.entry()
    assert entry is not None
    # Where the token comes from a callable, it is asked for another one, once.
    times = 1 if verb == "upload" else 2
    in_doubt.sandbox.script(Fault("status", vendor_code="access_token_invalid", times=times))
    with by_the_clock(in_doubt) as up:
        match verb:
            case "upload":
                result = up.upload(in_doubt.film, in_doubt.post())
            case "resume":
                result = up.resume(entry.upload_id)
            case _:
                result = up.resolve(entry.upload_id)

    assert result.outcome is Outcome.UNKNOWN
    assert result.error is not None
    assert result.error.code == "authentication"
    end_in_doubt(in_doubt)


def test_in_doubt_and_the_file_has_changed(in_doubt: Stage, own_film: Path) -> None:
    """Another content does not undo what may have been posted of the first one."""
    entry = in_doubt.entry()
    assert entry is not None
    with own_film.open("r+b") as file:
        file.seek(200_000)  # where no sample is taken
        file.write(b"other")
    with by_the_clock(in_doubt) as up, pytest.raises(SourceChangedError):
        up.resume(entry.upload_id, own_film)

    end_in_doubt(in_doubt)


def test_in_doubt_and_cancelled(in_doubt: Stage) -> None:
    """What may be posted cannot be called cancelled."""
    entry = in_doubt.entry()
    assert entry is not None
    in_doubt.sandbox.script(Fault("status", stall_answer=True, times=2))
    with in_doubt.uploader() as up:
        handle = up.take_up(entry.upload_id)
        in_doubt.sandbox.wait_for(lambda: in_doubt.seen("status") == 1)
        handle.cancel()
        assert handle.result(10).outcome is Outcome.UNKNOWN

    end_in_doubt(in_doubt)
