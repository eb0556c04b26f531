"""Which upload an upload is: what is posted once, and what is another post."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.clock import SteppedClock
from tests.resume.stage import Stage
from transports.tiktok.sandbox import Fault, Switches
from uploader import ConfigurationError, Outcome, PollPolicy, Uploader
from uploader.identity import SAMPLE

SMALL = 100_000
ONCE = PollPolicy(attempts=1)


@pytest.fixture
def small(tmp_path: Path, content: bytes) -> Path:
    """Write a clip of one small part."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(content[:SMALL])
    return path


@pytest.fixture
def up(stage: Stage) -> Iterator[Uploader]:
    """Upload by the stage's journal and the sandbox's clock."""
    with stage.uploader(clock=SteppedClock(stage.sandbox.clock)) as uploader:
        yield uploader


def test_the_same_call_is_answered_from_the_journal(
    stage: Stage, up: Uploader, small: Path
) -> None:
    """A repeated call returns what was recorded, without a request."""
    first = up.upload(small, stage.post(title="Hi"))
    asked = len(stage.sandbox.requests)
    second = up.upload(small, stage.post(title="Hi"))

    assert (first.outcome, second.outcome) == (Outcome.DONE, Outcome.DONE)
    assert second.upload_id == first.upload_id
    assert second.fields == first.fields
    assert second.bytes_sent == 0
    assert len(stage.sandbox.requests) == asked


def test_other_fields_are_another_upload(stage: Stage, up: Uploader, small: Path) -> None:
    """Another title is another post."""
    for title in ("one", "two"):
        assert up.upload(small, stage.post(title=title)).outcome is Outcome.DONE

    assert [post.title for post in stage.sandbox.posts] == ["one", "two"]


def test_a_copy_under_another_name_is_the_same_upload(
    stage: Stage, up: Uploader, small: Path, tmp_path: Path
) -> None:
    """The content counts, not where it lies."""
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(small.read_bytes())
    first = up.upload(small, stage.post())

    assert up.upload(copy, stage.post()).upload_id == first.upload_id
    assert len(stage.sandbox.uploads) == 1


def test_a_key_names_the_upload(stage: Stage, up: Uploader, small: Path) -> None:
    """The same key is the same upload, whatever the title says by now."""
    first = up.upload(small, stage.post(title="one"), key="order 1")
    second = up.upload(small, stage.post(title="two"), key="order 1")
    third = up.upload(small, stage.post(title="one"), key="order 2")

    assert second.upload_id == first.upload_id
    assert third.upload_id != first.upload_id
    assert len(stage.sandbox.posts) == 2


def test_a_key_for_other_content_is_refused(
    stage: Stage, up: Uploader, small: Path, film: Path
) -> None:
    """One key never stands for two files."""
    up.upload(small, stage.post(), key="order 1")
    asked = len(stage.sandbox.requests)

    with pytest.raises(ConfigurationError, match="order 1"):
        up.upload(film, stage.post(), key="order 1")

    assert len(stage.sandbox.requests) == asked


def test_a_key_for_content_that_only_samples_alike_is_refused(
    stage: Stage, up: Uploader, film: Path, own_film: Path
) -> None:
    """That it has the same size and samples does not make it the same file."""
    up.upload(film, stage.post(), key="order 1")
    alter_between_samples(own_film)

    with pytest.raises(ConfigurationError, match="order 1"):
        up.upload(own_film, stage.post(), key="order 1")

    assert len(stage.sandbox.uploads) == 1


def test_again_posts_anew_on_purpose(stage: Stage, up: Uploader, small: Path) -> None:
    """Who says so gets a second post, which the next call then knows."""
    first = up.upload(small, stage.post())
    second = up.upload(small, stage.post(), again=True)
    third = up.upload(small, stage.post())

    assert len(stage.sandbox.posts) == 2
    assert first.upload_id != second.upload_id
    assert third.upload_id == second.upload_id


def test_after_failed_a_repeated_call_starts_anew(stage: Stage, up: Uploader, small: Path) -> None:
    """What ended without a post stands in nobody's way."""
    stage.sandbox.script(Fault("init", vendor_code="spam_risk_too_many_posts"))
    first = up.upload(small, stage.post())
    second = up.upload(small, stage.post())

    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.DONE)
    assert second.upload_id != first.upload_id
    assert len(stage.sandbox.posts) == 1


def test_a_rotated_token_is_the_same_upload(stage: Stage, up: Uploader, small: Path) -> None:
    """The account counts, not the token of the day."""
    first = up.upload(small, stage.post())
    second = up.upload(small, stage.post(access_token=stage.sandbox.issue_token()))

    assert second.upload_id == first.upload_id
    assert len(stage.sandbox.uploads) == 1


def test_without_an_account_the_token_stands_in(
    stage: Stage, up: Uploader, small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same token is the same account, with a warning; another token is another upload."""
    with caplog.at_level(logging.WARNING, logger="uploader"):
        first = up.upload(small, stage.post(account=None))
    assert any("no account" in record.getMessage() for record in caplog.records)

    assert up.upload(small, stage.post(account=None)).upload_id == first.upload_id
    other = stage.post(account=None, access_token=stage.sandbox.issue_token())
    assert up.upload(small, other).upload_id != first.upload_id
    kept = b"".join(path.read_bytes() for path in stage.journal.parent.glob("journal*"))
    assert stage.sandbox.access_token.encode() not in kept


def test_one_clip_for_300_accounts(stage: Stage, up: Uploader, small: Path) -> None:
    """300 posts, one for each account, and none more when all is run again with new tokens."""
    names = [f"account {number}" for number in range(300)]

    def everybody() -> list[tuple[Path, object]]:
        return [
            (
                small,
                stage.post(account=name, access_token=stage.sandbox.issue_token(account=name)),
            )
            for name in names
        ]

    first = up.upload_many(everybody())  # type: ignore[arg-type]
    assert {result.outcome for result in first} == {Outcome.DONE}
    asked = len(stage.sandbox.requests)
    second = up.upload_many(everybody())  # type: ignore[arg-type]

    assert Counter(post.account for post in stage.sandbox.posts) == dict.fromkeys(names, 1)
    assert [result.upload_id for result in second] == [result.upload_id for result in first]
    assert len(stage.sandbox.requests) == asked


def test_equal_samples_are_not_equal_content(
    stage: Stage, up: Uploader, film: Path, own_film: Path
) -> None:
    """Each content is posted once, in whatever order and how often they are uploaded."""
    alter_between_samples(own_film)
    first = up.upload(film, stage.post())
    second = up.upload(own_film, stage.post())

    assert up.upload(film, stage.post()).upload_id == first.upload_id
    assert up.upload(own_film, stage.post()).upload_id == second.upload_id
    assert len(stage.sandbox.uploads) == 2
    stage.sandbox.assert_posted_once(film)
    stage.sandbox.assert_posted_once(own_film)


def test_equal_samples_are_not_equal_content_for_what_is_to_be_sent_later(
    stage: Stage, up: Uploader, own_film: Path
) -> None:
    """An entry of its own, or the new content would never be sent."""
    first = up.upload(own_film, stage.post())
    assert up.enqueue(own_film, stage.post()) == first.upload_id
    alter_between_samples(own_film)
    upload_id = up.enqueue(own_film, stage.post())
    (second,) = up.resume_all()

    assert second.upload_id == upload_id != first.upload_id
    assert second.outcome is Outcome.DONE
    assert len(stage.sandbox.posts) == 2


def test_equal_samples_of_what_is_processed_are_not_equal_content(
    set_stage: Callable[..., Stage], film: Path, own_film: Path
) -> None:
    """A file is not taken for the one that the destination still works on."""
    stage = set_stage(processing_seconds=HOURS)
    alter_between_samples(own_film)
    with stage.uploader(clock=SteppedClock(stage.sandbox.clock)) as up:
        first = up.upload(film, stage.post(), poll=ONCE)
        second = up.upload(own_film, stage.post(), poll=ONCE)
        again = up.upload(film, stage.post(), poll=ONCE)

    assert first.outcome is second.outcome is again.outcome is Outcome.PROCESSING
    assert second.upload_id != first.upload_id
    assert again.upload_id == first.upload_id
    stage.sandbox.assert_posted_once(film)
    stage.sandbox.assert_posted_once(own_film)


def test_a_post_that_the_destination_rejects_may_be_made_again(
    set_stage: Callable[..., Stage], small: Path
) -> None:
    """A video that failed its checks is not published: the same call tries anew."""
    stage = set_stage(switches=Switches(fail_reason="frame_rate_check_failed"))
    with stage.uploader(clock=SteppedClock(stage.sandbox.clock)) as up:
        results = [up.upload(small, stage.post()) for _ in range(2)]

    assert [result.outcome for result in results] == [Outcome.FAILED] * 2
    assert len({result.upload_id for result in results}) == 2
    assert len(stage.sandbox.uploads) == 2


HOURS = 7200.0


def alter_between_samples(film: Path) -> None:
    """Change a byte that no sample of the fingerprint takes in."""
    with film.open("r+b") as file:
        file.seek(2 * SAMPLE)
        byte = file.read(1)
        file.seek(2 * SAMPLE)
        file.write(bytes([byte[0] ^ 1]))
