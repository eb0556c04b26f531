"""The upload host: ranges in order, header rules, answers, hashes."""

import hashlib
from typing import Any

import pytest

from tests.sandbox.client import CHUNK, Client, pattern, put_head, read_answer
from transports.tiktok.sandbox import Sandbox, Switches


def test_chunks_in_order_become_a_post(client: Client) -> None:
    """206, then 201; progress in Content-Range; the last chunk carries the remainder."""
    size = 2 * CHUNK + 123
    upload = client.init(size, CHUNK)

    first = client.put(upload, 0, CHUNK - 1)
    assert (first.status, first.headers["Content-Range"]) == (206, f"bytes 0-{CHUNK}/{size}")
    assert client.sandbox.posts == []
    last = client.put(upload, CHUNK, size - 1)
    assert (last.status, last.headers["Content-Range"]) == (201, f"bytes 0-{size}/{size}")

    post = client.sandbox.assert_posted_once(publish_id=upload.publish_id)
    whole = pattern(0, CHUNK - 1) + pattern(CHUNK, size - 1)
    assert post.sha256 == hashlib.sha256(whole).hexdigest()
    assert post.ranges == [(0, CHUNK - 1), (CHUNK, size - 1)]
    assert [chunk.status for chunk in post.chunks] == [206, 201]
    assert all(chunk.ended and chunk.ended >= chunk.started for chunk in post.chunks)
    assert all(chunk.peer.startswith("127.0.0.1:") for chunk in post.chunks)
    assert (post.received, post.size, post.total_chunk_count) == (size, size, 2)


@pytest.mark.parametrize("content_type", ["video/mp4", "video/quicktime", "video/webm"])
def test_three_content_types_are_accepted(client: Client, content_type: str) -> None:
    """MP4, MOV and WebM."""
    assert client.put(client.init(), 0, 999, content_type=content_type).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": ""},
        {"content_type": "application/octet-stream"},
        {"content_type": "video/mp4; codecs=avc1"},
        {"content_range": ""},
        {"content_range": "bytes 0-999/*"},
        {"content_range": "0-999/1000"},
        {"content_range": "bytes 0-499/1000"},
        {"content_range": "bytes 0-1999/2000"},
        {"content_encoding": "gzip"},
    ],
)
def test_bad_headers_are_refused(client: Client, headers: Any) -> None:
    """400, with the progress, before the body is read; nothing is stored."""
    upload = client.init()
    answer = client.put(upload, 0, 999, **headers)
    assert (answer.status, answer.headers["Content-Range"]) == (400, "bytes 0-0/1000")
    assert answer.headers["Connection"] == "close"
    assert client.put(upload, 0, 999).status == 201


def test_a_missing_content_length_is_refused(client: Client) -> None:
    """No length, no body, no chunk."""
    upload = client.init()
    with client.raw(put_head(upload, 0, 999, content_length="")) as connection:
        assert read_answer(connection).startswith(b"HTTP/1.1 400")


def test_a_refusal_does_not_wait_for_the_body(client: Client) -> None:
    """The answer comes although not one byte of the body was sent."""
    upload = client.init(2 * CHUNK, CHUNK)
    with client.raw(put_head(upload, CHUNK, 2 * CHUNK - 1)) as connection:
        assert read_answer(connection).startswith(b"HTTP/1.1 416")
        assert connection.recv(1) == b""


def test_expect_continue_is_answered(client: Client) -> None:
    """An acceptable PUT gets 100 first; an unacceptable one its refusal."""
    upload = client.init()
    with client.raw(put_head(upload, 0, 999, expect="100-continue")) as connection:
        assert read_answer(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(pattern(0, 999))
        assert read_answer(connection).startswith(b"HTTP/1.1 201")
    with client.raw(put_head(client.init(), 5, 999, expect="100-continue")) as connection:
        assert read_answer(connection).startswith(b"HTTP/1.1 416")


@pytest.mark.parametrize(
    ("first", "last", "total"),
    [
        (CHUNK, 2 * CHUNK - 1, 2 * CHUNK),  # ahead of the progress
        (1, CHUNK, 2 * CHUNK),
        (0, CHUNK - 2, 2 * CHUNK),  # too short
        (0, CHUNK, 2 * CHUNK),  # too long
        (0, 2 * CHUNK - 1, 2 * CHUNK),  # everything at once
        (0, CHUNK - 1, 2 * CHUNK + 1),  # another total
    ],
)
def test_a_range_that_is_not_the_next_is_refused(
    client: Client, first: int, last: int, total: int
) -> None:
    """416 with the true progress."""
    upload = client.init(2 * CHUNK, CHUNK)
    with client.raw(put_head(upload._replace(size=total), first, last)) as connection:
        answer = read_answer(connection)
    assert answer.startswith(b"HTTP/1.1 416")
    assert f"Content-Range: bytes 0-0/{2 * CHUNK}\r\n".encode() in answer


def test_a_stored_range_is_refused_or_welcomed(client: Client) -> None:
    """416 by default; 206 with the switch; neither changes what is stored."""
    upload = client.init(2 * CHUNK, CHUNK)
    client.put(upload, 0, CHUNK - 1)
    again = client.put(upload, 0, CHUNK - 1, body=b"x" * CHUNK)
    assert (again.status, again.headers["Content-Range"]) == (416, f"bytes 0-{CHUNK}/{2 * CHUNK}")

    with Sandbox(switches=Switches(stored_range_again=206)) as kind, Client(kind) as other:
        upload = other.init(2 * CHUNK, CHUNK)
        assert other.put(upload, 0, CHUNK - 1).status == 206
        assert other.put(upload, 0, CHUNK - 1, body=b"x" * CHUNK).status == 206
        assert other.put(upload, 0, CHUNK - 2).status == 416
        assert other.put(upload, CHUNK, 2 * CHUNK - 1).status == 201
        whole = pattern(0, CHUNK - 1) + pattern(CHUNK, 2 * CHUNK - 1)
        assert kind.posts[0].sha256 == hashlib.sha256(whole).hexdigest()


def test_the_meaning_of_content_range_is_a_switch() -> None:
    """A count by default, or the index of the last byte; nothing yet is then a star."""
    switches = Switches(content_range_counts=False)
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        upload = client.init(2 * CHUNK, CHUNK)
        refused = client.put(upload, 1, 2)
        assert refused.headers["Content-Range"] == f"bytes */{2 * CHUNK}"
        stored = client.put(upload, 0, CHUNK - 1)
        assert stored.headers["Content-Range"] == f"bytes 0-{CHUNK - 1}/{2 * CHUNK}"


def test_a_body_longer_than_its_range_may_get_a_502() -> None:
    """400 by default; a gateway was seen to say 502. A shorter one is always 400."""
    with Sandbox(switches=Switches(oversize_status=502)) as sandbox, Client(sandbox) as client:
        upload = client.init()
        long = client.put(upload, 0, 999, body=b"x" * 1001, content_length="1001")
        short = client.put(upload, 0, 999, body=b"x" * 999, content_length="999")
        assert (long.status, short.status) == (502, 400)


def test_an_upload_url_lives_an_hour(client: Client) -> None:
    """403 from the hour on, for a fresh and for a half-finished upload."""
    fresh, begun = client.init(), client.init(2 * CHUNK, CHUNK)
    client.put(begun, 0, CHUNK - 1)
    client.sandbox.clock.advance(3599)
    assert client.put(fresh, 1, 999).status == 416
    client.sandbox.clock.advance(1)
    assert client.put(fresh, 0, 999).status == 403
    expired = client.put(begun, CHUNK, 2 * CHUNK - 1)
    assert expired.status == 403
    assert expired.headers["Content-Range"] == f"bytes 0-{CHUNK}/{2 * CHUNK}"


def test_the_life_of_an_upload_url_is_a_switch() -> None:
    """So that a test need not wait for an hour of uploads."""
    switches = Switches(upload_url_seconds=10)
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        upload = client.init()
        sandbox.clock.advance(10)
        assert client.put(upload, 0, 999).status == 403


def test_an_upload_must_finish_before_its_url_expires(client: Client) -> None:
    """A body that was begun in time and ended late is not stored."""
    upload = client.init()
    with client.raw(put_head(upload, 0, 999), b"x") as connection:
        client.sandbox.wait_for(lambda: client.sandbox.uploads[0].chunks[0].received)
        client.sandbox.clock.advance(3600)
        connection.sendall(b"x" * 999)
        assert read_answer(connection).startswith(b"HTTP/1.1 403")
    assert client.sandbox.uploads[0].received == 0


def test_a_task_cancelled_in_mid_body_is_gone() -> None:
    """The rest of the body finds no task."""
    with Sandbox(switches=Switches(cancel="accepted")) as sandbox, Client(sandbox) as client:
        upload = client.init()
        with client.raw(put_head(upload, 0, 999), b"x") as connection:
            sandbox.wait_for(lambda: sandbox.uploads[0].chunks[0].received)
            client.call("/v2/post/publish/cancel/", {"publish_id": upload.publish_id})
            connection.sendall(b"x" * 999)
            assert read_answer(connection).startswith(b"HTTP/1.1 404")


def test_an_unknown_upload_is_404(client: Client) -> None:
    """No such task, no progress to tell."""
    upload = client.init()
    answer = client.request("PUT", "/video/?upload_id=1&upload_token=2", b"x")
    assert (answer.status, "Content-Range" in answer.headers) == (404, False)
    assert client.put(upload, 0, 999).status == 201


def test_an_upload_outlives_its_access_token(client: Client) -> None:
    """The URL is the credential."""
    upload = client.init()
    client.sandbox.revoke_token(client.sandbox.access_token)
    assert client.put(upload, 0, 999).status == 201


@pytest.mark.parametrize("kept", ["discarded", "kept"])
def test_the_bytes_of_a_cut_chunk_are_discarded_or_kept(kept: Any) -> None:
    """Discarded: the same range again. Kept: the rest of the chunk, from where it was cut."""
    part = 3_000_000
    with Sandbox(switches=Switches(partial_bytes=kept)) as sandbox, Client(sandbox) as client:
        upload = client.init(2 * CHUNK, CHUNK)
        with client.raw(put_head(upload, 0, CHUNK - 1), pattern(0, part - 1)):
            sandbox.wait_for(lambda: sandbox.uploads[0].chunks[0].received == part)
        sandbox.wait_for(lambda: sandbox.uploads[0].chunks[0].ended)
        begin = part if kept == "kept" else 0
        assert client.status(upload.publish_id)["uploaded_bytes"] == begin
        body = pattern(0, CHUNK - 1)[begin:]
        assert client.put(upload, part - begin, CHUNK - 1, body=body[part - begin :]).status == 416
        assert client.put(upload, begin, CHUNK - 1, body=body).status == 206
        assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 201
        whole = pattern(0, CHUNK - 1) + pattern(CHUNK, 2 * CHUNK - 1)
        assert sandbox.posts[0].sha256 == hashlib.sha256(whole).hexdigest()
        assert [chunk.stored for chunk in sandbox.posts[0].chunks] == [False, False, True, True]


def test_a_probe_is_not_part_of_the_protocol(client: Client) -> None:
    """There is no way to ask an upload URL for its progress."""
    upload = client.init()
    for method in ("HEAD", "GET", "POST"):
        assert client.request(method, upload.target).status == 405
