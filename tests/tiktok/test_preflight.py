"""A hopeless post is refused before a byte of it goes out, with every reason at once."""

import asyncio
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import run
from tests.engine.clock import FakeClock
from tests.tiktok.boxes import movie
from transports.tiktok import (
    DirectPost,
    InboxDraft,
    PhotoPost,
    PreflightError,
    PullPost,
    TikTokLimits,
    TikTokPublishError,
    TikTokPublishService,
    check,
)
from transports.tiktok.preflight import LIFE, check_async
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import AsyncUploader, Uploader
from uploader.errors import AuthenticationError, ConfigurationError, SourceError
from uploader.journal import State
from uploader.model import Outcome

WEBM = b"\x1a\x45\xdf\xa3" + bytes(600)


@pytest.fixture
def up(still: FakeClock) -> Iterator[Uploader]:
    """An uploader on a clock that stands still."""
    with Uploader(clock=still, metrics=False) as uploader:
        yield uploader


def post(sandbox: Sandbox, **fields: Any) -> DirectPost:
    """Return a private post."""
    given = {"privacy_level": "SELF_ONLY", "account": "acme", **fields}
    return DirectPost(access_token=sandbox.access_token, base_url=sandbox.base_url, **given)


def codes(up: Uploader, source: Any, destination: Any) -> list[str]:
    """Return the codes of what is wrong, in order."""
    with pytest.raises(PreflightError) as caught:
        check(up, source, destination)
    return [problem.code for problem in caught.value.problems]


def test_a_sound_post_passes(sandbox: Sandbox, up: Uploader) -> None:
    """What it was checked against is told."""
    found = check(up, movie(), post(sandbox))
    assert found.creator is not None
    assert found.media is not None
    assert (found.creator.creator_username, found.media.codec) == ("sandbox-creator", "h264")
    assert found.remarks == ()
    assert {each.operation for each in sandbox.requests} == {"creator_info"}


def test_every_reason_is_told_at_once(sandbox: Sandbox, up: Uploader) -> None:
    """Settings and file, each with what to do; it survives pickle and JSON."""
    sandbox.set_creator(max_video_post_duration_sec=180)
    film = movie(seconds=600.0, rate=12.0, width=200, height=5000, codec=b"mp4v")
    with pytest.raises(PreflightError) as caught:
        check(up, film, post(sandbox, privacy_level="FOLLOWER_OF_CREATOR"))
    error = caught.value
    assert [problem.code for problem in error.problems] == [
        "privacy_level_option_mismatch",
        "duration_check_failed",
        "file_format_check_failed",
        "frame_rate_check_failed",
        "picture_size_check_failed",
    ]
    for text in ("5 reasons", "600.0 s", "180 s", "12.00", "200 x 5000", "mpeg4"):
        assert text in error.message
    assert len(error.hints) == 5
    assert len(error.to_dict()["problems"]) == 5
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert again.problems == error.problems
    assert sandbox.uploads == []


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({"seconds": 600.4}, []),
        ({"seconds": 601.0}, ["duration_check_failed"]),
        ({"rate": 23.0}, []),
        ({"rate": 22.0}, ["frame_rate_check_failed"]),
        ({"rate": 60.0}, []),
        ({"rate": 61.0}, ["frame_rate_check_failed"]),
        ({"width": 360, "height": 4096}, []),
        ({"width": 359}, ["picture_size_check_failed"]),
        ({"height": 4097}, ["picture_size_check_failed"]),
        ({"codec": b"hvc1"}, []),
        ({"codec": b"apcn"}, ["file_format_check_failed"]),
        ({"handler": b"soun"}, ["file_format_check_failed"]),
    ],
)
def test_the_files_limits_are_tiktoks(
    sandbox: Sandbox, up: Uploader, facts: dict[str, Any], wrong: list[str]
) -> None:
    """On the limit passes, beyond it does not."""
    if wrong:
        assert codes(up, movie(**facts), post(sandbox)) == wrong
    else:
        assert check(up, movie(**facts), post(sandbox)).media is not None


def test_a_limit_can_be_overridden(sandbox: Sandbox, up: Uploader) -> None:
    """TikTok changes them at night."""
    limits = TikTokLimits(codecs=("av1",), max_duration=1.0)
    assert codes(up, movie(), post(sandbox, limits=limits)) == [
        "duration_check_failed",
        "file_format_check_failed",
    ]


@pytest.mark.parametrize(
    "code",
    ["spam_risk_too_many_posts", "spam_risk_user_banned_from_posting", "reached_active_user_cap"],
)
def test_a_creator_who_may_not_post_is_a_reason_among_others(
    sandbox: Sandbox, up: Uploader, code: str
) -> None:
    """The cap comes with a good HTTP status; the file is looked at all the same."""
    sandbox.set_creator(refusal=code)
    assert codes(up, movie(rate=1.0), post(sandbox)) == [code, "frame_rate_check_failed"]
    sandbox.set_creator()
    assert check(up, movie(), post(sandbox)).creator is not None  # a refusal is not kept


def test_what_the_account_has_switched_off_is_remarked(sandbox: Sandbox, up: Uploader) -> None:
    """It is no reason to refuse a post: it goes out without."""
    sandbox.set_creator(comment_disabled=True, stitch_disabled=True)
    found = check(up, movie(), post(sandbox, disable_stitch=True))
    assert [remark.split()[3] for remark in found.remarks] == ["comments"]


def test_an_account_is_asked_once_a_minute(
    sandbox: Sandbox, up: Uploader, still: FakeClock
) -> None:
    """Twenty calls a minute are for all its posts; another account is another question."""
    for _ in range(3):
        check(up, movie(), post(sandbox))
    assert len(sandbox.requests) == 1
    check(up, movie(), post(sandbox, account="other"))
    assert len(sandbox.requests) == 2
    still.now += LIFE
    check(up, movie(), post(sandbox))
    assert len(sandbox.requests) == 3


def test_of_many_threads_one_asks(sandbox: Sandbox, up: Uploader) -> None:
    """The others wait for its answer."""
    threads = [threading.Thread(target=check, args=(up, movie(), post(sandbox))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sandbox.requests) == 1


def test_asyncio_asks_the_same(sandbox: Sandbox) -> None:
    """The verb is awaitable, its reasons are the same."""

    async def story() -> None:
        async with AsyncUploader(metrics=False) as uploader:
            with pytest.raises(PreflightError, match="frames a second"):
                await check_async(uploader, movie(rate=12.0), post(sandbox))
            found = await check_async(uploader, movie(), post(sandbox))
            assert found.media is not None

    asyncio.run(story())
    assert len(sandbox.requests) == 1


def test_a_draft_is_checked_by_its_file_alone(sandbox: Sandbox, up: Uploader) -> None:
    """Its creator decides in the app, and the scope for the question may be missing."""
    token = sandbox.issue_token(scopes=["video.upload"])
    draft = InboxDraft(account="acme", access_token=token, base_url=sandbox.base_url)
    assert check(up, movie(), draft).creator is None
    assert codes(up, movie(rate=1.0), draft) == ["frame_rate_check_failed"]
    assert sandbox.requests == []


def test_posts_without_bytes_are_checked_by_the_account(sandbox: Sandbox, up: Uploader) -> None:
    """There is no file to read; a draft of them asks nothing at all."""
    given: dict[str, Any] = {"account": "acme", "access_token": sandbox.access_token,
                             "base_url": sandbox.base_url}  # fmt: skip
    url = "https://media.example.com/a"
    follower = {**given, "privacy_level": "FOLLOWER_OF_CREATOR"}
    assert codes(up, None, PullPost(video_url=url, **follower)) == ["privacy_level_option_mismatch"]
    assert codes(up, None, PhotoPost(photo_images=[url], **follower)) == [
        "privacy_level_option_mismatch"
    ]
    assert len(sandbox.requests) == 1
    assert check(up, None, PullPost(video_url=url, to_inbox=True, **given)).creator is None


def test_what_cannot_be_asked_or_read_is_raised(
    sandbox: Sandbox, up: Uploader, tmp_path: Path
) -> None:
    """A dead token is no reason of the post's, a missing file neither."""
    given: dict[str, Any] = {"privacy_level": "SELF_ONLY", "base_url": sandbox.base_url}
    dead = DirectPost(account="x", access_token="act.nobody-knows", **given)
    with pytest.raises(AuthenticationError):
        check(up, movie(), dead)
    with pytest.raises(SourceError):
        check(up, tmp_path / "none.mp4", post(sandbox))


def test_a_file_of_another_kind_or_size_is_a_reason(
    sandbox: Sandbox, up: Uploader, tmp_path: Path
) -> None:
    """What `upload` would raise is one of the reasons."""
    film = tmp_path / "clip.avi"
    film.write_bytes(movie())
    assert codes(up, film, post(sandbox)) == ["file_format_check_failed"]
    limits = TikTokLimits(max_video=100)
    assert codes(up, movie(rate=1.0), post(sandbox, limits=limits)) == [
        "file_size",
        "frame_rate_check_failed",
    ]


def test_the_drop_in_asks_when_it_is_told_to(
    sandbox: Sandbox, up: Uploader, tmp_path: Path
) -> None:
    """Its one exception carries the reasons; a sound post goes on to be published."""
    sandbox.set_creator(max_video_post_duration_sec=60)
    film = tmp_path / "clip.mp4"
    given: dict[str, Any] = {"base_url": sandbox.base_url, "uploader": up, "preflight": True}
    with TikTokPublishService(sandbox.access_token, account="acme", **given) as service:
        film.write_bytes(movie(seconds=61.0))
        for call in (service.publish_video, service.initiate_video_post):
            with pytest.raises(TikTokPublishError, match="lasts 61") as caught:
                call(film, "Hi", "private")
            assert isinstance(caught.value.error, PreflightError)
        assert sandbox.uploads == []
        film.write_bytes(movie(seconds=60.0))
        assert service.publish_video(film, "Hi", "private")["success"]


def test_an_upload_is_checked_where_it_is_wanted(
    sandbox: Sandbox, still: FakeClock, tmp_path: Path
) -> None:
    """A hopeless post is never opened; mended, the same call posts it, and asks no more after."""
    film = tmp_path / "clip.mp4"
    film.write_bytes(movie(rate=12.0))
    with Uploader(clock=still, metrics=False, preflight=True) as up:
        with pytest.raises(PreflightError, match=r"12\.00 frames"):
            up.upload(film, post(sandbox))
        (entry,) = up.journal.latest()
        assert (entry.state, (entry.error or {})["code"]) == (State.FAILED, "preflight")
        assert [each.operation for each in sandbox.requests] == ["creator_info"]
        assert up.upload(film, post(sandbox), preflight=False).outcome is Outcome.DONE
        film.write_bytes(movie())
        still.now += LIFE
        first = up.upload(film, post(sandbox))
        operations = [each.operation for each in sandbox.requests]
        assert operations[-4:] == ["creator_info", "init", "put", "status"]
        sandbox.set_creator(refusal="spam_risk_too_many_posts")
        still.now += LIFE
        assert up.upload(film, post(sandbox)).upload_id == first.upload_id
        assert len(sandbox.requests) == len(operations), "what is posted is not asked about"


def test_an_enqueued_post_is_checked_when_it_is_sent(
    sandbox: Sandbox, still: FakeClock, tmp_path: Path
) -> None:
    """The account's settings count that it has then."""
    film = tmp_path / "clip.mp4"
    film.write_bytes(movie())
    token = sandbox.access_token
    with Uploader(clock=still, metrics=False, preflight=True, credentials=lambda *_: token) as up:
        up.enqueue(film, post(sandbox))
        assert sandbox.requests == []
        sandbox.set_creator(max_video_post_duration_sec=10)
        (result,) = up.resume_all()
        assert isinstance(result.error, PreflightError)
        assert (result.outcome, sandbox.uploads) == (Outcome.FAILED, [])


def test_without_the_switch_nothing_is_asked(sandbox: Sandbox, up: Uploader) -> None:
    """The order of requests is that of old; one call may want more."""
    up.upload(movie(), post(sandbox))
    assert [each.operation for each in sandbox.requests] == ["init", "put", "status"]
    with pytest.raises(PreflightError):
        up.upload(movie(rate=1.0), post(sandbox), preflight=True)


@pytest.mark.parametrize("code", ["access_token_invalid", "internal_error"])
def test_a_question_that_fails_sends_nothing(sandbox: Sandbox, up: Uploader, code: str) -> None:
    """Whoever cannot ask may not post; what may pass is waited out."""
    sandbox.script(Fault("creator_info", vendor_code=code, times=2))
    result = up.upload(movie(), post(sandbox), preflight=True)
    assert result.outcome is (Outcome.FAILED if code.startswith("access") else Outcome.DONE)
    assert len(sandbox.uploads) == (result.outcome is Outcome.DONE)


def test_the_command_asks_first(
    sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 2 and one line with every reason; --no-preflight leaves it to TikTok."""
    monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", sandbox.access_token)
    film = tmp_path / "clip.mp4"
    film.write_bytes(movie(seconds=601.0, rate=12.0))
    words = ("publish", film, "--privacy", "SELF_ONLY", "--account", "acme", "--no-journal",
             "--base-url", sandbox.base_url)  # fmt: skip
    ended = run(capsys, *words)
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.complaints
    assert "2 reasons" in line
    assert sandbox.uploads == []
    assert run(capsys, *words, "--no-preflight").code == 0
    assert len(sandbox.posts) == 1


def test_what_is_not_known_is_no_reason(sandbox: Sandbox, up: Uploader) -> None:
    """A WebM that nobody can read passes."""
    found = check(up, WEBM, post(sandbox))
    assert found.media is None


def test_a_check_that_cannot_be_made_lets_the_upload_go(
    sandbox: Sandbox, still: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is given back: the next call need not wait until it lapses."""

    def none(destination: object) -> None:
        raise ConfigurationError("no such check")

    with Uploader(clock=still, metrics=False) as up:
        with monkeypatch.context() as broken:
            broken.setattr("uploader.api.shared._preflight_of", none)
            with pytest.raises(ConfigurationError):
                up.upload(movie(), post(sandbox), preflight=True)
        assert up.upload(movie(), post(sandbox)).outcome is Outcome.DONE
