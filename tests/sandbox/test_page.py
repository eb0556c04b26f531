"""The page's files and the report behind it: safe headers, no secrets, nobody's rules touched."""

import hashlib
import http.client
import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.sandbox.client import CHUNK, CREATOR_INFO, INIT, Client, order
from transports.tiktok.sandbox import Fault, Sandbox, Switches
from transports.tiktok.sandbox.faults import _EFFECTS
from transports.tiktok.sandbox.page import FILES, STATE_PATH
from transports.tiktok.sandbox.report import FAULTS


def state(client: Client, query: str = "") -> Any:
    """Return the report as it is served."""
    answer = client.request("GET", STATE_PATH + query)
    assert answer.status == 200
    return answer.json


@pytest.mark.parametrize("path", [*FILES, STATE_PATH])
def test_nothing_else_may_run_or_load(client: Client, path: str) -> None:
    """A strict policy on every answer, whose type is not guessed and which nobody caches."""
    answer = client.request("GET", path)
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", FILES)
def test_the_page_loads_nothing_from_elsewhere(client: Client, path: str) -> None:
    """No address but those of namespaces, no inline script or style, no way to write HTML."""
    text = client.request("GET", path).body.decode().replace("http://www.w3.org/2000/svg", "")
    for word in ("://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", " style="):
        assert word not in text, word
    assert "<script>" not in text


def test_looking_is_no_request(sandbox: Sandbox, client: Client) -> None:
    """Neither recorded, nor limited, nor a broken rule; writing to the page is one."""
    for _ in range(50):
        state(client)
    assert client.request("HEAD", "/").body == b""
    assert sandbox.requests == []
    assert sandbox.page_url == f"{sandbox.base_url}/"


def test_only_reading_is_answered(lenient: Sandbox) -> None:
    """A POST to the page is what it was: a path that TikTok does not have."""
    with Client(lenient) as client:
        assert client.request("POST", "/").status == 404
    assert lenient.violations == ["POST /: TikTok has no such path"]


def test_what_has_not_changed_is_not_sent(client: Client) -> None:
    """Only the time has passed: 304, until something arrives."""
    tag = client.request("GET", STATE_PATH).headers["ETag"]
    seen = {"If-None-Match": tag}
    assert client.request("GET", STATE_PATH, None, seen).status == 304
    client.init()
    assert client.request("GET", STATE_PATH, None, seen).status == 200


def test_the_report_tells_what_arrived(sandbox: Sandbox, client: Client) -> None:
    """Chunks with offsets, times, attempts, faults and answers; sums; the digest at the end."""
    sandbox.script(Fault("put", status=503), Fault("put", nth=99, status=500))
    upload = client.init(2 * CHUNK + 5, CHUNK, title="a title")
    client.put(upload, 0, CHUNK - 1)
    client.put(upload, CHUNK, 2 * CHUNK + 4)
    client.put(upload, 0, CHUNK - 1)
    (post,) = state(client)["posts"]
    assert (post["title"], post["status"], post["sha256"]) == ("a title", "PROCESSING_UPLOAD", None)
    assert (post["received"], post["parts"]) == (CHUNK, 2)
    client.put(upload, CHUNK, 2 * CHUNK + 4)

    told = state(client)
    assert told == json.loads(json.dumps(sandbox.report())) | {"now": told["now"]}
    (post,) = told["posts"]
    assert post["status"] == "PUBLISH_COMPLETE"
    assert post["sha256"] == sandbox.posts[0].sha256
    assert (post["attempts"], post["retries"], post["faults"], post["refused"]) == (4, 2, 1, 1)
    chunks = post["chunks"]
    assert [(each["first"], each["attempt"], each["status"]) for each in chunks] == [
        (0, 1, 503), (CHUNK, 1, 416), (0, 2, 206), (CHUNK, 2, 201),
    ]  # fmt: skip
    assert chunks[0]["fault"] == "answered with a scripted status"
    assert chunks[1]["why"] == f"range {CHUNK}-{2 * CHUNK + 4}, expected 0-{CHUNK - 1}"
    assert [each["is_stored"] for each in chunks] == [False, False, True, True]
    assert all(each["started"] <= each["ended"] <= told["now"] for each in chunks)
    assert told["totals"] == {
        "uploads": 1, "complete": 1, "failed": 0, "bytes": 2 * CHUNK + 5, "retries": 2,
        "refused": 1, "limited": 0, "faults": 1, "requests": 5, "violations": 0,
    }  # fmt: skip
    assert told["faults_pending"] == [
        {"operation": "put", "fault": "answered with a scripted status"}
    ]


def test_chunks_are_told_of_whom_one_asks(client: Client) -> None:
    """A page that shows one post of hundreds asks for its chunks alone."""
    uploads = [client.init(title=str(number)) for number in range(3)]
    for upload in uploads:
        client.put(upload, 0, 999)
    wanted = uploads[1].publish_id
    having = [post for post in state(client, f"?chunks={wanted}")["posts"] if "chunks" in post]
    assert [post["publish_id"] for post in having] == [wanted]
    assert not any("chunks" in post for post in state(client, "?chunks=")["posts"])
    assert all("chunks" in post for post in state(client)["posts"])


def test_the_report_tells_limits(sandbox: Sandbox, client: Client) -> None:
    """Of each account what it used in the window, and drafts of a day; what passed is gone."""
    other = sandbox.issue_token(account="other")
    for _ in range(3):
        client.call(CREATOR_INFO, {})
    with Client(sandbox, token=other) as second:
        inbox = "/v2/post/publish/inbox/video/init/"
        assert second.call(inbox, {"source_info": order()["source_info"]}).status == 200
    told = [(each["account"], each["limit"], each["used"]) for each in state(client)["limits"]]
    assert told == [
        ("other", "drafts", 1),
        ("other", "inbox_init", 1),
        ("sandbox-creator", "creator_info", 3),
    ]
    sandbox.clock.advance(60)
    assert [each["limit"] for each in state(client)["limits"]] == ["drafts"]


def test_the_report_tells_who_passed_a_limit() -> None:
    """Posts of a day where they are limited, and how often an account was answered 429."""
    with Sandbox(switches=Switches(posts_a_day=9)) as sandbox, Client(sandbox) as client:
        for _ in range(6):
            client.init()
        for _ in range(2):
            assert client.call(INIT, order()).status == 429
        told = state(client)
    assert told["limited"] == {"sandbox-creator": 2}
    assert told["totals"]["limited"] == 2
    assert [(each["limit"], each["used"], each["most"]) for each in told["limits"]] == [
        ("init", 6, 6),
        ("posts", 6, 9),
    ]


def test_the_report_has_no_secret(lenient: Sandbox) -> None:
    """No token, upload URL, client secret, or query of an address, whatever went wrong."""
    lenient.verify_url("media.example.com")
    lenient.oauth.consent("acme")
    with Client(lenient) as client:
        upload = client.init()
        client.put(upload._replace(url=upload.url + "&more=1"), 0, 999)
        client.put(upload, 0, 999, authorization=f"Bearer {lenient.access_token}")
        client.request("GET", f"/nowhere?access_token={lenient.access_token}")
        body = order()
        body["source_info"] = {
            "source": "PULL_FROM_URL",
            "video_url": "https://media.example.com/clip.mp4?signature=very-secret",
        }
        assert client.call(INIT, body).status == 200
        lenient.webhooks.send(
            "http://user:very-secret@127.0.0.1:9/hook?key=very-secret",
            lenient.webhooks.of_removal("acme"),
        )
        said = client.request("GET", STATE_PATH).body.decode()
    token = upload.url.partition("upload_token=")[2]
    for secret in (lenient.access_token, token, lenient.oauth.client_secret, "very-secret"):
        assert secret not in said
    for kept in ("act.sandbox", "rft.sandbox", "upload_token"):
        assert kept not in said
    told = json.loads(said)
    assert told["posts"][1]["pulled_from"] == ["https://media.example.com/clip.mp4"]
    assert told["webhooks"][0]["url"] == "http://127.0.0.1:9/hook"
    assert told["webhooks"][0]["status"] == 0
    assert len(told["violations"]) == 4


def test_what_is_kept_is_served_when_it_is_whole(tmp_path: Path) -> None:
    """Byte for byte, whatever was cut and sent again; in ranges, as players ask for it."""
    with Sandbox(keep=tmp_path / "kept") as sandbox, Client(sandbox) as client:
        size = 2 * CHUNK + 5
        sandbox.script(Fault("put", nth=2, reset_after=300_000))
        upload = client.init(size, CHUNK)
        path = f"/-/media/{upload.publish_id}"
        assert client.put(upload, 0, CHUNK - 1).status == 206
        with suppress(ConnectionError, http.client.HTTPException):
            client.put(upload, CHUNK, size - 1, body=b"x" * (size - CHUNK))
        client.http.close()
        assert not state(client)["posts"][0]["is_playable"]
        assert client.put(upload, CHUNK, size - 1).status == 201

        assert state(client)["posts"][0]["is_playable"]
        answer = client.request("GET", path)
        assert answer.headers["Content-Type"] == "video/mp4"
        assert hashlib.sha256(answer.body).hexdigest() == sandbox.posts[0].sha256
        part = client.request("GET", path, None, {"Range": "bytes=1000-1999"})
        assert (part.status, part.body) == (206, answer.body[1000:2000])
    (kept,) = (tmp_path / "kept").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == (upload.publish_id, 0o600)
    assert kept.stat().st_size == size


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "", "v_pub_file~v2-1.7"])
def test_nothing_else_is_served_as_a_film(tmp_path: Path, name: str) -> None:
    """Only ids of posts are names: no path leads out of the folder."""
    with Sandbox(keep=tmp_path, strict=False) as sandbox, Client(sandbox) as client:
        assert client.request("GET", f"/-/media/{name}").status == 404


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *said: object) -> None:
        """Say nothing."""


def test_the_report_tells_webhooks(sandbox: Sandbox, client: Client) -> None:
    """Every delivery with how it was signed and answered, duplicates too."""
    client.put(client.init(), 0, 999)
    notice = sandbox.webhooks.of_post(sandbox.posts[0], signature="bad")
    with HTTPServer(("127.0.0.1", 0), _Hook) as hook:
        thread = Thread(target=hook.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{hook.server_port}/tiktok"
        assert sandbox.webhooks.send(url, notice, times=2) == [200, 200]
        hook.shutdown()
        thread.join()
    told = state(client)["webhooks"]
    assert [(each["event"], each["signature"], each["status"]) for each in told] == [
        ("post.publish.complete", "bad", 200)
    ] * 2
    assert {each["about"] for each in told} == {sandbox.posts[0].publish_id}


def test_every_state_of_a_post_is_told() -> None:
    """Pulled drafts and failures as well, with how much was fetched."""
    switches = Switches(pull_seconds=10, url_ownership="unchecked")
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        body = {"source": "PULL_FROM_URL", "video_url": "https://media.example.com/a.mp4"}
        client.call("/v2/post/publish/inbox/video/init/", {"source_info": body})
        sandbox.clock.advance(5)
        (post,) = state(client)["posts"]
        assert post["status"] == "PROCESSING_DOWNLOAD"
        assert 0 < post["received"] < post["size"]
        assert (post["is_draft"], post["sha256"], post["expires"]) == (True, None, None)
        sandbox.clock.advance(5)
        (post,) = state(client)["posts"]
        assert (post["status"], post["received"]) == ("SEND_TO_USER_INBOX", post["size"])


def test_every_fault_has_words() -> None:
    """What a fault did is said, whichever it was."""
    assert set(FAULTS) == {*_EFFECTS, "status", "delay"}
