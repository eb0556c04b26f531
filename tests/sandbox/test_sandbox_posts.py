"""Drafts, photos and pulls over HTTP: what their inits may say, and what becomes of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.client import CANCEL, CREATOR_INFO, INIT, STATUS, Client, order
from transports.tiktok.sandbox import Sandbox, Switches

INBOX = "/v2/post/publish/inbox/video/init/"
CONTENT = "/v2/post/publish/content/init/"
FILM = "https://media.example.com/films/one.mp4"
PHOTOS = ["https://media.example.com/1.jpg", "https://media.example.com/2.jpg"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a strict sandbox that knows our domain, and counts no rates."""
    with Sandbox(rate_limits=False) as sandbox:
        sandbox.verify_url("example.com")
        yield sandbox


def draft(size: int = 1000) -> Any:
    """Build the init of a video draft."""
    return {"source_info": order(size)["source_info"]}


def pull(url: str = FILM, **post: Any) -> Any:
    """Build the init of a post by address."""
    body = order(**post)
    return {**body, "source_info": {"source": "PULL_FROM_URL", "video_url": url}}


def photos(mode: str = "DIRECT_POST", **changes: Any) -> Any:
    """Build the init of a photo post; `changes` are of the body or of its objects' fields."""
    body: dict[str, Any] = {
        "media_type": "PHOTO",
        "post_mode": mode,
        "post_info": {"title": "clip", "description": "long"},
        "source_info": {
            "source": "PULL_FROM_URL", "photo_images": PHOTOS, "photo_cover_index": 0
        },
    }  # fmt: skip
    if mode == "DIRECT_POST":
        body["post_info"]["privacy_level"] = "SELF_ONLY"
    for name, value in changes.items():
        for part in (body["post_info"], body["source_info"], body):
            if name in part or part is body:
                part[name] = value
                break
    return body


SHAPES = [
    (INIT, order(), "v_pub_file~v2-1."),
    (INIT, pull(), "v_pub_url~v2."),
    (INBOX, draft(), "v_inbox_file~v2."),
    (INBOX, {"source_info": pull()["source_info"]}, "v_inbox_url~v2."),
    (CONTENT, photos(), "p_pub_url~v2."),
    (CONTENT, photos("MEDIA_UPLOAD"), "p_inbox_url~v2."),
]


@pytest.mark.parametrize(("path", "body", "start"), SHAPES)
def test_ids_have_the_shape_of_their_posts(
    client: Client, path: str, body: Any, start: str
) -> None:
    """Only an upload of a file gets an upload URL."""
    data = client.call(path, body).json["data"]
    assert data["publish_id"].startswith(start)
    assert len(data["publish_id"]) == len(start) + 19
    assert ("upload_url" in data) is ("_file~" in start)


def test_a_draft_waits_for_its_creator(client: Client) -> None:
    """SEND_TO_USER_INBOX, then PUBLISH_COMPLETE with an id for each post made of it."""
    data = client.call(INBOX, draft()).json["data"]
    upload = client.init()._replace(publish_id=data["publish_id"], url=data["upload_url"])
    with pytest.raises(LookupError):
        client.sandbox.finish_draft(upload.publish_id)
    assert client.put(upload, 0, 999).status == 201
    assert client.status(upload.publish_id)["status"] == "SEND_TO_USER_INBOX"
    ids = [client.sandbox.finish_draft(upload.publish_id) for _ in range(2)]
    status = client.status(upload.publish_id)
    assert (status["status"], status["publicaly_available_post_id"]) == ("PUBLISH_COMPLETE", ids)
    with pytest.raises(LookupError):
        client.sandbox.finish_draft("v_inbox_file~v2.1")


def test_five_drafts_may_wait_for_a_day(client: Client) -> None:
    """The sixth is refused until one is finished, or a day has passed; photos count as well."""
    sandbox = client.sandbox
    bodies = [(INBOX, {"source_info": pull()["source_info"]}), (CONTENT, photos("MEDIA_UPLOAD"))]
    opened = [client.call(*bodies[number % 2]) for number in range(5)]
    for path, body in bodies:
        refused = client.call(path, body)
        assert (refused.status, refused.code) == (403, "spam_risk_too_many_pending_share")
    assert client.call(CONTENT, photos()).code == "ok"
    sandbox.finish_draft(opened[0].json["data"]["publish_id"])
    assert client.call(*bodies[0]).code == "ok"
    assert client.call(*bodies[0]).status == 403
    sandbox.clock.advance(86_400)
    assert client.call(*bodies[0]).code == "ok"


def test_a_download_takes_its_time(sandbox: Sandbox) -> None:
    """PROCESSING_DOWNLOAD with a growing count, then the end; `uploaded_bytes` is not for it."""
    switches = Switches(pull_seconds=100.0, pull_bytes=5000, url_ownership="unchecked")
    with Sandbox(switches=switches, rate_limits=False) as slow, Client(slow) as client:
        publish_id = client.call(INIT, pull()).json["data"]["publish_id"]
        first = client.status(publish_id)
        assert first["status"] == "PROCESSING_DOWNLOAD"
        assert "uploaded_bytes" not in first
        assert first["downloaded_bytes"] < 2500
        assert slow.posts == []
        slow.clock.advance(50)
        assert 2500 <= client.status(publish_id)["downloaded_bytes"] < 5000
        slow.clock.advance(50)
        last = client.status(publish_id)
        assert (last["status"], last["downloaded_bytes"]) == ("PUBLISH_COMPLETE", 5000)
        assert slow.assert_posted_once(publish_id=publish_id).urls == (FILM,)


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [(INIT, pull(), "video_pull_failed"), (CONTENT, photos(), "photo_pull_failed")],
)
def test_a_download_can_fail(path: str, body: Any, reason: str) -> None:
    """With the reason of its media."""
    switches = Switches(pull="fails", url_ownership="unchecked")
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        status = client.status(client.call(path, body).json["data"]["publish_id"])
    assert (status["status"], status["fail_reason"]) == ("FAILED", reason)


def test_a_download_in_progress_can_be_cancelled() -> None:
    """ "Not near completion or in processing": afterwards it is too late."""
    switches = Switches(pull_seconds=100.0, url_ownership="unchecked")
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        ids = [client.call(INIT, pull(title=str(n))).json["data"]["publish_id"] for n in range(2)]
        answer = client.call(CANCEL, {"publish_id": ids[0]})
        assert (answer.code, "data" in answer.json) == ("ok", False)
        assert client.status(ids[0])["fail_reason"] == "publish_cancelled"
        sandbox.clock.advance(100)
        late = client.call(CANCEL, {"publish_id": ids[1]})
        assert (late.status, late.code) == (400, "publish_not_cancellable")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.com/a.mp4", "ok"),
        ("https://a.b.example.com/a.mp4", "ok"),
        ("https://cdn.example.net/ours/a.mp4", "ok"),
        ("https://cdn.example.net/theirs/a.mp4", "url_ownership_unverified"),
        ("https://notexample.com/a.mp4", "url_ownership_unverified"),
        ("https://example.com.evil.net/a.mp4", "url_ownership_unverified"),
        ("http://example.com/a.mp4", "invalid_params"),
        ("https://10.0.0.1/a.mp4", "invalid_params"),
        ("https://[::1]/a.mp4", "invalid_params"),
        ("https://[/a.mp4", "invalid_params"),
        ("", "invalid_params"),
        (7, "invalid_params"),
    ],
)
def test_an_address_must_be_the_apps(client: Client, url: Any, code: str) -> None:
    """A domain covers what is below it, a prefix what begins with it."""
    client.sandbox.verify_url("https://cdn.example.net/ours/")
    assert client.call(INIT, pull(url)).code == code
    assert client.call(CONTENT, photos(photo_images=[PHOTOS[0], url])).code == code


@pytest.mark.parametrize(
    "body",
    [
        photos(media_type="VIDEO"),
        photos("DIRECT POST"),
        photos(is_aigc="yes"),
        photos(title="x" * 91),
        photos(description="x" * 4001),
        photos(source="FILE_UPLOAD"),
        photos(photo_images=[]),
        photos(photo_images=PHOTOS[:1] * 36),
        photos(photo_images="x"),
        photos(photo_cover_index=2),
        photos(photo_cover_index=-1),
        photos(photo_cover_index=True),
        photos(privacy_level="public"),
        {**photos(), "post_info": None},
        {"media_type": "PHOTO", "post_mode": "DIRECT_POST"},
    ],
)
def test_photos_are_checked(client: Client, body: Any) -> None:
    """Every rule of the photo post's page; nothing is opened."""
    answer = client.call(CONTENT, body)
    assert (answer.status, answer.code) == (400, "invalid_params")
    assert client.sandbox.uploads == []


def test_the_scope_follows_the_kind_of_post(sandbox: Sandbox) -> None:
    """Posts need video.publish, drafts video.upload."""
    for scope, direct in (("video.publish", True), ("video.upload", False)):
        with Client(sandbox, token=sandbox.issue_token(scopes=[scope])) as client:
            codes = [client.call(path, body).code for path, body, _ in SHAPES]
        wanted = [direct, direct, not direct, not direct, direct, not direct]
        assert [code == "ok" for code in codes] == wanted
        assert {code for code in codes if code != "ok"} == {"scope_not_authorized"}


def test_a_creators_settings_are_told(client: Client) -> None:
    """What creator info says is what was set; a private account has no duets in any case."""
    sandbox = client.sandbox
    sandbox.set_creator(comment_disabled=True, max_video_post_duration_sec=180)
    data = client.call(CREATOR_INFO, {}).json["data"]
    assert (data["comment_disabled"], data["max_video_post_duration_sec"]) == (True, 180)
    sandbox.set_creator("shy", duet_disabled=False)
    with Client(sandbox, token=sandbox.issue_token(account="shy", private=True)) as shy:
        assert shy.call(CREATOR_INFO, {}).json["data"]["duet_disabled"] is True


@pytest.mark.parametrize(
    ("code", "drafts"),
    [
        ("spam_risk_too_many_posts", "ok"),
        ("reached_active_user_cap", "ok"),
        ("spam_risk_user_banned_from_posting", "spam_risk_user_banned_from_posting"),
    ],
)
def test_a_creator_can_be_stopped(client: Client, code: str, drafts: str) -> None:
    """Creator info says it under 200, the inits that document it under 403."""
    client.sandbox.set_creator(refusal=code)
    info = client.call(CREATOR_INFO, {})
    assert (info.status, info.code) == (200, code)
    for path, body in ((INIT, order()), (CONTENT, photos())):
        answer = client.call(path, body)
        assert (answer.status, answer.code) == (403, code)
    assert client.call(INBOX, draft()).code == drafts


@pytest.mark.parametrize(
    ("path", "body", "what"),
    [
        (INBOX, {**draft(), "post_info": {"title": "x"}}, "inbox_init: post_info"),
        (CONTENT, {**photos(), "title": "x"}, "content_init: title"),
        (CONTENT, photos() | {"post_info": {"privacy_level": "SELF_ONLY", "disable_duet": True}},
         "content_init: post_info.disable_duet"),
    ],
)  # fmt: skip
def test_a_field_that_tiktok_ignores_is_a_violation(
    lenient: Sandbox, path: str, body: Any, what: str
) -> None:
    """It would be lost in silence."""
    lenient.verify_url("example.com")
    with Client(lenient) as client:
        assert client.call(path, body).code == "ok"
    (violation,) = lenient.violations
    assert violation.startswith(what)


def test_the_ids_name_is_a_switch() -> None:
    """TikTok's spelling, or the right one."""
    switches = Switches(post_id_name="publicly_available_post_id")
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        upload = client.init(privacy_level="PUBLIC_TO_EVERYONE")
        client.put(upload, 0, 999)
        (post,) = sandbox.posts
        assert client.status(upload.publish_id)["publicly_available_post_id"] == [post.post_id]


@pytest.mark.parametrize("path", [INBOX, CONTENT])
def test_every_init_has_a_rate_of_its_own(path: str) -> None:
    """Six a minute for each of them."""
    body = draft() if path == INBOX else photos("MEDIA_UPLOAD")
    switches = Switches(url_ownership="unchecked", pending_drafts=100)
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        assert [client.call(path, body).status for _ in range(7)] == [200] * 6 + [429]
        assert client.call(INIT, order()).status == 200
        assert client.call(STATUS, {"publish_id": "x"}).status == 400
