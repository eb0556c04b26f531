"""Every scripted fault, seen from the client's side of the socket."""

import http.client
import json
import threading
import time
from typing import Any

import pytest

from tests.sandbox.client import (
    CHUNK,
    CREATOR_INFO,
    INIT,
    STATUS,
    Client,
    order,
    pattern,
    put_head,
    read_answer,
    read_to_end,
)
from transports.tiktok.sandbox import Fault, Sandbox

RESET = (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)


def scripted(operation: Any, effect: str, value: Any) -> Fault:
    """Return a fault whose effect is named by a parameter of the test."""
    keywords: dict[str, Any] = {effect: value}
    return Fault(operation, **keywords)


def call_of(client: Client, operation: str) -> Any:
    """Do one request of an operation."""
    match operation:
        case "init":
            return client.call(INIT, order())
        case "creator_info":
            return client.call(CREATOR_INFO)
        case _:
            path = STATUS.replace("status/fetch", "cancel") if operation == "cancel" else STATUS
            return client.call(path, {"publish_id": "x"})


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["creator_info", "init", "status", "cancel"])
def test_an_api_call_gets_a_status(client: Client, operation: Any) -> None:
    """The status, without the work being done; the next request is served."""
    client.sandbox.script(Fault(operation, status=503))
    assert call_of(client, operation)[::2] == (503, b"")
    assert client.sandbox.uploads == []
    assert call_of(client, operation).status in (200, 400)


def test_a_429_may_carry_a_retry_after(client: Client) -> None:
    """Scripted 401 and 429 come in the envelope, with the headers of the fault."""
    client.sandbox.script(
        Fault("status", status=429, headers={"Retry-After": "3"}), Fault("status", status=401)
    )
    limited, refused = call_of(client, "status"), call_of(client, "status")
    assert (limited.status, limited.code) == (429, "rate_limit_exceeded")
    assert limited.headers["Retry-After"] == "3"
    assert (refused.status, refused.code) == (401, "access_token_invalid")


def test_a_body_can_be_scripted(client: Client) -> None:
    """Bytes as given, with a content type of choice."""
    page = Fault("init", status=502, body="<html>", headers={"Content-Type": "text/html"})
    client.sandbox.script(page, Fault("put", status=500, body=b"oops"))
    answer = client.call(INIT, order())
    assert (answer.status, answer.body) == (502, b"<html>")
    assert answer.headers["Content-Type"] == "text/html"
    assert client.put(client.init(), 0, 999).body == b"oops"


@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        ("init", "spam_risk_too_many_posts", 403),
        ("init", "reached_active_user_cap", 403),
        ("creator_info", "spam_risk_too_many_posts", 200),  # "200 (intentional)"
        ("status", "internal_error", 500),
        ("cancel", "publish_not_cancellable", 400),
        ("init", "never_heard_of", 400),
    ],
)
def test_a_vendor_code_comes_with_its_status(
    client: Client, operation: Any, code: str, status: int
) -> None:
    """The documented HTTP status of each code, in the envelope."""
    client.sandbox.script(Fault(operation, vendor_code=code))
    answer = call_of(client, operation)
    assert (answer.status, answer.code) == (status, code)


def test_a_vendor_code_may_have_another_status(client: Client) -> None:
    """`status` beside `vendor_code` overrides the table."""
    client.sandbox.script(Fault("init", vendor_code="internal_error", status=504))
    answer = client.call(INIT, order())
    assert (answer.status, answer.code) == (504, "internal_error")


def test_an_init_may_take_effect_behind_its_error(client: Client) -> None:
    """`stored`: the task exists although the answer denies it."""
    client.sandbox.script(Fault("init", status=504, stored=True))
    assert client.call(INIT, order()).status == 504
    assert len(client.sandbox.uploads) == 1


def test_a_put_gets_a_status_and_nothing_is_stored(client: Client) -> None:
    """A gateway's error after the whole body, on a connection that stays open."""
    client.sandbox.script(Fault("put", status=503, times=2))
    upload = client.init(2 * CHUNK, CHUNK)
    for expected in (503, 503, 206):
        answer = client.put(upload, 0, CHUNK - 1)
        assert answer.status == expected
        assert ("Content-Range" in answer.headers) == (expected == 206)
    assert client.sandbox.uploads[0].received == CHUNK
    assert [c.stored for c in client.sandbox.uploads[0].chunks] == [False, False, True]


def test_a_put_may_be_stored_behind_its_error(client: Client) -> None:
    """`stored`: the bytes count, so the same range again is refused."""
    client.sandbox.script(Fault("put", status=504, stored=True))
    upload = client.init(2 * CHUNK, CHUNK)
    assert client.put(upload, 0, CHUNK - 1).status == 504
    assert client.put(upload, 0, CHUNK - 1).status == 416
    assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 201


@pytest.mark.parametrize("status", [200, 201, 206])
def test_a_put_may_be_answered_with_a_lie(client: Client, status: int) -> None:
    """A success that is none; Content-Range tells the truth."""
    client.sandbox.script(Fault("put", status=status))
    answer = client.put(client.init(), 0, 999)
    assert (answer.status, answer.headers["Content-Range"]) == (status, "bytes 0-0/1000")
    assert client.sandbox.posts == []


@pytest.mark.parametrize("after", [0, 100_000])
def test_an_answer_may_come_in_mid_body(client: Client, after: int) -> None:
    """`early_status`: the answer is there before the body is out; nothing is stored."""
    client.sandbox.script(Fault("put", early_status=201, early_after=after))
    upload = client.init(2 * CHUNK, CHUNK)
    with client.raw(put_head(upload, 0, CHUNK - 1), b"x" * after) as connection:
        assert read_answer(connection).startswith(b"HTTP/1.1 201")
        connection.sendall(b"x")
    assert client.sandbox.uploads[0].received == 0
    assert client.put(upload, 0, CHUNK - 1).status == 206


def test_an_early_answer_reaches_a_client_that_sends_on(client: Client) -> None:
    """The rest of the body is swallowed for a moment instead of resetting the answer away."""
    client.sandbox.script(Fault("put", early_status=403))
    upload = client.init(2 * CHUNK, CHUNK)
    assert client.put(upload, 0, CHUNK - 1).status == 403


@pytest.mark.parametrize("redirect", [True, "https://upload.example.com/elsewhere"])
def test_a_redirect_can_be_scripted(client: Client, redirect: Any) -> None:
    """307 for API and PUT; True leads to the sandbox's own trap."""
    client.sandbox.script(Fault("init", redirect=redirect), Fault("put", redirect=redirect))
    trap = client.sandbox.base_url + "/redirected/"
    for answer in (client.call(INIT, order()), client.put(client.init(), 0, 999)):
        assert answer.status == 307
        assert answer.headers["Location"] == (trap if redirect is True else redirect)
    assert client.sandbox.posts == []


def test_garbage_can_be_scripted(client: Client) -> None:
    """The work is done, its answer is not to be read."""
    client.sandbox.script(Fault("init", malformed=True), Fault("init", malformed="shape"))
    torn, other = client.call(INIT, order()), client.call(INIT, order())
    with pytest.raises(json.JSONDecodeError):
        _ = torn.json
    assert other.json == {"data": ["ok"], "error": "ok"}
    assert (torn.status, other.status, len(client.sandbox.uploads)) == (200, 200, 2)


def test_a_put_may_be_confirmed_unreadably(client: Client) -> None:
    """Stored, with a Content-Range that is none, or without one."""
    client.sandbox.script(Fault("put", malformed=True), Fault("put", malformed="shape"))
    upload = client.init(2 * CHUNK, CHUNK)
    first = client.put(upload, 0, CHUNK - 1)
    second = client.put(upload, CHUNK, 2 * CHUNK - 1)
    assert (first.status, first.headers["Content-Range"]) == (206, "bytes ?/?")
    assert (second.status, "Content-Range" in second.headers) == (201, False)


def test_an_upload_url_may_expire_in_mid_upload(client: Client) -> None:
    """403 for the request that meets the fault and for all that follow."""
    client.sandbox.script(Fault("put", nth=2, expire=True))
    upload = client.init(3 * CHUNK, CHUNK)
    assert client.put(upload, 0, CHUNK - 1).status == 206
    assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 403
    assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 403


# -- resets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["creator_info", "init", "status", "cancel"])
@pytest.mark.parametrize("effect", ["lose_request", "lose_answer"])
def test_an_api_call_can_be_lost(client: Client, operation: Any, effect: Any) -> None:
    """Reset before or after the work, never an answer."""
    client.sandbox.script(scripted(operation, effect, True))
    with pytest.raises(RESET):
        call_of(client, operation)
    done = operation == "init" and effect == "lose_answer"
    assert len(client.sandbox.uploads) == done
    assert client.sandbox.requests[0].status is None


def test_a_put_can_be_lost_before_it_is_read(client: Client) -> None:
    """`lose_request` and `reset_after=0` are the same for a body."""
    client.sandbox.script(Fault("put", lose_request=True), Fault("put", reset_after=0))
    upload = client.init()
    for _ in range(2):
        with (
            client.raw(put_head(upload, 0, 999)) as connection,
            pytest.raises(ConnectionResetError),
        ):
            read_to_end(connection)
    assert client.put(upload, 0, 999).status == 201
    assert [chunk.status for chunk in client.sandbox.posts[0].chunks] == [None, None, 201]


@pytest.mark.parametrize("keep", [None, True, False])
def test_a_put_can_be_reset_after_some_bytes(client: Client, keep: bool | None) -> None:
    """Exactly so many count, if they are kept at all."""
    after = 1_234_567
    client.sandbox.script(Fault("put", reset_after=after, partial_keep=keep))
    upload = client.init(2 * CHUNK, CHUNK)
    body = pattern(0, CHUNK - 1)
    with (
        client.raw(put_head(upload, 0, CHUNK - 1), body[:after]) as connection,
        pytest.raises(ConnectionResetError),
    ):
        read_to_end(connection)
    post = client.sandbox.uploads[0]
    assert post.chunks[0].received == after
    assert post.received == (after if keep else 0)
    begin = post.received
    assert client.put(upload, begin, CHUNK - 1, body=body[begin:]).status == 206
    assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 201
    with Sandbox() as other, Client(other) as straight:
        same = straight.init(2 * CHUNK, CHUNK)
        straight.put(same, 0, CHUNK - 1)
        straight.put(same, CHUNK, 2 * CHUNK - 1)
        assert other.posts[0].sha256 == post.sha256


def test_the_answer_of_a_stored_chunk_can_be_lost(client: Client) -> None:
    """Everything is there, only the client does not know."""
    client.sandbox.script(Fault("put", lose_answer=True))
    upload = client.init(2 * CHUNK, CHUNK)
    with (
        client.raw(put_head(upload, 0, CHUNK - 1), pattern(0, CHUNK - 1)) as connection,
        pytest.raises(ConnectionResetError),
    ):
        read_to_end(connection)
    assert client.status(upload.publish_id)["uploaded_bytes"] == CHUNK
    chunk = client.sandbox.uploads[0].chunks[0]
    assert (chunk.stored, chunk.status) == (True, None)


def test_the_last_answer_can_be_lost(client: Client) -> None:
    """The post exists although no 201 was heard."""
    client.sandbox.script(Fault("put", lose_answer=True))
    upload = client.init()
    with (
        client.raw(put_head(upload, 0, 999), pattern(0, 999)) as connection,
        pytest.raises(ConnectionResetError),
    ):
        read_to_end(connection)
    assert client.status(upload.publish_id)["status"] == "PUBLISH_COMPLETE"
    assert not client.sandbox.assert_posted_once().answered


# -- stalls --------------------------------------------------------------------------------------


def test_a_stalled_body_blocks_the_client(client: Client) -> None:
    """What is written beyond the socket buffers is never taken; leaving ends the stall."""
    client.sandbox.script(Fault("put", stall_after=100_000))
    upload = client.init(4 * CHUNK, 4 * CHUNK)
    with client.raw(put_head(upload, 0, 4 * CHUNK - 1)) as connection:
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.sendall(b"x" * 4 * CHUNK)
    post = client.sandbox.uploads[0]
    assert (post.received, post.chunks[0].received) == (0, 100_000)
    assert client.put(upload, 0, 4 * CHUNK - 1).status == 201


def test_a_stall_may_keep_what_it_has_read(client: Client) -> None:
    """`partial_keep` holds for a stall as for a reset."""
    client.sandbox.script(Fault("put", stall_after=600, partial_keep=True))
    upload = client.init()
    with client.raw(put_head(upload, 0, 999), b"x" * 600):
        client.sandbox.wait_for(lambda: client.sandbox.uploads[0].received)
    assert client.status(upload.publish_id)["uploaded_bytes"] == 600
    assert client.put(upload, 600, 999).status == 201


@pytest.mark.parametrize("operation", ["put", "init"])
def test_an_answer_can_be_withheld(client: Client, operation: Any) -> None:
    """The work is done and nothing comes; leaving ends the wait."""
    client.sandbox.script(Fault(operation, stall_answer=True))
    if operation == "put":
        upload = client.init()
        head, body = put_head(upload, 0, 999), pattern(0, 999)
    else:
        body = json.dumps(order()).encode()
        head = (
            f"POST {INIT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
    with client.raw(head, body) as connection:
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert len(client.sandbox.uploads) == 1
    assert len(client.sandbox.posts) == (operation == "put")


@pytest.mark.parametrize("fault", [Fault("put", stall_after=10), Fault("put", stall_answer=True)])
def test_a_stall_ends_when_the_client_leaves(client: Client, fault: Fault) -> None:
    """The connection is dropped at once, not kept for ever."""
    client.sandbox.script(fault)
    upload = client.init()
    with client.raw(put_head(upload, 0, 999), pattern(0, 999)):
        client.sandbox.wait_for(lambda: client.sandbox.uploads[0].chunks[0].received >= 10)
    client.sandbox.wait_for(lambda: client.sandbox.uploads[0].chunks[0].ended)


def test_a_body_can_be_read_slowly(client: Client) -> None:
    """At about the rate that was asked for, and to its end."""
    client.sandbox.script(Fault("put", slow=10_000_000))
    upload = client.init(CHUNK // 4)
    begun = time.monotonic()
    assert client.put(upload, 0, CHUNK // 4 - 1).status == 201
    assert 0.1 <= time.monotonic() - begun < 1.0
    assert client.sandbox.posts[0].received == CHUNK // 4


def test_a_slow_body_is_smooth(client: Client) -> None:
    """A client sees many small steps instead of a few long stalls."""
    client.sandbox.script(Fault("put", slow=100_000))
    upload = client.init(8 * CHUNK)
    seen = set()

    def progress() -> bool:
        seen.add(client.sandbox.uploads[0].chunks[0].received)
        return len(seen) > 5

    with client.raw(put_head(upload, 0, 8 * CHUNK - 1)) as connection:
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.sendall(b"x" * 8 * CHUNK)
        client.sandbox.wait_for(progress)
    assert max(seen) < 200_000


def test_a_request_can_be_late(client: Client) -> None:
    """`delay` is on the clock: advancing it is as good as waiting."""
    client.sandbox.script(Fault("init", delay=3600))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.call(INIT, order())))
    thread.start()
    client.sandbox.wait_for(lambda: client.sandbox.requests)
    assert client.sandbox.uploads == []
    client.sandbox.clock.advance(3600)
    thread.join(5)
    assert answers[0].status == 200


def test_a_delay_may_precede_another_effect(client: Client) -> None:
    """First late, then wrong."""
    client.sandbox.script(Fault("init", delay=0.01, status=500))
    assert client.call(INIT, order()).status == 500


# -- the queue -----------------------------------------------------------------------------------


def test_faults_meet_the_requests_they_are_meant_for(client: Client) -> None:
    """By operation, from when they were scripted, one per request, in order."""
    first = Fault("status", status=500)
    third = Fault("status", nth=3, times=2, status=503)
    behind = Fault("status", status=502)
    client.sandbox.script(first, third, behind)
    client.call(CREATOR_INFO)
    assert [call_of(client, "status").status for _ in range(6)] == [500, 502, 503, 503, 400, 400]
    assert client.sandbox.pending_faults == []


def test_pending_faults_are_told(client: Client) -> None:
    """A test can see that what it scripted never happened."""
    fault = Fault("status", times=2, status=500)
    client.sandbox.script(fault)
    assert client.sandbox.pending_faults == [fault]
    call_of(client, "status")
    assert client.sandbox.pending_faults == [fault]
    call_of(client, "status")
    assert client.sandbox.pending_faults == []


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"status": 503, "reset_after": 0},
        {"lose_answer": True, "stall_answer": True},
        {"nth": 0, "status": 503},
        {"times": 0, "status": 503},
        {"status": 100},
        {"early_status": 700},
        {"reset_after": -1},
        {"stall_after": -1},
        {"early_after": 5, "status": 503},
        {"early_status": 403, "early_after": -1},
        {"slow": 0},
        {"delay": -1},
        {"vendor_code": "internal_error"},
        {"stored": True, "stall_answer": True},
        {"body": "x", "lose_answer": True},
        {"headers": {"A": "b"}, "expire": True},
    ],
)
def test_a_contradictory_fault_is_refused(kwargs: Any) -> None:
    """A fault that could not happen must not be scripted."""
    with pytest.raises(ValueError, match=r"\S"):
        Fault("put", **kwargs)


@pytest.mark.parametrize(
    "kwargs", [{"reset_after": 0}, {"stall_after": 0}, {"slow": 1}, {"expire": True}]
)
def test_faults_of_a_body_are_for_puts(kwargs: Any) -> None:
    """An API call has no body to speak of, and an unknown operation has nothing."""
    with pytest.raises(ValueError, match="put"):
        Fault("init", **kwargs)
    with pytest.raises(ValueError, match="operation"):
        Fault("complete", status=500)  # type: ignore[arg-type]


def test_a_fault_meets_a_bad_request_too(client: Client) -> None:
    """An answer that is scripted comes whatever was sent."""
    client.sandbox.script(Fault("put", status=503))
    upload = client.init()
    assert client.put(upload, 5, 999).status == 503
    assert client.put(upload, 5, 999).status == 416


def test_a_fault_for_an_unknown_upload_leaves_the_404(client: Client) -> None:
    """There is nothing to interfere with."""
    client.sandbox.script(Fault("put", expire=True))
    assert client.request("PUT", "/video/?upload_id=1", b"x").status == 404
    assert client.sandbox.pending_faults == []
