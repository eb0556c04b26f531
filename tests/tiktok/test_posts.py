"""Drafts, pulls and photos, from the object that users make to what the sandbox has of it."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
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
    PostMode,
    PullPost,
    TikTokAccount,
    TikTokLimits,
    cancel,
    post_status,
    publish,
)
from transports.tiktok.factory import TIKTOK, TIKTOK_INBOX
from transports.tiktok.sandbox import Fault, Sandbox, Switches
from uploader import Uploader
from uploader.errors import ConfigurationError, OutcomeUnknownError, RejectedError
from uploader.journal import State
from uploader.journals import SqliteJournal
from uploader.model import Outcome
from uploader.pacing import PollPolicy
from uploader.secret import Secret

FILM = "https://media.example.com/films/one.mp4"
SIGNED = f"{FILM}?signature=top-secret-0123456789"
PHOTOS = ["https://media.example.com/1.jpg", "https://media.example.com/2.jpg"]
ONCE = PollPolicy(attempts=1)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A strict TikTok that knows the domain of our media."""
    with Sandbox(rate_limits=False) as sandbox:
        sandbox.verify_url("example.com")
        yield sandbox


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal that lasts."""
    return tmp_path / "uploads.db"


@pytest.fixture
def up(still: FakeClock, journal: Path) -> Iterator[Uploader]:
    """An uploader on a clock that stands still."""
    with Uploader(
        clock=still, metrics=False, journal=journal, credentials=lambda *_: "act.0123456789"
    ) as uploader:
        yield uploader


def given(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    """Return whose post it is, and where it goes."""
    return {"account": "acme", "access_token": sandbox.access_token,
            "base_url": sandbox.base_url, **more}  # fmt: skip


def pull(sandbox: Sandbox, **more: Any) -> PullPost:
    """Return a private post by address."""
    return PullPost(**given(sandbox, **{"video_url": FILM, "privacy_level": "SELF_ONLY", **more}))


def photos(sandbox: Sandbox, **more: Any) -> PhotoPost:
    """Return a private post of two photos."""
    return PhotoPost(
        **given(sandbox, **{"photo_images": PHOTOS, "privacy_level": "SELF_ONLY", **more})
    )


# -- drafts --------------------------------------------------------------------------------------


def test_a_draft_ends_in_the_inbox(sandbox: Sandbox, up: Uploader, tmp_path: Path) -> None:
    """Chunks as with any post; done when the creator has it; then it may become several posts."""
    film = tmp_path / "clip.mp4"
    film.write_bytes(movie() + bytes(12_000_000))
    draft = InboxDraft(chunk_size=5_242_880, **given(sandbox))
    result = up.upload(film, draft)
    assert (result.outcome, result.parts) == (Outcome.DONE, 2)
    assert result.fields["status"] == "SEND_TO_USER_INBOX"
    (post,) = sandbox.uploads
    assert post.publish_id.startswith("v_inbox_file~v2.")
    assert sandbox.assert_posted_once(film).inbox
    assert up.upload(film, draft).upload_id == result.upload_id  # answered from the journal
    ids = [sandbox.finish_draft(post.publish_id) for _ in range(2)]
    status = post_status(up, draft, post.publish_id)
    assert (status.status, status.post_ids) == ("PUBLISH_COMPLETE", tuple(map(str, ids)))
    assert len(sandbox.uploads) == 1


def test_a_draft_and_a_post_of_one_film_are_two(sandbox: Sandbox, up: Uploader) -> None:
    """What it becomes is part of which upload it is."""
    film = movie()
    first = up.upload(film, InboxDraft(**given(sandbox)))
    second = up.upload(film, DirectPost(privacy_level="SELF_ONLY", **given(sandbox)))
    assert first.upload_id != second.upload_id
    assert [post.inbox for post in sandbox.posts] == [True, False]


def test_a_draft_needs_its_own_scope(sandbox: Sandbox, up: Uploader) -> None:
    """video.upload is enough for it, video.publish is not."""
    for scope, outcome in (("video.upload", Outcome.DONE), ("video.publish", Outcome.FAILED)):
        token = sandbox.issue_token(scopes=[scope])
        draft = InboxDraft(account=scope, access_token=token, base_url=sandbox.base_url)
        assert up.upload(movie(), draft).outcome is outcome


def test_a_sixth_draft_is_refused_with_advice(sandbox: Sandbox, up: Uploader) -> None:
    """Five may wait for 24 hours."""
    for seconds in range(1, 7):
        result = up.upload(movie(seconds=seconds), InboxDraft(**given(sandbox)))
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, RejectedError)
    assert result.error.vendor_code == "spam_risk_too_many_pending_share"
    assert "inbox" in result.error.hints[0]


# -- what TikTok fetches -------------------------------------------------------------------------


def test_a_pull_is_posted_without_a_byte(sandbox: Sandbox, up: Uploader) -> None:
    """It waits as long as TikTok downloads, and is one upload however often it is asked for."""
    result = publish(up, pull(sandbox, title="Hi", is_aigc=True))
    assert (result.outcome, result.bytes_sent) == (Outcome.DONE, 0)
    again = publish(up, pull(sandbox, title="Hi", is_aigc=True))
    assert again.upload_id == result.upload_id
    assert publish(up, pull(sandbox, title="Ho")).upload_id != result.upload_id
    assert [(post.urls, post.title) for post in sandbox.posts] == [((FILM,), "Hi"), ((FILM,), "Ho")]
    assert sandbox.posts[0].publish_id.startswith("v_pub_url~v2.")
    assert {each.operation for each in sandbox.requests} == {"init", "status"}


def test_photos_are_posted_or_sent_to_the_inbox(sandbox: Sandbox, up: Uploader) -> None:
    """Both modes, by the one endpoint."""
    posted = publish(up, photos(sandbox, title="Hi", cover_index=1))
    drafted = publish(up, photos(sandbox, post_mode="MEDIA_UPLOAD", privacy_level=None))
    assert [each.outcome for each in (posted, drafted)] == [Outcome.DONE] * 2
    assert drafted.fields["status"] == "SEND_TO_USER_INBOX"
    assert [(post.media, post.inbox) for post in sandbox.posts] == [
        ("photos", False), ("photos", True)
    ]  # fmt: skip
    assert sandbox.posts[0].body["source_info"] == {
        "source": "PULL_FROM_URL", "photo_images": PHOTOS, "photo_cover_index": 1
    }  # fmt: skip


def test_a_pull_can_be_a_draft(sandbox: Sandbox, up: Uploader) -> None:
    """By the inbox's endpoint, with nothing said of the post."""
    result = publish(up, pull(sandbox, to_inbox=True, privacy_level=None))
    assert result.fields["status"] == "SEND_TO_USER_INBOX"
    assert sandbox.posts[0].publish_id.startswith("v_inbox_url~v2.")


@pytest.mark.parametrize("kind", [pull, photos])
@pytest.mark.parametrize(
    ("operation", "fault"),
    [("lost", {"lose_answer": True}), ("stalled", {"status": 500, "stored": True}),
     ("garbage", {"malformed": True})],
)  # fmt: skip
def test_an_init_that_was_not_answered_is_never_sent_again(
    sandbox: Sandbox, up: Uploader, kind: Any, operation: str, fault: dict[str, Any]
) -> None:
    """TikTok may be downloading: UNKNOWN now, and UNKNOWN for every later call."""
    sandbox.script(Fault("content_init" if kind is photos else "init", **fault))
    for _ in range(2):
        result = publish(up, kind(sandbox))
        assert result.outcome is Outcome.UNKNOWN
        assert isinstance(result.error, OutcomeUnknownError)
    resolved = up.resolve(result.upload_id)
    assert resolved.outcome is Outcome.UNKNOWN
    assert len(sandbox.uploads) == 1


def test_the_command_promises_no_second_init(
    sandbox: Sandbox, up: Uploader, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An upload of a file may begin anew after an hour; what TikTok fetches may not, and is not
    said to."""
    sandbox.script(Fault("init", lose_answer=True))
    result = publish(up, pull(sandbox))
    shown = run(capsys, "show", result.upload_id, "--journal", journal).out
    assert "look at the account" in " ".join(shown.split())
    assert "anew" not in shown


def test_an_init_that_was_refused_can_be_tried_again(sandbox: Sandbox, up: Uploader) -> None:
    """A refusal proves that nothing was opened."""
    sandbox.script(Fault("init", vendor_code="url_ownership_unverified"))
    assert publish(up, pull(sandbox)).outcome is Outcome.FAILED
    assert publish(up, pull(sandbox)).outcome is Outcome.DONE
    assert len(sandbox.uploads) == 1


@pytest.mark.parametrize(("kind", "reason"), [(pull, "video"), (photos, "photo")])
def test_a_download_that_failed_says_so(
    up: Uploader, still: FakeClock, kind: Any, reason: str
) -> None:
    """The fail reason is the vendor's code, and has advice."""
    with Sandbox(switches=Switches(pull="fails", url_ownership="unchecked")) as sandbox:
        result = publish(up, kind(sandbox))
    assert isinstance(result.error, RejectedError)
    assert result.error.vendor_code == f"{reason}_pull_failed"
    assert "address" in result.error.hints[0]


def test_a_watch_that_ended_is_taken_up_from_the_journal(still: FakeClock, journal: Path) -> None:
    """Another process asks for the status, by the journal alone, and sends no init."""
    with Sandbox(switches=Switches(pull_seconds=90.0, url_ownership="unchecked")) as sandbox:
        with Uploader(clock=still, metrics=False, journal=journal) as up:
            first = publish(up, pull(sandbox, video_url=SIGNED), poll=ONCE)
            assert first.outcome is Outcome.PROCESSING
        assert b"top-secret" not in journal.read_bytes()
        sandbox.clock.advance(90)
        token = sandbox.access_token
        with Uploader(
            clock=still, metrics=False, journal=journal, credentials=lambda *_: token
        ) as other:
            assert other.resume(first.upload_id).outcome is Outcome.DONE
        assert len(sandbox.uploads) == 1


def test_a_run_that_died_after_init_goes_on_by_the_same_call(
    still: FakeClock, journal: Path
) -> None:
    """The session was recorded, the end of the run was not: the next one sends no second init."""
    switches = Switches(pull_seconds=90.0, url_ownership="unchecked")
    with Sandbox(switches=switches) as sandbox, closing(SqliteJournal(journal)) as store:
        with Uploader(clock=still, metrics=False, journal=store) as up:
            first = publish(up, pull(sandbox), poll=ONCE)
        _, lease = store.take(first.upload_id, 60.0)
        store.save(lease, {"state": State.SENDING, "confirmed": 0})
        store.release(lease)
        sandbox.clock.advance(90)
        with Uploader(clock=still, metrics=False, journal=store) as up:
            again = publish(up, pull(sandbox))
        assert (again.upload_id, again.outcome) == (first.upload_id, Outcome.DONE)
        assert len(sandbox.uploads) == 1


def test_a_download_is_cancelled(up: Uploader) -> None:
    """While TikTok downloads; afterwards it says that it is too late."""
    with Sandbox(switches=Switches(pull_seconds=90.0, url_ownership="unchecked")) as sandbox:
        account = TikTokAccount(**given(sandbox))
        first = publish(up, pull(sandbox), poll=ONCE)
        sandbox.clock.advance(45)
        publish_id = first.fields["publish_id"]
        half = post_status(up, account, publish_id).downloaded_bytes
        assert half is not None
        assert 5_000_000 <= half < 10_000_000
        cancel(up, account, publish_id)
        status = post_status(up, account, publish_id)
        assert (status.has_failed, status.fail_reason) == (True, "publish_cancelled")
        second = publish(up, pull(sandbox, title="two"), poll=ONCE)
        sandbox.clock.advance(90)
        with pytest.raises(RejectedError, match="publish_not_cancellable"):
            cancel(up, account, second.fields["publish_id"])


def test_an_address_that_is_not_ours_is_refused(sandbox: Sandbox, up: Uploader) -> None:
    """The domain, everything below it, and nothing that only looks like it."""
    result = publish(up, pull(sandbox, video_url="https://media.notexample.com/a.mp4"))
    assert isinstance(result.error, RejectedError)
    assert result.error.vendor_code == "url_ownership_unverified"


def test_a_file_in_the_place_of_an_address_is_refused(
    sandbox: Sandbox, up: Uploader, tmp_path: Path
) -> None:
    """A pull post sends no file: who gives one has mixed something up."""
    film = tmp_path / "clip.mp4"
    film.write_bytes(movie())
    with pytest.raises(ConfigurationError, match="no file is sent"):
        up.upload(film, pull(sandbox))
    assert sandbox.requests == []


# -- objects -------------------------------------------------------------------------------------


def test_a_post_is_built_again_from_its_fields(sandbox: Sandbox) -> None:
    """Journals keep fields; limits that were changed are among them, credentials never."""
    limits = TikTokLimits(max_duration=60.0, codecs=("h264",))
    for post in (
        DirectPost(privacy_level="SELF_ONLY", title="Hi", **given(sandbox, limits=limits)),
        InboxDraft(chunk_size=6_000_000, **given(sandbox)),
        pull(sandbox, title="Hi"),
        photos(sandbox, title="Hi", limits=limits),
        photos(sandbox, post_mode=PostMode.MEDIA_UPLOAD, privacy_level=None),
    ):
        again = TIKTOK.destination(Secret(sandbox.access_token), post.fields())
        assert again == post
        assert again.fields() == post.fields()
        assert again.identity_fields() == post.identity_fields()
        assert sandbox.access_token not in str(post.fields())
    assert "post" not in DirectPost(privacy_level="SELF_ONLY").fields()


def test_a_signed_address_is_kept_by_nobody(sandbox: Sandbox, up: Uploader) -> None:
    """No repr, no field and no manifest has what follows the question mark; a rebuilt post says so
    instead of sending half an address."""
    for post in (pull(sandbox, video_url=SIGNED), photos(sandbox, photo_images=[SIGNED])):
        shown = f"{post} {post.fields()} {post.manifest()!r} {post.transport()}"
        assert "top-secret" not in shown
        again = TIKTOK.destination(Secret(sandbox.access_token), post.fields())
        assert isinstance(again, PullPost | PhotoPost)
        with pytest.raises(ConfigurationError, match="not whole"):
            publish(up, again)
    assert sandbox.requests == []


def test_the_commands_door_for_drafts(sandbox: Sandbox) -> None:
    """`--to tiktok-inbox` makes drafts, which a journal knows as posts of tiktok."""
    draft = TIKTOK_INBOX.destination(Secret(sandbox.access_token), {"account": "acme"})
    assert isinstance(draft, InboxDraft)
    assert draft.transport().name == "tiktok"
    assert {option.name for option in TIKTOK_INBOX.options} == {
        "account", "chunk_size", "base_url"
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"privacy_level": None},
        {"privacy_level": "public"},
        {"title": "x" * 2201},
        {"brand_content_toggle": True},
        {"to_inbox": True},
        {"video_url": "http://media.example.com/a.mp4"},
        {"video_url": "https://10.0.0.1/a.mp4"},
        {"video_url": "https://[::1]/a.mp4"},
        {"video_url": "https://localhost/a.mp4"},
        {"video_url": "https://user@media.example.com/a.mp4"},
        {"video_url": "https://media.example.com:8443/a.mp4"},
        {"video_url": "https://media.example.com/a.mp4#t=1"},
        {"video_url": "https://media.example.com/a b.mp4"},
        {"video_url": "https://media.example.com/" + "a" * 9000},
        {"video_url": "https://[nonsense/a.mp4"},
        {"video_url": ""},
    ],
)
def test_a_wrong_pull_is_refused_when_it_is_made(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    """Nothing is sent, and no text tells the address."""
    with pytest.raises(ConfigurationError) as caught:
        pull(sandbox, **wrong)
    assert "example.com/a" not in caught.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"privacy_level": None},
        {"brand_content_toggle": True},
        {"post_mode": "LATER"},
        {"post_mode": "MEDIA_UPLOAD"},
        {"photo_images": []},
        {"photo_images": PHOTOS[:1] * 36},
        {"photo_images": PHOTOS[0]},
        {"photo_images": ["http://media.example.com/1.jpg"]},
        {"cover_index": 2},
        {"cover_index": -1},
        {"title": "\N{CLAPPER BOARD}" * 46},
        {"description": "x" * 4001},
    ],
)
def test_a_wrong_photo_post_is_refused_when_it_is_made(
    sandbox: Sandbox, wrong: dict[str, Any]
) -> None:
    """Counts, texts in UTF-16 units, the cover, modes and levels."""
    with pytest.raises(ConfigurationError):
        photos(sandbox, **wrong)


def test_branded_content_needs_an_audience() -> None:
    """SELF_ONLY with the branded toggle is refused, unless the limits say otherwise."""
    with pytest.raises(ConfigurationError, match="branded"):
        DirectPost(privacy_level="SELF_ONLY", brand_content_toggle=True)
    DirectPost(privacy_level="PUBLIC_TO_EVERYONE", brand_content_toggle=True)
    DirectPost(privacy_level="SELF_ONLY", brand_organic_toggle=True)
    limits = TikTokLimits(branded_private=True)
    DirectPost(privacy_level="SELF_ONLY", brand_content_toggle=True, limits=limits)


def test_there_is_no_default_privacy_level() -> None:
    """TikTok's rules want the user to choose."""
    with pytest.raises(TypeError):
        DirectPost()  # type: ignore[call-arg]
    (field,) = [each for each in dataclasses.fields(DirectPost) if each.name == "privacy_level"]
    assert field.default is dataclasses.MISSING


# -- waiting in the journal ----------------------------------------------------------------------


@pytest.mark.parametrize("make", [pull, photos])
def test_a_post_by_address_waits_in_the_journal(
    sandbox: Sandbox, still: FakeClock, journal: Path, make: Any
) -> None:
    """Nothing is sent until its time has come; then any process sends it, once."""
    token = sandbox.access_token
    with Uploader(clock=still, metrics=False, journal=journal) as up:
        due = still.time() + 600
        upload_id = up.enqueue(None, make(sandbox), not_before=due)
        assert up.enqueue(None, make(sandbox), not_before=due) == upload_id
        assert up.resume_all() == []
    assert sandbox.requests == []
    still.now += 601
    with Uploader(
        clock=still, metrics=False, journal=journal, credentials=lambda *_: token
    ) as other:
        (result,) = other.resume_all()
        assert (result.outcome, result.upload_id) == (Outcome.DONE, upload_id)
        assert other.upload(None, make(sandbox)).upload_id == upload_id
    assert len(sandbox.posts) == 1


def test_a_signed_address_cannot_wait(sandbox: Sandbox, up: Uploader) -> None:
    """A journal does not keep the signature: that is said at once, and nothing is recorded."""
    with pytest.raises(ConfigurationError, match="not whole") as caught:
        up.enqueue(None, pull(sandbox, video_url=SIGNED))
    assert "signature" in caught.value.hints[0]
    assert "top-secret" not in str(caught.value)
    assert up.journal.latest() == []


def test_a_signed_post_that_was_opened_goes_on_from_the_journal(
    sandbox: Sandbox, up: Uploader, still: FakeClock
) -> None:
    """Its init was answered: no address is needed to watch it, nor to know it again."""
    post = pull(sandbox, video_url=SIGNED)
    left = up.upload(None, post, wait=False)
    assert left.outcome is Outcome.PROCESSING
    entry = up.journal.get(left.upload_id)
    assert entry is not None
    again = TIKTOK.destination(None, entry.destination)
    assert isinstance(again, PullPost)
    assert again.manifest() == post.manifest()
    with Uploader(
        clock=still, metrics=False, journal=up.journal, credentials=lambda *_: sandbox.access_token
    ) as other:
        assert other.resume(left.upload_id).outcome is Outcome.DONE
    assert len(sandbox.posts) == 1


def test_without_a_source_a_post_of_a_file_is_refused(sandbox: Sandbox, up: Uploader) -> None:
    """Only what brings its own content goes without one."""
    draft = InboxDraft(**given(sandbox))
    with pytest.raises(ConfigurationError, match="no source is given"):
        up.upload(None, draft)
    with pytest.raises(ConfigurationError, match="only a file with a path"):
        up.enqueue(movie(), draft)
