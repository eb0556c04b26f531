"""The sandbox takes what YouTube documents, and fails the test on everything else.

Requests are made by hand, with the standard library, as any client might.
"""

import hashlib
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from transports.youtube.factory import YOUTUBE
from transports.youtube.sandbox import Fault, YouTubeSandbox, YouTubeViolation

PIECE = 262_144
SIZE = 2 * PIECE + 7
FILM = bytes(range(256)) * (SIZE // 256 + 1)
INSERT = "/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status"
GOOD: dict[str, Any] = {
    "snippet": {"title": "Winter"},
    "status": {"privacyStatus": "private"},
}


class Client:
    """A client that does as it is told, right or wrong."""

    def __init__(self, sandbox: YouTubeSandbox) -> None:
        self.sandbox = sandbox
        self.token: str | None = sandbox.access_token

    def call(
        self, method: str, target: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; return status, headers and body."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            given["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection(urlsplit(self.sandbox.base_url).netloc, timeout=10)
        try:
            connection.request(method, target, body, given)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def open(self, metadata: Any = None, target: str = INSERT, **headers: str) -> Any:
        """Open a session; return its path and query, or the refusal's status and reason."""
        announced = {
            "Content_Type": "application/json",
            "X_Upload_Content_Length": str(SIZE),
            "X_Upload_Content_Type": "video/mp4",
        }
        body = json.dumps(GOOD if metadata is None else metadata).encode()
        status, found, content = self.call("POST", target, body, **{**announced, **headers})
        if status == 200:
            parts = urlsplit(found["location"])
            return f"{parts.path}?{parts.query}"
        return status, json.loads(content)["error"]["errors"][0]["reason"]

    def put(self, session: str, first: int, stop: int, **changes: Any) -> tuple[int, str | None]:
        """Send a chunk; return the status and what is stored by it."""
        text = changes.get("range", f"bytes {first}-{stop - 1}/{SIZE}")
        body = changes.get("body", FILM[first:stop])
        status, found, _ = self.call("PUT", session, body, Content_Range=text)
        return status, found.get("range")


@pytest.fixture
def client() -> Iterator[Client]:
    """Talk to a sandbox that does not raise by itself."""
    with YouTubeSandbox(strict=False) as sandbox:
        yield Client(sandbox)


def test_an_upload_in_chunks(client: Client) -> None:
    """308 with the last byte until all is there, then the video; a question says the same."""
    session = client.open()
    assert client.put(session, 0, 0, range=f"bytes */{SIZE}", body=b"") == (308, None)
    assert client.put(session, 0, PIECE) == (308, f"bytes=0-{PIECE - 1}")
    assert client.put(session, 0, 0, range=f"bytes */{SIZE}", body=b"")[1] == (
        f"bytes=0-{PIECE - 1}"
    )
    status, _, content = client.call(
        "PUT", session, FILM[PIECE:SIZE], Content_Range=f"bytes {PIECE}-{SIZE - 1}/{SIZE}"
    )
    made = client.sandbox.assert_uploaded_once(title="Winter")
    assert (status, json.loads(content)["id"]) == (200, made.video_id)
    assert made.sha256 == hashlib.sha256(FILM[:SIZE]).hexdigest()
    assert client.put(session, 0, 0, range=f"bytes */{SIZE}", body=b"")[0] == 200
    client.sandbox.assert_no_violations()


@pytest.mark.parametrize(
    ("chunk", "told"),
    [
        ({"first": PIECE, "stop": SIZE}, "0 bytes are stored"),
        ({"first": 0, "stop": 1000}, "no multiple of 262144"),
        ({"first": 0, "stop": PIECE, "range": f"bytes 0-{PIECE - 1}/{SIZE + 1}"}, "not 524295"),
        ({"first": 0, "stop": PIECE, "range": f"bytes 0-{PIECE}/{SIZE}"}, "Content-Length"),
        ({"first": 0, "stop": PIECE, "range": f"bytes 9-8/{SIZE}"}, "no range"),
        ({"first": 0, "stop": PIECE, "range": "bytes 0-*/*"}, "no Content-Range"),
        ({"first": 0, "stop": 0, "range": f"bytes */{SIZE - 1}", "body": b""}, "a question says"),
    ],
)
def test_a_chunk_that_breaks_a_rule_is_a_violation(
    client: Client, chunk: dict[str, Any], told: str
) -> None:
    """Offsets, alignment, totals and lengths: 400, nothing is stored, and the test fails."""
    session = client.open()
    assert client.put(session, chunk.pop("first"), chunk.pop("stop"), **chunk)[0] == 400
    assert client.sandbox.uploads[0].received == 0
    (violation,) = client.sandbox.violations
    assert told in violation
    with pytest.raises(YouTubeViolation, match="1 violations"):
        client.sandbox.assert_no_violations()


def test_bytes_after_the_last_one_are_a_violation(client: Client) -> None:
    """The video exists: nothing can be added to it."""
    session = client.open()
    assert client.put(session, 0, SIZE)[0] == 200
    assert client.put(session, 0, SIZE)[0] == 400
    assert "after the last byte" in client.sandbox.violations[0]


def test_a_session_is_used_as_it_was_given(client: Client) -> None:
    """Another query is another session, which was never opened."""
    session = client.open()
    assert client.put(session.replace("part=", "part=x"), 0, PIECE)[0] == 404
    assert client.put(session + "x", 0, PIECE)[0] == 404
    assert len(client.sandbox.violations) == 2


def test_a_token_is_wanted_everywhere(client: Client) -> None:
    """401 without one, or with one that was revoked; none at all breaks a rule."""
    session = client.open()
    client.sandbox.revoke_token(client.sandbox.access_token)
    assert client.open() == (401, "authError")
    assert client.put(session, 0, PIECE)[0] == 401
    assert client.sandbox.violations == []
    client.token = None
    assert client.open() == (401, "authError")
    assert client.sandbox.violations == ["create: no Authorization header"]


def test_a_cancelled_session_is_gone(client: Client) -> None:
    """DELETE is answered 499, and everything after it."""
    session = client.open()
    assert client.call("DELETE", session)[0] == 499
    assert client.put(session, 0, PIECE)[0] == 499
    assert client.sandbox.videos == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"snippet": {"title": ""}}, "invalidTitle"),
        ({"snippet": {"title": "<"}}, "invalidTitle"),
        ({"snippet": {"title": "a", "description": "x" * 5001}}, "invalidDescription"),
        ({"snippet": {"title": "a", "tags": ["a b"] * 84}}, "invalidTags"),
        ({"snippet": {"title": "a", "categoryId": "x"}}, "invalidCategoryId"),
        ({"status": {"privacyStatus": "friends"}}, "invalidVideoMetadata"),
        ({"status": {"publishAt": "2026-12-24T18:00:00Z"}}, "invalidPublishAt"),
        ({"status": {"privacyStatus": "private", "publishAt": "x"}}, "invalidPublishAt"),
        ({"status": {"embeddable": "yes"}}, "invalidVideoMetadata"),
        ({"localizations": {}}, "unexpectedPart"),
    ],
)
def test_metadata_that_youtube_refuses_is_refused(
    client: Client, change: dict[str, Any], reason: str
) -> None:
    """With YouTube's reason; no session is opened."""
    assert client.open({**GOOD, **change}) == (400, reason)
    assert client.sandbox.uploads == []


def test_a_field_that_youtube_ignores_is_a_violation(client: Client) -> None:
    """The client thinks that it said something."""
    client.open({**GOOD, "status": {"privacy": "private"}})
    assert client.sandbox.violations == ["create: status.privacy is no field of a video"]


@pytest.mark.parametrize(
    "headers",
    [{"X_Upload_Content_Length": "0"}, {"X_Upload_Content_Length": "x"},
     {"X_Upload_Content_Type": "image/png"}, {"Content_Type": "text/plain"}],
)  # fmt: skip
def test_what_is_announced_is_checked(client: Client, headers: dict[str, str]) -> None:
    """Size and type of the video, and that the metadata is JSON."""
    assert client.open(None, INSERT, **headers)[0] == 400


def test_two_chunks_at_once_are_a_violation(client: Client) -> None:
    """A session takes one at a time: the second waits for the first, and the test fails."""
    session = client.open()
    address = urlsplit(client.sandbox.base_url).netloc
    slow = http.client.HTTPConnection(address, timeout=10)
    slow.putrequest("PUT", session)
    slow.putheader("Authorization", f"Bearer {client.token}")
    slow.putheader("Content-Range", f"bytes 0-{PIECE - 1}/{SIZE}")
    slow.putheader("Content-Length", str(PIECE))
    slow.endheaders(FILM[:1000])
    client.sandbox.wait_for(lambda: client.sandbox.uploads[0].content.at == 1000)
    client.put(session, 0, PIECE)
    slow.close()
    assert "while another request was unanswered" in client.sandbox.violations[0]


def test_a_client_that_left_may_ask_at_once(client: Client) -> None:
    """Its connection is gone: what it sends next is in order."""
    session = client.open()
    address = urlsplit(client.sandbox.base_url).netloc
    left = http.client.HTTPConnection(address, timeout=10)
    left.putrequest("PUT", session)
    left.putheader("Authorization", f"Bearer {client.token}")
    left.putheader("Content-Range", f"bytes 0-{2 * PIECE - 1}/{SIZE}")
    left.putheader("Content-Length", str(2 * PIECE))
    left.endheaders(FILM[: PIECE + 1000])
    client.sandbox.wait_for(lambda: client.sandbox.uploads[0].content.at == PIECE + 1000)
    left.close()
    assert client.put(session, 0, 0, range=f"bytes */{SIZE}", body=b"") == (
        308,
        f"bytes=0-{PIECE - 1}",
    )
    client.sandbox.assert_no_violations()


def test_leaving_a_strict_sandbox_raises_what_was_broken() -> None:
    """Unless another exception is on its way."""
    with pytest.raises(YouTubeViolation, match="no such call"), YouTubeSandbox() as made:
        assert Client(made).call("GET", "/youtube/v3/channels")[0] == 404
    with pytest.raises(ZeroDivisionError), YouTubeSandbox() as made:
        Client(made).call("GET", "/youtube/v3/channels")[0] / 0


def test_one_video_is_asserted(client: Client) -> None:
    """None, another, or two of them are told with what is there."""
    with pytest.raises(AssertionError, match="found 0"):
        client.sandbox.assert_uploaded_once()
    for _ in range(2):
        client.put(client.open(), 0, SIZE)
    with pytest.raises(AssertionError, match="found 2"):
        client.sandbox.assert_uploaded_once(title="Winter")
    with pytest.raises(AssertionError, match="524295 of 524295"):
        client.sandbox.assert_uploaded_once(title="Summer")


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation": "post", "status": 500}, {"operation": "put"}, {"operation": "put", "nth": 0},
        {"operation": "put", "status": 500, "lose_answer": True},
        {"operation": "create", "reset_after": 1}, {"operation": "put", "keep": 1, "stored": True},
    ],
)  # fmt: skip
def test_a_fault_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    """When it is written, not when it should have happened."""
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own text
        Fault(**wrong)


def test_faults_that_did_not_happen_are_told(client: Client) -> None:
    """So that a test can see that it tried what it meant to."""
    fault = Fault(operation="create", nth=2, times=2, status=500)
    client.sandbox.script(fault)
    assert isinstance(client.open(), str)
    assert client.open()[0] == 500
    assert client.sandbox.pending_faults == [fault]
    assert client.open()[0] == 500
    assert client.sandbox.pending_faults == []


def test_the_factory_has_it() -> None:
    """For `uploader sandbox`: it serves at a port, and has a token."""
    with YOUTUBE.sandbox() as made:
        assert made.base_url.startswith("http://127.0.0.1:")
        assert made.access_token
        with pytest.raises(RuntimeError):
            made.start()
