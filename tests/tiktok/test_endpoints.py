"""Every endpoint with every documented error: each ends in a typed exception or result.

The engine and the wire are real, aiohttp's answers are made up. What an endpoint may answer, the
catalogue says; that the catalogue is whole, the documentation's own tables say, written out here.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses
from yarl import URL

from tests.engine.clock import FakeClock
from tests.tiktok.answers import PUBLISH_ID, UPLOAD_URL
from transports.tiktok import (
    DirectPost,
    InboxDraft,
    PhotoPost,
    PullPost,
    TikTokAccount,
    cancel,
    creator_info,
    post_status,
    publish,
)
from transports.tiktok.catalogue import FAIL_REASON, MEANINGS, UPLOAD_HOST, documented, meaning
from transports.tiktok.paths import INITS, Endpoint
from uploader import Uploader
from uploader.errors import (
    NetworkError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitedError,
    RetriesExhaustedError,
    ServerError,
    TransportError,
    UploaderError,
)
from uploader.model import Outcome
from uploader.transport import CodeMeaning

API = "https://open.tiktokapis.com"
WHO: dict[str, Any] = {"account": "acme", "access_token": "act.0123456789"}
PRIVATE: dict[str, Any] = {**WHO, "privacy_level": "SELF_ONLY"}

# The tables of the reference pages, code by code.
_ALL = {"invalid_params", "access_token_invalid", "scope_not_authorized", "rate_limit_exceeded",
        "scope_permission_missed", "internal_error"}  # fmt: skip
_CAPS = {"spam_risk_too_many_posts", "spam_risk_user_banned_from_posting",
         "reached_active_user_cap"}  # fmt: skip
_DIRECT = _CAPS | {"unaudited_client_can_only_post_to_private_accounts",
                   "url_ownership_unverified", "privacy_level_option_mismatch"}  # fmt: skip
_DRAFT = {"spam_risk_too_many_pending_share", "spam_risk_user_banned_from_posting",
          "url_ownership_unverified"}  # fmt: skip
_OF_A_POST = {"invalid_publish_id", "token_not_authorized_for_specified_publish_id"}
TABLES = {
    Endpoint.CREATOR_INFO: _ALL | _CAPS,
    Endpoint.VIDEO_INIT: _ALL | _DIRECT | {"invalid_file_upload"},
    Endpoint.INBOX_INIT: _ALL | _DRAFT | {"invalid_file_upload"},
    Endpoint.CONTENT_INIT: _ALL | _DIRECT | _DRAFT | {"app_version_check_failed"},
    Endpoint.STATUS: _ALL | _OF_A_POST,
    Endpoint.CANCEL: _ALL | _OF_A_POST | {"publish_not_cancellable"},
}
REASONS = {
    "file_format_check_failed", "duration_check_failed", "frame_rate_check_failed",
    "picture_size_check_failed", "internal", "video_pull_failed", "photo_pull_failed",
    "publish_cancelled", "auth_removed", "spam_risk_too_many_posts",
    "spam_risk_user_banned_from_posting", "spam_risk_text", "spam_risk",
}  # fmt: skip


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answer every request of aiohttp, in every thread."""
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with aioresponses() as mocked:
        yield mocked


@pytest.fixture(scope="module")
def up() -> Iterator[Uploader]:
    """One uploader for all, on a clock that stands still."""
    with Uploader(clock=FakeClock(), metrics=False) as uploader:
        yield uploader


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file that is an MP4 by name, and other content in each test."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(f"{tmp_path}".encode().ljust(1000, b"x"))
    return path


def failure(up: Uploader, endpoint: Endpoint, clip: Path) -> UploaderError:
    """Ask an endpoint, by the verb that users have for it; return what it came to."""
    unique = clip.parent.name  # the journal of the shared uploader knows its posts again
    account = TikTokAccount(**WHO)
    url = f"https://media.example.com/{clip.parent}/a"
    verbs: dict[Endpoint, Callable[[], Any]] = {
        Endpoint.CREATOR_INFO: lambda: creator_info(up, account),
        Endpoint.VIDEO_INIT: lambda: up.upload(clip, DirectPost(title=unique, **PRIVATE)),
        Endpoint.INBOX_INIT: lambda: up.upload(clip, InboxDraft(**WHO)),
        Endpoint.CONTENT_INIT: lambda: publish(up, PhotoPost(photo_images=[url], **PRIVATE)),
        Endpoint.STATUS: lambda: post_status(up, account, PUBLISH_ID),
        Endpoint.CANCEL: lambda: cancel(up, account, PUBLISH_ID),
    }
    try:
        result = verbs[endpoint]()
    except UploaderError as error:
        return error
    assert result.outcome is not Outcome.DONE
    assert result.error is not None
    return result.error  # type: ignore[no-any-return]


def refusal(code: str, name: str = "log_id") -> dict[str, Any]:
    """Return the envelope of a refusal; `name` is how the log id is spelt."""
    return {"data": {}, "error": {"code": code, "message": "no", name: "LOG7"}}


CASES = [
    pytest.param(endpoint, row, code, status, id=f"{endpoint.name.lower()}-{code}-{status}")
    for endpoint in Endpoint
    for row in documented(endpoint)
    for code in (row.code, *row.spellings)
    for status in {*row.statuses, 200}
]


def test_the_catalogue_has_the_tables_of_the_documentation() -> None:
    """Nothing is missing, and nothing is made up."""
    for endpoint, codes in TABLES.items():
        assert {row.code for row in documented(endpoint)} == codes, endpoint
    assert {row.code for row in documented(FAIL_REASON)} == REASONS
    assert {row.code for row in documented(UPLOAD_HOST)} == {"400", "403", "404", "416", "5xx"}
    assert meaning("invalid_param") is meaning("invalid_params")
    names = [name for row in MEANINGS for name in (row.code, *row.spellings)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", MEANINGS, ids=[row.code for row in MEANINGS])
def test_a_meaning_is_a_sentence_for_people(row: CodeMeaning) -> None:
    """Two clauses that a sentence is made of, somebody who can help, the class's own recovery."""
    for clause in (row.says, row.advice):
        assert len(clause) > 10
        assert not clause.endswith(".")
    assert row.recovery is row.kind.default_recovery
    assert row.remedy
    assert row.where


@pytest.mark.parametrize(("endpoint", "row", "code", "status"), CASES)
def test_each_documented_error_of_each_endpoint_is_typed(
    api: aioresponses,
    up: Uploader,
    clip: Path,
    endpoint: Endpoint,
    row: CodeMeaning,
    code: str,
    status: int,
) -> None:
    """Class, code, log id and hint, under its documented status and under 200."""
    spelling = "logid" if len(code) % 2 else "log_id"
    api.post(f"{API}{endpoint}", status=status, payload=refusal(code, spelling), repeat=True)

    error = failure(up, endpoint, clip)

    if isinstance(error, RetriesExhaustedError):
        error = error.last
        assert row.kind in (ServerError, RateLimitedError)
    if isinstance(error, OutcomeUnknownError):
        assert row.kind is ServerError
        assert endpoint in INITS
    else:
        assert type(error) is row.kind
        assert row.hint in error.hints
    assert isinstance(error, TransportError)
    assert (error.vendor_code, error.request_id, error.status) == (code, "LOG7", status)
    times = len(api.requests[("POST", URL(f"{API}{endpoint}"))])
    ambiguous = row.kind is ServerError and endpoint in INITS
    assert times == 1 or (row.kind in (ServerError, RateLimitedError) and not ambiguous)


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 200, "body": "<html>"}, ProtocolError),
        ({"status": 200, "body": "[" * 5000}, ProtocolError),
        ({"status": 200, "payload": {"data": [], "error": {"code": 0}}}, ProtocolError),
        ({"status": 307, "headers": {"Location": "https://evil.example/"}}, ProtocolError),
        ({"status": 502, "body": "bad gateway"}, ServerError),
        ({"status": 429, "body": ""}, RateLimitedError),
        ({"exception": aiohttp.ServerDisconnectedError()}, NetworkError),
        ({"exception": TimeoutError()}, NetworkError),
        ({"status": 200, "payload": refusal("a_code_of_tomorrow")}, TransportError),
    ],
    ids=["html", "nested", "shape", "redirect", "502", "429", "reset", "timeout", "tomorrow"],
)
def test_each_undocumented_answer_of_each_endpoint_is_typed(
    api: aioresponses,
    up: Uploader,
    clip: Path,
    endpoint: Endpoint,
    answer: dict[str, Any],
    kind: type[TransportError],
) -> None:
    """What no table has is typed as well; an init that may have worked is never sent again."""
    api.post(f"{API}{endpoint}", repeat=True, **answer)
    error = failure(up, endpoint, clip)
    last = error.last if isinstance(error, RetriesExhaustedError) else error
    if endpoint in INITS and kind is ServerError:
        assert isinstance(error, OutcomeUnknownError)
    assert isinstance(last, (kind, OutcomeUnknownError))
    if isinstance(error, OutcomeUnknownError):
        assert len(api.requests[("POST", URL(f"{API}{endpoint}"))]) == 1


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_each_fail_reason_is_typed(api: aioresponses, up: Uploader, reason: str) -> None:
    """A post that ends FAILED has the class and the words of the catalogue, whatever it was."""
    url = f"https://media.example.com/{reason}.mp4"
    api.post(f"{API}{Endpoint.VIDEO_INIT}", payload=ok({"publish_id": PUBLISH_ID}))
    status = {"status": "FAILED", "fail_reason": reason, "downloaded_bytes": 7}
    api.post(f"{API}{Endpoint.STATUS}", payload=ok(status))
    result = publish(up, PullPost(video_url=url, **PRIVATE))
    row = meaning(reason)
    assert row is not None
    assert (result.outcome, type(result.error)) == (Outcome.FAILED, row.kind)
    assert isinstance(result.error, TransportError)
    assert result.error.vendor_code == reason
    assert row.hint in result.error.hints


def ok(data: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of success."""
    return {"data": data, "error": {"code": "ok", "message": "", "log_id": "LOG7"}}


def body(api: aioresponses, endpoint: Endpoint) -> Any:
    """Return what was sent to an endpoint."""
    (call,) = api.requests[("POST", URL(f"{API}{endpoint}"))]
    assert call.kwargs["headers"]["Authorization"] == "Bearer act.0123456789"
    return json.loads(call.kwargs["data"])


def test_creator_info_is_read_whole(api: aioresponses, up: Uploader) -> None:
    """Every documented field, typed; what is missing is not made up."""
    data = {
        "creator_avatar_url": "https://p16.example/a.webp?x=1",
        "creator_username": "acme",
        "creator_nickname": "Acme Inc",
        "privacy_level_options": ["FOLLOWER_OF_CREATOR", "SELF_ONLY"],
        "comment_disabled": False,
        "duet_disabled": True,
        "stitch_disabled": True,
        "max_video_post_duration_sec": 300,
    }
    api.post(f"{API}{Endpoint.CREATOR_INFO}", payload=ok(data))
    api.post(f"{API}{Endpoint.CREATOR_INFO}", payload=ok({"privacy_level_options": []}))
    info = creator_info(up, TikTokAccount(**WHO))
    assert {name: getattr(info, name) for name in data} == {
        **data, "privacy_level_options": ("FOLLOWER_OF_CREATOR", "SELF_ONLY")
    }  # fmt: skip
    assert body(api, Endpoint.CREATOR_INFO) == {}
    assert creator_info(up, TikTokAccount(**WHO)).max_video_post_duration_sec is None


@pytest.mark.parametrize("data", [{}, {"privacy_level_options": "x"},
                                  {"privacy_level_options": [1]}])  # fmt: skip
def test_creator_info_without_levels_is_no_answer(
    api: aioresponses, up: Uploader, data: dict[str, Any]
) -> None:
    """Nothing to choose from would read as: everything is refused."""
    api.post(f"{API}{Endpoint.CREATOR_INFO}", payload=ok(data))
    with pytest.raises(ProtocolError, match="privacy levels"):
        creator_info(up, TikTokAccount(**WHO))


@pytest.mark.parametrize("name", ["publicaly_available_post_id", "publicly_available_post_id"])
def test_a_status_is_read_whole(api: aioresponses, up: Uploader, name: str) -> None:
    """Both spellings of the ids, all 19 digits, both counts of bytes."""
    numbers = [7683616048247130126, 7683616048247130127]
    data = {"status": "PUBLISH_COMPLETE", name: numbers, "uploaded_bytes": 10,
            "downloaded_bytes": 0}  # fmt: skip
    api.post(f"{API}{Endpoint.STATUS}", payload=ok(data))
    status = post_status(up, TikTokAccount(**WHO), PUBLISH_ID)
    assert status.post_ids == ("7683616048247130126", "7683616048247130127")
    assert (status.uploaded_bytes, status.downloaded_bytes) == (10, 0)
    assert (status.has_succeeded, status.has_failed, status.fail_reason) == (True, False, None)
    assert body(api, Endpoint.STATUS) == {"publish_id": PUBLISH_ID}


def test_a_cancellation_has_no_data(api: aioresponses, up: Uploader) -> None:
    """The answer is an envelope with an error that is ok, and nothing else."""
    api.post(f"{API}{Endpoint.CANCEL}", payload={"error": ok({})["error"]})
    cancel(up, TikTokAccount(**WHO), PUBLISH_ID)
    assert body(api, Endpoint.CANCEL) == {"publish_id": PUBLISH_ID}


def test_a_draft_says_nothing_of_the_post(api: aioresponses, up: Uploader, clip: Path) -> None:
    """Only `source_info` goes to the inbox's init."""
    api.post(
        f"{API}{Endpoint.INBOX_INIT}",
        payload=ok({"publish_id": "v_inbox_file~v2.7", "upload_url": UPLOAD_URL}),
    )
    account = InboxDraft(**WHO)
    transport, spec = account.transport(), up.check(clip, account)
    session = up.call(account, "create", lambda: transport.create(spec), repeatable=False)
    assert session.fields["publish_id"] == "v_inbox_file~v2.7"
    assert body(api, Endpoint.INBOX_INIT) == {
        "source_info": {"source": "FILE_UPLOAD", "video_size": 1000, "chunk_size": 1000,
                        "total_chunk_count": 1}
    }  # fmt: skip


def test_photos_are_asked_for_as_documented(api: aioresponses, up: Uploader) -> None:
    """Every field of the photo post, `is_aigc` beside `post_info`."""
    urls = ["https://media.example.com/1.jpg", "https://media.example.com/2.webp"]
    api.post(f"{API}{Endpoint.CONTENT_INIT}", payload=ok({"publish_id": "p_pub_url~v2.8"}))
    api.post(f"{API}{Endpoint.STATUS}", payload=ok({"status": "PUBLISH_COMPLETE"}))
    post = PhotoPost(
        photo_images=urls, post_mode="DIRECT POST", title="Hi", description="Long", cover_index=1,
        disable_comment=True, auto_add_music=True, brand_organic_toggle=True, is_aigc=True,
        **PRIVATE,
    )  # fmt: skip
    result = publish(up, post)
    assert (result.outcome, result.fields["publish_id"]) == (Outcome.DONE, "p_pub_url~v2.8")
    assert (result.bytes_sent, result.parts) == (0, 1)
    assert body(api, Endpoint.CONTENT_INIT) == {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "is_aigc": True,
        "post_info": {
            "title": "Hi",
            "description": "Long",
            "privacy_level": "SELF_ONLY",
            "disable_comment": True,
            "auto_add_music": True,
            "brand_content_toggle": False,
            "brand_organic_toggle": True,
        },
        "source_info": {"source": "PULL_FROM_URL", "photo_cover_index": 1, "photo_images": urls},
    }
