"""The drop-in does what its old callers rely on, on the new engine."""

import asyncio
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.engine.files import make_clip
from transports.tiktok import TikTokLimits, TikTokPublishError, TikTokPublishService
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    PlanError,
    RejectedError,
    SessionExpiredError,
    SourceError,
    UploaderError,
)


def operations(sandbox: Sandbox) -> list[str]:
    """Return what was asked for, in order."""
    return [request.operation for request in sandbox.requests]


def status_of(word: str, **data: Any) -> Fault:
    """Script one status answer with a word of our choice."""
    content = {"data": {"status": word, **data}, "error": {"code": "ok", "message": ""}}
    return Fault("status", status=200, body=json.dumps(content))


# -- the chunks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "chunk_size", "count", "last"),
    [
        (50_000_123, 10_000_000, 5, (40_000_000, 50_000_122)),
        (52_428_800, 5_242_880, 10, (47_185_920, 52_428_799)),
        (4_194_304, 4_194_304, 1, (0, 4_194_303)),
        (10_485_761, 5_242_880, 2, (5_242_880, 10_485_760)),
        (1, 1, 1, (0, 0)),
    ],
)
def test_every_byte_is_sent_in_the_expected_ranges(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path,
    size: int, chunk_size: int, count: int, last: tuple[int, int],
) -> None:  # fmt: skip
    """The ranges are equal but for the last, which takes the rest; nothing is left unsent."""
    clip = make_clip(tmp_path / "clip.mp4", size)
    # The planner would spread the rest evenly: the old caller's own init said otherwise.
    url = opened_elsewhere(sandbox, size, chunk_size, count)
    assert dropin.upload_video_chunks(url, clip, chunk_size, count) is True
    post = sandbox.assert_posted_once(clip)
    assert len(post.ranges) == count
    assert post.ranges[-1] == last
    assert {stop - start + 1 for start, stop in post.ranges[:-1]} <= {chunk_size}
    assert [chunk.status for chunk in post.chunks] == [206] * (count - 1) + [201]


def opened_elsewhere(sandbox: Sandbox, size: int, chunk_size: int, count: int) -> str:
    """Init as somebody else's code would, and return the upload URL."""
    import urllib.request

    content = {
        "post_info": {"privacy_level": "SELF_ONLY", "title": "elsewhere"},
        "source_info": {
            "source": "FILE_UPLOAD",
            "video_size": size,
            "chunk_size": chunk_size,
            "total_chunk_count": count,
        },
    }
    request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
        f"{sandbox.base_url}/v2/post/publish/video/init/",
        data=json.dumps(content).encode(),
        headers={
            "Authorization": f"Bearer {sandbox.access_token}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        url: str = json.load(answer)["data"]["upload_url"]
    return url


@pytest.mark.parametrize(
    ("size", "chunk_size", "count"),
    [
        (50_000_123, 10_000_000, 6),  # what rounding up would say
        (50_000_123, 10_000_000, 4),
        (50_000_123, 10_000_000, 0),
        (50_000_123, 10_000_000, -1),
        (4_194_304, 4_194_304, 2),
        (6_000_000, 5_242_880, 1),  # a single chunk must be declared by its own size
        (50_000_123, 0, 5),
        (50_000_123, -1, 5),
        (50_000_123, 5_000_000, 10),  # below the smallest
        (200_000_000, 65_000_000, 3),  # above the largest
    ],
)
def test_a_count_that_contradicts_the_size_is_refused_before_a_byte(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path,
    size: int, chunk_size: int, count: int,
) -> None:  # fmt: skip
    """The mistake is told with its numbers, and the upload host hears nothing."""
    clip = make_clip(tmp_path / "clip.mp4", size)
    with pytest.raises(TikTokPublishError) as caught:
        dropin.upload_video_chunks(f"{sandbox.base_url}/video/?x=1", clip, chunk_size, count)
    assert isinstance(caught.value.error, PlanError)
    assert f"{chunk_size:,}" in str(caught.value)
    assert sandbox.requests == []


def test_initiate_upload_and_status_go_together(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The three calls of old, fed with each other's answers, post the video once."""
    clip = make_clip(tmp_path / "clip.mp4", 70_000_001)
    opened = dropin.initiate_video_post(clip, "Hi", "public", disable_stitch=True)
    assert set(opened) == {"publish_id", "upload_url", "chunk_size", "total_chunks"}
    assert opened["total_chunks"] == 70_000_001 // opened["chunk_size"] == 2
    assert dropin.check_publish_status(opened["publish_id"])["status"] == "PROCESSING_UPLOAD"
    assert dropin.upload_video_chunks(
        opened["upload_url"], clip, opened["chunk_size"], opened["total_chunks"]
    )
    status = dropin.check_publish_status(opened["publish_id"])
    assert status["status"] == "PUBLISH_COMPLETE"
    post = sandbox.assert_posted_once(clip, publish_id=opened["publish_id"], title="Hi")
    assert status["video_id"] == str(post.post_id)
    assert post.privacy_level == "PUBLIC_TO_EVERYONE"
    assert post.post_info["disable_stitch"] is True
    assert operations(sandbox) == ["init", "status", "put", "put", "status"]


def test_a_lost_answer_of_an_own_init_is_asked_for(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The publish_id of its own init is remembered: after a reset the status is asked first."""
    clip = make_clip(tmp_path / "clip.mp4", 12_000_000)
    opened = dropin.initiate_video_post(clip, privacy_level="private")
    sandbox.script(Fault("put", lose_answer=True))
    assert dropin.upload_video_chunks(
        opened["upload_url"], clip, opened["chunk_size"], opened["total_chunks"]
    )
    sandbox.assert_posted_once(clip)
    assert operations(sandbox) == ["init", "put", "status"]


def test_a_lost_answer_of_a_foreign_url_is_never_guessed(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Without a publish_id nobody can be asked: the outcome is unknown, and nothing is re-sent."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    url = opened_elsewhere(sandbox, 1000, 1000, 1)
    sandbox.script(Fault("put", lose_answer=True))
    with pytest.raises(TikTokPublishError) as caught:
        dropin.upload_video_chunks(url, clip, 1000, 1)
    assert isinstance(caught.value.error, OutcomeUnknownError)
    assert operations(sandbox) == ["init", "put"]


def test_a_failing_server_is_sent_the_same_range_again(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, still: FakeClock
) -> None:
    """Two answers of 5xx cost two waits, and the third attempt of the range succeeds."""
    clip = make_clip(tmp_path / "clip.mp4", 20_000_000)
    sandbox.script(Fault("put", nth=2, times=2, status=503))
    url = opened_elsewhere(sandbox, 20_000_000, 10_000_000, 2)
    assert dropin.upload_video_chunks(url, clip, 10_000_000, 2)
    (post,) = sandbox.posts
    assert [(c.first, c.status) for c in post.chunks] == [
        (0, 206), (10_000_000, 503), (10_000_000, 503), (10_000_000, 201),
    ]  # fmt: skip
    assert len(still.waits) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RejectedError), (403, SessionExpiredError), (404, SessionExpiredError)],
)
def test_a_refused_chunk_raises_the_drop_ins_error(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, status: int,
    kind: type[UploaderError],
) -> None:  # fmt: skip
    """What is final is raised at once, with the engine's error inside and no second PUT."""
    clip = make_clip(tmp_path / "clip.mp4", 20_000_000)
    url = opened_elsewhere(sandbox, 20_000_000, 10_000_000, 2)
    sandbox.script(Fault("put", status=status))
    with pytest.raises(TikTokPublishError) as caught:
        dropin.upload_video_chunks(url, clip, 10_000_000, 2)
    assert type(caught.value.error) is kind
    assert operations(sandbox).count("put") == 1


@pytest.mark.parametrize("url", ["https://evil.example/video/", "http://127.0.0.1:1/video/", ""])
def test_a_strange_upload_url_gets_no_byte(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, url: str
) -> None:
    """A URL that is neither TikTok's nor the base URL's is refused."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    with pytest.raises(TikTokPublishError, match="refused"):
        dropin.upload_video_chunks(url, clip, 1000, 1)
    assert sandbox.requests == []


def test_the_hour_of_an_own_init_is_watched(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, still: FakeClock
) -> None:
    """An upload URL that is an hour old is not tried: TikTok would refuse it half-way at best."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    opened = dropin.initiate_video_post(clip)
    still.now += 3600
    with pytest.raises(TikTokPublishError, match=r"3,600 s ago") as caught:
        dropin.upload_video_chunks(opened["upload_url"], clip, 1000, 1)
    assert isinstance(caught.value.error, SessionExpiredError)
    assert operations(sandbox) == ["init"]


# -- publish_video ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "posted"),
    [
        ("public", "PUBLIC_TO_EVERYONE"),
        ("private", "SELF_ONLY"),
        ("SELF_ONLY", "SELF_ONLY"),
        ("MUTUAL_FOLLOW_FRIENDS", "MUTUAL_FOLLOW_FRIENDS"),
    ],
)
def test_both_vocabularies_of_privacy_are_taken(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, level: str, posted: str
) -> None:
    """The old words and TikTok's own levels reach TikTok as its levels."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    answer = dropin.publish_video(clip, "Hi", level)
    post = sandbox.assert_posted_once(clip, title="Hi")
    assert post.privacy_level == posted
    public = posted == "PUBLIC_TO_EVERYONE"
    assert answer == {
        "success": True,
        "video_id": str(post.post_id) if public else None,
        "publish_id": post.publish_id,
        "error": None,
    }


def test_publishing_is_public_by_default_as_of_old(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The signatures and their defaults are those that existing calls were written for."""
    assert dropin.publish_video(str(make_clip(tmp_path / "clip.mp4", 1000)))["success"]
    assert sandbox.posts[0].privacy_level == "PUBLIC_TO_EVERYONE"
    parameters = inspect.signature(TikTokPublishService.publish_video).parameters
    assert {name: p.default for name, p in parameters.items() if p.default is not p.empty} == {
        "caption": "",
        "privacy_level": "public",
        "disable_comment": False,
        "disable_duet": False,
        "disable_stitch": False,
        "poll_interval": 5,
        "max_poll_attempts": 60,
    }
    assert list(inspect.signature(TikTokPublishService.upload_video_chunks).parameters) == [
        "self", "upload_url", "video_path", "chunk_size", "total_chunks",
    ]  # fmt: skip


def test_processing_keeps_polling_until_it_is_published(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, still: FakeClock
) -> None:
    """PROCESSING_UPLOAD, and words that nobody knows, are asked again at the given interval."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    words = ["PROCESSING_UPLOAD", "PROCESSING_DOWNLOAD", "SOMETHING_NEW", "EXPIRED"]
    sandbox.script(*map(status_of, words))
    answer = dropin.publish_video(clip, poll_interval=7)
    assert answer["success"] is True
    assert still.waits == [7, 7, 7, 7]
    assert operations(sandbox).count("status") == 5


@pytest.mark.parametrize("word", ["FAILED", "PUBLISH_FAILED"])
@pytest.mark.parametrize("reason", ["spam_risk", "duration_check_failed", "something_new"])
def test_a_failed_post_returns_tiktoks_reason(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, word: str, reason: str
) -> None:
    """FAILED, and the old PUBLISH_FAILED, end it with the reason in `error` and no exception."""
    sandbox.script(status_of(word, fail_reason=reason))
    answer = dropin.publish_video(make_clip(tmp_path / "clip.mp4", 1000))
    assert answer == {
        "success": False,
        "video_id": None,
        "publish_id": sandbox.uploads[0].publish_id,
        "error": reason,
    }


@pytest.mark.parametrize("word", ["PROCESSING_UPLOAD", "SOMETHING_NEW"])
def test_running_out_of_polls_is_no_failure_of_the_post(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, still: FakeClock, word: str
) -> None:
    """After the last question the answer is a timeout with the publish_id to ask on with."""
    sandbox.script(*(status_of(word) for _ in range(60)))
    answer = dropin.publish_video(make_clip(tmp_path / "clip.mp4", 1000))
    assert answer == {
        "success": False,
        "video_id": None,
        "publish_id": sandbox.uploads[0].publish_id,
        "error": "Processing timeout",
    }
    assert operations(sandbox).count("status") == 60
    assert still.waits == [5] * 59
    assert dropin.check_publish_status(answer["publish_id"])["status"] == "PUBLISH_COMPLETE"


def test_few_polls_are_few(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path, still: FakeClock
) -> None:
    """`max_poll_attempts` counts questions, and the interval may be a fraction."""
    sandbox.script(*(status_of("PROCESSING_UPLOAD") for _ in range(3)))
    answer = dropin.publish_video(
        make_clip(tmp_path / "clip.mp4", 1000), poll_interval=0.25, max_poll_attempts=3
    )
    assert answer["error"] == "Processing timeout"
    assert operations(sandbox).count("status") == 3
    assert still.waits == [0.25, 0.25]


def test_a_refused_init_is_told_in_the_answer(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """What TikTok refuses is in `error`, in its words; nothing is raised."""
    sandbox.script(Fault("init", vendor_code="spam_risk_too_many_posts"))
    answer = dropin.publish_video(make_clip(tmp_path / "clip.mp4", 1000))
    assert (answer["success"], answer["publish_id"]) == (False, None)
    assert "spam_risk_too_many_posts" in answer["error"]


def test_an_unknown_outcome_is_told_with_the_publish_id(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """When nobody knows whether the last chunk arrived, the answer can be asked on with."""
    sandbox.script(Fault("put", lose_answer=True), Fault("status", times=9, status=503))
    answer = dropin.publish_video(make_clip(tmp_path / "clip.mp4", 1000))
    assert answer["success"] is False
    assert answer["publish_id"] == sandbox.uploads[0].publish_id
    assert answer["error"] != "Processing timeout"
    assert operations(sandbox).count("put") == 1


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"caption": "x" * 2201}, ConfigurationError),
        ({"privacy_level": "everyone"}, ConfigurationError),
        ({"privacy_level": ""}, ConfigurationError),
        ({"video_path": "missing.mp4"}, SourceError),
        ({"video_path": "."}, SourceError),
        ({"video_path": "empty.mp4"}, SourceError),
        ({"video_path": "notes.txt"}, ConfigurationError),
    ],
)
def test_bad_input_raises_before_a_request(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], kind: type[UploaderError],
) -> None:  # fmt: skip
    """Every mistake of the caller is a TikTokPublishError, and TikTok hears nothing."""
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "clip.mp4", 1000)
    make_clip(tmp_path / "notes.txt", 1000)
    (tmp_path / "empty.mp4").touch()
    arguments = {"video_path": "clip.mp4", **change}
    for call in (dropin.publish_video, dropin.initiate_video_post):
        with pytest.raises(TikTokPublishError) as caught:
            call(**arguments)
        assert isinstance(caught.value.error, kind)
    assert sandbox.requests == []


def test_a_file_over_the_limit_is_refused(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """4,000,000,001 bytes are refused with both numbers before a request."""
    clip = tmp_path / "clip.mp4"
    with clip.open("wb") as file:
        file.truncate(4_000_000_001)
    with pytest.raises(TikTokPublishError, match=r"4,000,000,001 .* 4,000,000,000"):
        dropin.publish_video(clip)
    assert sandbox.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"access_token": ""},
        {"access_token": "act.x\n"},
        {"access_token": "act.x", "base_url": "tiktok"},
    ],
)
def test_a_service_that_could_never_work_is_not_made(arguments: dict[str, Any]) -> None:
    """A missing token and a malformed base URL are told where they are given."""
    with pytest.raises(TikTokPublishError):
        TikTokPublishService(**arguments)


def test_the_limits_can_be_set(sandbox: Sandbox, tmp_path: Path) -> None:
    """TikTok's numbers are named and can be configured, without a change of code."""
    limits = TikTokLimits(max_video=999)
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    with (
        TikTokPublishService(
            sandbox.access_token, base_url=sandbox.base_url, limits=limits
        ) as service,
        pytest.raises(TikTokPublishError, match="takes 999"),
    ):
        service.publish_video(clip)


# -- where it is called from --------------------------------------------------------------------


def test_the_upload_url_can_be_handed_on_but_not_printed(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The URL is a string that equals itself, travels as JSON, and is masked when printed."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    opened = dropin.initiate_video_post(clip)
    assert "upload_token" not in repr(opened)
    assert "upload_token" not in str(opened["upload_url"])
    carried = json.loads(json.dumps(opened))
    assert carried["upload_url"] == sandbox.uploads[0].url
    assert dropin.upload_video_chunks(
        carried["upload_url"], clip, carried["chunk_size"], carried["total_chunks"]
    )
    sandbox.assert_posted_once(clip)


def test_it_works_from_a_thread_of_a_running_asyncio_application(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """`asyncio.to_thread` publishes while the application's loop goes on."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)

    async def application() -> tuple[dict[str, Any], int]:
        turns, done = 0, False

        async def turn() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(turn())
        with TikTokPublishService(sandbox.access_token, base_url=sandbox.base_url) as service:
            answer = await asyncio.to_thread(service.publish_video, clip, "Hi", "private")
        done = True
        await ticking
        return answer, turns

    answer, turns = asyncio.run(application())
    assert answer["success"] is True
    assert turns > 10
    sandbox.assert_posted_once(clip)


def test_it_works_inside_of_a_running_loops_own_thread(sandbox: Sandbox, tmp_path: Path) -> None:
    """Called where a loop runs already, it blocks that loop but publishes all the same."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)

    async def view() -> dict[str, Any]:
        with TikTokPublishService(sandbox.access_token, base_url=sandbox.base_url) as service:
            return service.publish_video(clip, "Hi", "private")

    assert asyncio.run(view())["success"] is True
    sandbox.assert_posted_once(clip)


def test_it_is_closed_by_its_context_but_a_given_uploader_is_not(
    dropin: TikTokPublishService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """What the service made it closes; what it was given lives on."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    dropin.close()
    assert dropin.publish_video(clip)["success"]
    with TikTokPublishService(sandbox.access_token, base_url=sandbox.base_url) as service:
        assert service.publish_video(clip)["success"]
    with pytest.raises(TikTokPublishError, match="closed"):
        service.publish_video(clip)


def test_the_old_import_can_be_pointed_here() -> None:
    """Both names come from one place."""
    import transports.tiktok as home

    assert home.TikTokPublishService is TikTokPublishService
    assert issubclass(home.TikTokPublishError, UploaderError)
