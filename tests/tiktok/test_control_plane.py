"""The API's JSON, over the real engine and the real wire, with aiohttp's answers made up.

Bodies of parts pass by this mock, so nothing here puts one.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses
from yarl import URL

from tests.engine.clock import FakeClock
from tests.tiktok.answers import PUBLISH_ID, UPLOAD_URL
from transports.tiktok import DirectPost, TikTokPublishError, TikTokPublishService
from uploader import Uploader
from uploader.errors import (
    AuthenticationError,
    NetworkError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitedError,
    RejectedError,
    RetriesExhaustedError,
    ServerError,
    TransportError,
    UploaderError,
)
from uploader.model import Outcome, UploadResult

API = "https://open.tiktokapis.com"
INIT = f"{API}/v2/post/publish/video/init/"
STATUS = f"{API}/v2/post/publish/status/fetch/"
TOKEN = "act.very-secret"
ID = 7683616048247130126


def envelope(
    data: Any = None, code: str = "ok", message: str = "", name: str = "log_id"
) -> dict[str, Any]:
    """Return an answer of the API; `name` is how the log id is spelt."""
    return {"data": data or {}, "error": {"code": code, "message": message, name: "LOG7"}}


OPENED = envelope({"publish_id": PUBLISH_ID, "upload_url": UPLOAD_URL})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answer every request of aiohttp, in every thread."""
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with aioresponses() as mocked:
        yield mocked


@pytest.fixture(scope="module")
def _shared() -> Iterator[tuple[Uploader, FakeClock]]:
    """One uploader for all: loading the system's certificates takes longer than a test."""
    clock = FakeClock()
    with Uploader(clock=clock, metrics=False) as uploader:
        yield uploader, clock


@pytest.fixture
def clock(_shared: tuple[Uploader, FakeClock]) -> FakeClock:
    """Wait for nothing in real time."""
    clock = _shared[1]
    clock.waits.clear()
    return clock


@pytest.fixture
def uploader(_shared: tuple[Uploader, FakeClock], clock: FakeClock) -> Uploader:
    """Drive uploads on the clock that stands still."""
    return _shared[0]


@pytest.fixture
def service(uploader: Uploader) -> TikTokPublishService:
    """The drop-in on that uploader."""
    return TikTokPublishService(TOKEN, account="acme", uploader=uploader)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file that is an MP4 by name."""
    path = tmp_path / "clip.mp4"
    # The journal of the shared uploader knows an upload again by its content.
    path.write_bytes(f"{tmp_path}".encode().ljust(1000, b"x"))
    return path


def upload(uploader: Uploader, clip: Path, **fields: Any) -> UploadResult:
    """Upload a clip as a private post."""
    fields = {"access_token": TOKEN, **fields}
    return uploader.upload(clip, DirectPost(privacy_level="SELF_ONLY", account="acme", **fields))


def sent(api: aioresponses, url: str) -> list[Any]:
    """Return the calls that went to a URL."""
    return api.requests.get(("POST", URL(url)), [])


def test_init_goes_out_signed_and_comes_back_whole(
    api: aioresponses, service: TikTokPublishService, clip: Path
) -> None:
    """The wire sends the bearer token, the JSON type and the plan, and follows no redirect."""
    api.post(INIT, payload=OPENED)
    opened = service.initiate_video_post(clip, "Hi", "private", disable_duet=True)
    assert opened["publish_id"] == PUBLISH_ID
    assert opened["upload_url"] == UPLOAD_URL
    assert (opened["chunk_size"], opened["total_chunks"]) == (1000, 1)
    (call,) = sent(api, INIT)
    assert call.kwargs["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert call.kwargs["headers"]["Content-Type"] == "application/json; charset=UTF-8"
    assert call.kwargs["allow_redirects"] is False
    body = json.loads(call.kwargs["data"])
    assert body["post_info"]["privacy_level"] == "SELF_ONLY"
    assert body["post_info"]["disable_duet"] is True
    assert body["source_info"]["video_size"] == 1000


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_param", RejectedError),
        (400, "invalid_params", RejectedError),
        (400, "scope_permission_missed", AuthenticationError),
        (401, "access_token_invalid", AuthenticationError),
        (401, "scope_not_authorized", AuthenticationError),
        (403, "spam_risk_too_many_posts", RejectedError),
        (403, "spam_risk_user_banned_from_posting", RejectedError),
        (403, "reached_active_user_cap", RejectedError),
        (403, "unaudited_client_can_only_post_to_private_accounts", RejectedError),
        (403, "privacy_level_option_mismatch", RejectedError),
        (200, "spam_risk_too_many_posts", RejectedError),
        (200, "spam_risk_user_banned_from_posting", RejectedError),
        (200, "reached_active_user_cap", RejectedError),
    ],
)
@pytest.mark.parametrize("name", ["log_id", "logid"])
def test_a_refused_init_is_a_failure_that_is_sent_once(
    api: aioresponses, uploader: Uploader, clip: Path, status: int, code: str,
    kind: type[UploaderError], name: str,
) -> None:  # fmt: skip
    """Each documented refusal fails the upload, with TikTok's words and log id, after one try."""
    api.post(INIT, status=status, payload=envelope(None, code, "Because", name), repeat=True)
    result = upload(uploader, clip)
    assert result.outcome is Outcome.FAILED
    assert type(result.error) is kind
    facts = result.to_dict()["error"]
    assert (facts["vendor_code"], facts["status"], facts["request_id"]) == (code, status, "LOG7")
    assert "Because" in facts["message"]
    assert len(sent(api, INIT)) == 1
    assert result.bytes_sent == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "payload": envelope(None, "internal_error")},
        {"status": 502, "body": "<html>bad gateway</html>"},
        {"status": 200, "body": "<html>hello</html>"},
        {"status": 200, "payload": envelope({"publish_id": PUBLISH_ID})},
        {"status": 201, "payload": OPENED},
        {"status": 200, "payload": {"data": [], "error": "ok"}},
        {"exception": aiohttp.ServerDisconnectedError()},
    ],
)  # fmt: skip
def test_an_init_that_may_have_been_acted_on_is_never_sent_again(
    api: aioresponses, uploader: Uploader, clip: Path, answer: dict[str, Any]
) -> None:
    """After 5xx, nonsense or a lost answer the outcome is unknown: two inits are two posts."""
    connected(api, INIT, answer)
    result = upload(uploader, clip)
    assert result.outcome is Outcome.UNKNOWN
    assert isinstance(result.error, OutcomeUnknownError)
    assert result.error.hints
    assert len(sent(api, INIT)) == 1


def connected(api: aioresponses, url: str, answer: dict[str, Any]) -> None:
    """Script an answer for a request that had a connection: without one nothing is ambiguous."""
    import uploader.wire.aiohttp_wire as wire

    exception = answer.get("exception")
    if exception is None:
        api.post(url, **answer, repeat=True)
        return

    def break_off(url: URL, **kwargs: Any) -> Any:
        exchange: wire._Exchange = kwargs["trace_request_ctx"]
        exchange.connected = exchange.left = True
        raise exception

    api.post(url, callback=break_off, repeat=True)


def test_an_init_that_never_left_is_tried_again(
    api: aioresponses, service: TikTokPublishService, clip: Path, clock: FakeClock
) -> None:
    """A connection that was never made proves that nothing was posted."""
    api.post(INIT, exception=aiohttp.ClientConnectionError())
    api.post(INIT, payload=OPENED)
    assert service.initiate_video_post(clip)["publish_id"] == PUBLISH_ID
    assert clock.waits == [0.25]


def test_a_host_that_cannot_be_reached_is_given_up(
    api: aioresponses, uploader: Uploader, clip: Path
) -> None:
    """Three attempts without a connection suspend the upload: nothing can have been posted."""
    api.post(INIT, exception=aiohttp.ClientConnectionError(), repeat=True)
    result = upload(uploader, clip)
    assert result.outcome is Outcome.SUSPENDED
    assert isinstance(result.error, RetriesExhaustedError)
    assert isinstance(result.error.last, NetworkError)
    assert result.error.attempts == len(sent(api, INIT)) == 3
    assert result.retries == 2


def test_a_rate_limit_on_init_is_waited_out(
    api: aioresponses, service: TikTokPublishService, clip: Path, clock: FakeClock
) -> None:
    """429 is waited out as long as Retry-After says, and init is sent again: it did nothing."""
    refusal = envelope(None, "rate_limit_exceeded")
    for seconds in ("7", "3"):
        api.post(INIT, status=429, payload=refusal, headers={"Retry-After": seconds})
    api.post(INIT, payload=OPENED)
    assert service.initiate_video_post(clip)["publish_id"] == PUBLISH_ID
    assert clock.waits == [7.0, 3.0]


def test_a_rate_limit_that_stays_ends_the_upload(
    api: aioresponses, uploader: Uploader, clip: Path, clock: FakeClock
) -> None:
    """429 without end is given up after the time for rate limits; nothing can have been posted."""
    api.post(INIT, status=429, payload=envelope(None, "rate_limit_exceeded"), repeat=True)
    result = upload(uploader, clip)
    assert result.outcome is Outcome.SUSPENDED
    assert isinstance(result.error, RetriesExhaustedError)
    assert isinstance(result.error.last, RateLimitedError)
    assert 60 < sum(clock.waits) <= 300
    assert result.error.attempts == len(sent(api, INIT))


def test_a_token_that_is_refused_is_obtained_anew_once(
    api: aioresponses, uploader: Uploader, clip: Path
) -> None:
    """A credentials callable is asked again after 401, and the second 401 is final."""
    tokens = iter(["act.old", "act.new", "act.never"])
    api.post(INIT, status=401, payload=envelope(None, "access_token_invalid"), repeat=True)
    result = upload(
        uploader, clip, access_token=None, credentials=lambda transport, account: next(tokens)
    )
    assert isinstance(result.error, AuthenticationError)
    signed = [call.kwargs["headers"]["Authorization"] for call in sent(api, INIT)]
    assert signed == ["Bearer act.old", "Bearer act.new"]


@pytest.mark.parametrize("token", ["act.x\n", "", "два"])
def test_a_credential_that_cannot_be_sent_is_the_callers_fault(
    api: aioresponses, uploader: Uploader, clip: Path, token: str
) -> None:
    """A token with a line end is refused before any request, and its text is not told."""
    with pytest.raises(UploaderError, match="access token") as caught:
        upload(uploader, clip, access_token=None, credentials=lambda transport, account: token)
    assert caught.value.code == "configuration"
    assert not sent(api, INIT)


@pytest.mark.parametrize(
    ("value", "expected"),
    [([ID], str(ID)), ([str(ID)], str(ID)), (str(ID), str(ID)), ([], None), (None, None)],
)
def test_a_status_keeps_ids_of_19_digits(
    api: aioresponses, service: TikTokPublishService, value: object, expected: str | None
) -> None:
    """The public id comes back as the very digits, in every shape that was seen."""
    answer = {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": value}
    api.post(STATUS, payload=envelope(answer))
    status = service.check_publish_status(PUBLISH_ID)
    assert status["status"] == "PUBLISH_COMPLETE"
    assert status["video_id"] == expected
    assert status["fail_reason"] is None
    (call,) = sent(api, STATUS)
    assert json.loads(call.kwargs["data"]) == {"publish_id": PUBLISH_ID}


@pytest.mark.parametrize(
    ("data", "state", "reason"),
    [
        ({"status": "PROCESSING_UPLOAD", "uploaded_bytes": 5}, "PROCESSING_UPLOAD", None),
        ({"status": "SEND_TO_USER_INBOX"}, "SEND_TO_USER_INBOX", None),
        ({"status": "FAILED", "fail_reason": "spam_risk"}, "FAILED", "spam_risk"),
        ({"status": "FAILED"}, "FAILED", None),
        ({"status": "SOMETHING_NEW"}, "SOMETHING_NEW", None),
    ],
)
def test_a_status_is_told_in_tiktoks_words(
    api: aioresponses, service: TikTokPublishService, data: Any, state: str, reason: str | None
) -> None:
    """The drop-in's status has TikTok's word and its reason, and raises for none of them."""
    api.post(STATUS, payload=envelope(data))
    status = service.check_publish_status(PUBLISH_ID)
    assert (status["status"], status["fail_reason"]) == (state, reason)
    assert status["video_id"] is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [("invalid_publish_id", RejectedError),
     ("token_not_authorized_for_specified_publish_id", RejectedError)],
)  # fmt: skip
def test_a_status_that_is_refused_raises_the_drop_ins_error(
    api: aioresponses, service: TikTokPublishService, code: str, kind: type[UploaderError]
) -> None:
    """The one exception type of the drop-in carries the engine's error inside."""
    api.post(STATUS, status=400, payload=envelope(None, code, name="logid"))
    with pytest.raises(TikTokPublishError, match=code) as caught:
        service.check_publish_status(PUBLISH_ID)
    error = caught.value.error
    assert type(error) is kind
    assert isinstance(error, TransportError)
    assert (error.vendor_code, error.request_id) == (code, "LOG7")


def test_a_status_is_asked_again_after_a_server_failed(
    api: aioresponses, service: TikTokPublishService, clock: FakeClock
) -> None:
    """Reading is repeatable: 5xx and a lost connection are retried with growing waits."""
    api.post(STATUS, status=503, body="down")
    api.post(STATUS, exception=aiohttp.ServerDisconnectedError())
    api.post(STATUS, payload=envelope({"status": "PUBLISH_COMPLETE"}))
    assert service.check_publish_status(PUBLISH_ID)["status"] == "PUBLISH_COMPLETE"
    assert clock.waits == [0.25, 0.5]


def test_a_status_is_given_up_after_three_attempts(
    api: aioresponses, service: TikTokPublishService
) -> None:
    """What stays broken is told with the last failure inside."""
    api.post(STATUS, status=500, payload=envelope(None, "internal_error"), repeat=True)
    with pytest.raises(TikTokPublishError, match="3 attempts") as caught:
        service.check_publish_status(PUBLISH_ID)
    assert isinstance(caught.value.error, RetriesExhaustedError)
    assert isinstance(caught.value.error.last, ServerError)
    assert len(sent(api, STATUS)) == 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(
    api: aioresponses, service: TikTokPublishService, status: int
) -> None:
    """The token stays where it was sent; the answer is a protocol error."""
    api.post(STATUS, status=status, headers={"Location": "https://evil.example/"}, repeat=True)
    with pytest.raises(TikTokPublishError, match="redirect") as caught:
        service.check_publish_status(PUBLISH_ID)
    assert isinstance(caught.value.error, ProtocolError)
    assert set(api.requests) == {("POST", URL(STATUS))}


def test_a_strange_upload_host_gets_nothing(
    api: aioresponses, uploader: Uploader, clip: Path
) -> None:
    """An init that answers with a look-alike's URL fails the upload before a byte."""
    url = "https://open-upload.tiktokapis.com.evil.com/video/?upload_token=secret"
    api.post(INIT, payload=envelope({"publish_id": PUBLISH_ID, "upload_url": url}))
    result = upload(uploader, clip)
    assert (result.outcome, result.bytes_sent) == (Outcome.FAILED, 0)
    assert isinstance(result.error, ProtocolError)
    assert set(api.requests) == {("POST", URL(INIT))}
