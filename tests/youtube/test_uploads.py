"""A video is uploaded once, whatever happens on the way; where nobody can know, that is said."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.youtube.conftest import SIZE, Upload, video
from transports.resumable import ALIGNMENT
from transports.youtube.sandbox import Fault, YouTubeSandbox
from uploader import Outcome, Uploader
from uploader.errors import (
    AuthenticationError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    SessionExpiredError,
)

LAST = SIZE // ALIGNMENT + 1
"""The number of the last chunk, counted from 1."""


def operations(sandbox: YouTubeSandbox) -> list[str]:
    """Return what was asked, in order."""
    return [record.operation for record in sandbox.requests]


def test_a_video_is_uploaded_with_all_that_is_said_of_it(
    sandbox: YouTubeSandbox, upload: Upload, film: Path
) -> None:
    """Its bytes, its fields, its channel; the result says where it is."""
    result = upload(
        description="Snow",
        tags=["snow", "long winter"],
        made_for_kids=False,
        notify_subscribers=False,
        publish_at="2026-12-24T18:00:00Z",
    )
    made = sandbox.assert_uploaded_once(film, title="Winter")
    assert result.outcome is Outcome.DONE
    assert result.location == f"https://www.youtube.com/watch?v={made.video_id}"
    assert result.fields["video_id"] == made.video_id
    assert made.metadata["snippet"]["tags"] == ["snow", "long winter"]
    assert made.metadata["status"]["publishAt"] == "2026-12-24T18:00:00Z"
    assert (made.content_type, made.notify_subscribers) == ("video/mp4", False)
    assert made.account == "sandbox-channel"


@pytest.mark.parametrize("number", range(1, LAST + 1))
@pytest.mark.parametrize("how", ["lose_answer", "stall_answer", "lose_request"])
def test_a_lost_answer_to_a_chunk_is_asked_about(
    sandbox: YouTubeSandbox, upload: Upload, film: Path, number: int, how: str
) -> None:
    """The last one above all: what was stored is not sent again, and the video exists once."""
    lost: dict[str, Any] = {how: True}
    sandbox.script(Fault(operation="put", nth=number, **lost))
    result = upload()
    assert result.outcome is Outcome.DONE
    assert result.location is not None
    sandbox.assert_uploaded_once(film)
    again = 1 if how == "lose_request" else 0
    assert operations(sandbox).count("put") == LAST + again
    assert operations(sandbox).count("create") == 1


@pytest.mark.parametrize("kept", [0, 100_000, ALIGNMENT, ALIGNMENT + 70_000])
def test_a_chunk_that_is_kept_in_part_goes_on_from_there(
    sandbox: YouTubeSandbox, upload: Upload, film: Path, kept: int
) -> None:
    """308 with less than was sent: the rest of the chunk follows, from the byte that is missing."""
    sandbox.script(Fault(operation="put", nth=1, keep=kept))
    assert upload(part_size=2 * ALIGNMENT).outcome is Outcome.DONE
    sandbox.assert_uploaded_once(film)
    ranges = [record.range for record in sandbox.requests if record.operation == "put"]
    begin = kept // ALIGNMENT * ALIGNMENT
    assert ranges[1] == f"bytes {begin}-{2 * ALIGNMENT - 1}/{SIZE}"


@pytest.mark.parametrize("effect", ["reset_after", "stall_after"])
def test_a_chunk_that_breaks_off_goes_on_where_it_broke(
    sandbox: YouTubeSandbox, upload: Upload, film: Path, effect: str
) -> None:
    """Whole pieces of 256 KiB are kept."""
    broken: dict[str, Any] = {effect: ALIGNMENT + 1000}
    sandbox.script(Fault(operation="put", nth=1, **broken))
    assert upload(part_size=2 * ALIGNMENT).outcome is Outcome.DONE
    sandbox.assert_uploaded_once(film)
    ranges = [record.range for record in sandbox.requests if record.operation == "put"]
    assert ranges[1] == f"bytes {ALIGNMENT}-{2 * ALIGNMENT - 1}/{SIZE}"


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("number", [1, LAST])
def test_after_a_5xx_the_server_is_asked(
    sandbox: YouTubeSandbox, upload: Upload, film: Path, number: int, stored: bool
) -> None:
    """It may have stored the chunk, and the last one makes the video."""
    fault = Fault(operation="put", nth=number, status=503, reason="backendError", stored=stored)
    sandbox.script(fault)
    assert upload().outcome is Outcome.DONE
    sandbox.assert_uploaded_once(film)
    assert operations(sandbox)[number : number + 2] == ["put", "query"]


def test_a_session_that_is_gone_after_the_last_chunk_is_unknown(
    sandbox: YouTubeSandbox, upload: Upload, film: Path
) -> None:
    """The video may exist: no second session is opened."""
    sandbox.script(
        Fault(operation="put", nth=LAST, lose_answer=True), Fault(operation="query", expire=True)
    )
    result = upload()
    assert result.outcome is Outcome.UNKNOWN
    assert isinstance(result.error, OutcomeUnknownError)
    assert operations(sandbox).count("create") == 1
    sandbox.assert_uploaded_once(film)


@pytest.mark.parametrize("number", [1, 2, LAST])
def test_a_session_that_is_gone_before_is_told(
    sandbox: YouTubeSandbox, upload: Upload, number: int
) -> None:
    """A chunk that was refused was not stored, the last one neither: the session has expired."""
    sandbox.script(Fault(operation="put", nth=number, expire=True))
    result = upload()
    assert isinstance(result.error, SessionExpiredError)
    assert sandbox.videos == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "quotaExceeded"), (400, "uploadLimitExceeded"), (403, "dailyLimitExceeded")],
)
def test_a_quota_that_is_used_up_is_not_waited_out(
    sandbox: YouTubeSandbox, upload: Upload, status: int, reason: str
) -> None:
    """A day is longer than an upload: told at once, with YouTube's own reason."""
    sandbox.script(Fault(operation="create", status=status, reason=reason))
    result = upload()
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, RateLimitedError)
    assert (result.error.vendor_code, result.error.status) == (reason, status)
    assert result.error.hints
    assert operations(sandbox) == ["create"]


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded"])
@pytest.mark.parametrize("operation", ["create", "put"])
def test_a_limit_of_speed_is_waited_out(
    sandbox: YouTubeSandbox, upload: Upload, film: Path, operation: str, reason: str
) -> None:
    """403 or 429: the same request again, after a while."""
    for status in (403, 429):
        sandbox.script(
            Fault(operation=operation, status=status, reason=reason, retry_after=3)  # type: ignore[arg-type]
        )
    assert upload().outcome is Outcome.DONE
    sandbox.assert_uploaded_once(film)


def test_a_refusal_keeps_its_reason(sandbox: YouTubeSandbox, upload: Upload) -> None:
    """Of the fields, of the channel, of the token."""
    sandbox.script(Fault(operation="create", status=400, reason="invalidCategoryId"))
    result = upload(category_id="9999")
    assert isinstance(result.error, RejectedError)
    assert result.error.vendor_code == "invalidCategoryId"
    sandbox.script(Fault(operation="create", status=401, reason="youtubeSignupRequired"))
    result = upload("Other")
    assert isinstance(result.error, AuthenticationError)
    assert "no YouTube channel" in result.error.hints[0]


def test_processing_is_waited_for_when_that_is_wanted(film: Path) -> None:
    """Asked until YouTube has an end, good or bad; its reason is kept."""
    with YouTubeSandbox(asks=3) as sandbox, Uploader(clock=FakeClock(), metrics=False) as up:
        result = up.upload(film, video(sandbox, await_processing=True))
        assert result.outcome is Outcome.DONE
        assert result.fields["upload_status"] == "processed"
        assert result.location is not None
        assert operations(sandbox).count("list") == 3
    ends = {"failed": "codec", "rejected": "duplicate"}
    for ended, reason in ends.items():
        with (
            YouTubeSandbox(ended=ended, reason=reason) as sandbox,  # type: ignore[arg-type]
            Uploader(clock=FakeClock(), metrics=False) as up,
        ):
            result = up.upload(film, video(sandbox, await_processing=True))
            assert result.outcome is Outcome.FAILED
            assert isinstance(result.error, RejectedError)
            assert result.error.vendor_code == reason


def test_without_waiting_a_watched_video_is_processing(film: Path) -> None:
    """Every byte is confirmed; the rest is YouTube's."""
    with YouTubeSandbox(ended="uploaded") as sandbox, Uploader(metrics=False) as up:
        result = up.upload(film, video(sandbox, await_processing=True), wait=False)
        assert result.outcome is Outcome.PROCESSING
        sandbox.assert_uploaded_once(film)


def test_many_videos_at_once_are_each_their_own(sandbox: YouTubeSandbox, film: Path) -> None:
    """Eight at a time, one film: eight videos, each in order."""
    with Uploader(clock=FakeClock(), metrics=False) as uploader:
        jobs = [(film, video(sandbox, f"Winter {n}")) for n in range(8)]
        results = uploader.upload_many(jobs, concurrency=8)
    assert {result.outcome for result in results} == {Outcome.DONE}
    content = hashlib.sha256(film.read_bytes()).hexdigest()
    for number in range(8):
        sandbox.assert_uploaded_once(sha256=content, title=f"Winter {number}")
