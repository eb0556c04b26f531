"""The receiving server: TikTok-like answers, order, and bytes that the kernel dropped."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.contender import Job
from benchmarks.http1 import HeadError, encode_head, encode_json, parse_head, read_head
from benchmarks.ledger import Ledger, RangeError
from benchmarks.rivals.exchange import INIT, STATUS, Exchange, init_body, put_headers
from benchmarks.sink_process import SinkProcess
from benchmarks.workspace import Workspace
from tests.benchmarks.conftest import job


@contextmanager
def connected(sink: SinkProcess, workspace: Workspace) -> Iterator[Exchange]:
    """Open one connection to the sink."""
    with Exchange(job("ours", sink, workspace)) as exchange:
        yield exchange


def opened(exchange: Exchange, size: int, parts: list[tuple[int, int]]) -> dict[str, Any]:
    """Send the init call."""
    return exchange.call(INIT, init_body(size, parts, "a title"))


def answer_to(exchange: Exchange, url: str, headers: dict[str, str], body: bytes) -> list[Any]:
    """PUT a body; return status, Content-Range and whether the connection stays open."""
    split = urlsplit(url)
    start = f"PUT {split.path}?{split.query} HTTP/1.1"
    exchange.sock.sendall(encode_head(start, {"Host": "sink", **headers}) + body)
    head = read_head(exchange.sock)
    assert head is not None
    return [int(head.start[1]), head.headers.get("content-range"), head.keep_alive]


def test_answers_are_those_of_tiktok(verifying_sink: SinkProcess, workspace: Workspace) -> None:
    """206 for all chunks but the last, 201 for that, then PUBLISH_COMPLETE with every byte."""
    verifying_sink.reset()
    with connected(verifying_sink, workspace) as exchange:
        session = opened(exchange, 30, [(0, 20), (20, 10)])
        url = session["upload_url"]
        first = answer_to(exchange, url, put_headers(0, 20, 30), b"a" * 20)
        half = exchange.call(STATUS, {"publish_id": session["publish_id"]})
        last = answer_to(exchange, url, put_headers(20, 10, 30), b"b" * 10)
        whole = exchange.call(STATUS, {"publish_id": session["publish_id"]})
    assert url.startswith(verifying_sink.origin)
    assert first == [206, "bytes 0-20/30", True]
    assert last == [201, "bytes 0-30/30", True]
    assert (half["status"], half["uploaded_bytes"]) == ("PROCESSING_UPLOAD", 20)
    assert (whole["status"], whole["uploaded_bytes"]) == ("PUBLISH_COMPLETE", 30)
    upload = verifying_sink.report().uploads[0]
    assert (upload["title"], upload["parts"], upload["received"]) == ("a title", 2, 30)


def test_creator_info_is_answered(dropping_sink: SinkProcess, workspace: Workspace) -> None:
    """A client that asks what the creator may do is told so."""
    with connected(dropping_sink, workspace) as exchange:
        creator = exchange.call("/v2/post/publish/creator_info/query/", {})
    assert "SELF_ONLY" in creator["privacy_level_options"]


def test_dropped_bodies_are_counted_and_the_connection_lives_on(
    dropping_sink: SinkProcess, workspace: Workspace
) -> None:
    """MSG_TRUNC drops exactly the body, in one segment with its head or in many."""
    dropping_sink.reset()
    size = 3_000_001
    with connected(dropping_sink, workspace) as exchange:
        session = opened(exchange, size, [(0, 1_000_000), (1_000_000, 2_000_001)])
        body = memoryview(bytes(size))
        url = session["upload_url"]
        exchange.put(url, put_headers(0, 1_000_000, size), [body[:1_000_000]], 206)
        exchange.put(url, put_headers(1_000_000, 2_000_001, size), [body[1_000_000:]], 201)
        small = opened(exchange, 3, [(0, 3)])
        assert answer_to(exchange, small["upload_url"], put_headers(0, 3, 3), b"abc")[0] == 201
    report = dropping_sink.report()
    assert report.received == size + 3
    assert report.complete == 2


@pytest.mark.parametrize(
    ("start", "status"), [(5, 416), (0, 206)], ids=["out of order", "in order"]
)
def test_order_is_checked(
    dropping_sink: SinkProcess, workspace: Workspace, start: int, status: int
) -> None:
    """A range that does not continue the upload is refused before its body is taken."""
    with connected(dropping_sink, workspace) as exchange:
        url = opened(exchange, 30, [(0, 30)])["upload_url"]
        assert answer_to(exchange, url, put_headers(start, 10, 30), b"c" * 10)[0] == status


def test_expect_continue_is_answered(dropping_sink: SinkProcess, workspace: Workspace) -> None:
    """A client that waits for 100 before its body is not kept waiting."""
    with connected(dropping_sink, workspace) as exchange:
        url = opened(exchange, 4, [(0, 4)])["upload_url"]
        headers = {**put_headers(0, 4, 4), "Expect": "100-continue"}
        assert answer_to(exchange, url, headers, b"")[0] == 100
        exchange.sock.sendall(b"four")
        head = read_head(exchange.sock)
    assert head is not None
    assert head.start[1] == "201"


def test_a_broken_upload_leaves_the_sink_standing(
    verifying_sink: SinkProcess, workspace: Workspace
) -> None:
    """A connection that dies inside a body counts for nothing, and the same range fits again."""
    with connected(verifying_sink, workspace) as exchange:
        session = opened(exchange, 10, [(0, 10)])
        url = urlsplit(session["upload_url"])
        start = f"PUT {url.path}?{url.query} HTTP/1.1"
        exchange.sock.sendall(encode_head(start, put_headers(0, 10, 10)) + b"12345")
    with connected(verifying_sink, workspace) as exchange:
        again = answer_to(exchange, session["upload_url"], put_headers(0, 10, 10), b"abcdefghij")
    upload = verifying_sink.report().uploads[-1]
    assert again[0] == 201
    assert upload["sha256"] == "72399361da6a7754fec986dca5b7cbaf1c810a28ded4abaf56b2106d06cb78b0"


def test_tls_is_verified_by_the_rivals(workspace: Workspace) -> None:
    """A rival that skipped the check of certificates would have an easier time than ours."""
    with SinkProcess(certificate=workspace.certificates().server) as sink:
        stranger = Job(contender="ours", origin=sink.origin, paths=(), chunk_size=1)
        with pytest.raises(ssl.SSLCertVerificationError):
            Exchange(stranger)


def test_the_ledger_refuses_what_it_does_not_know() -> None:
    """Unknown uploads are 404, lengths that contradict the range 400."""
    ledger = Ledger(verify=False)
    upload = ledger.open({"source_info": {"video_size": 10}})
    with pytest.raises(RangeError) as unknown:
        ledger.find("v_pub_file~v2-1.0")
    with pytest.raises(RangeError) as contradiction:
        ledger.expect(upload, "bytes 0-9/10", 9)
    assert (unknown.value.status, contradiction.value.status) == (404, 400)


def test_heads_that_hide_their_length_are_refused() -> None:
    """Chunked bodies and lengths that are no number are errors, not zero."""
    with pytest.raises(HeadError, match="chunked"):
        _ = parse_head(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked").length
    with pytest.raises(HeadError, match="not a number"):
        _ = parse_head(b"PUT / HTTP/1.1\r\nContent-Length: many").length


def test_a_head_may_arrive_in_pieces_with_a_body_behind() -> None:
    """What follows the empty line is kept for the body."""
    near, far = socket.socketpair()
    with near, far:
        content = encode_json({"a": 1})
        near.sendall(b"POST /x HTTP/1.1\r\nContent-Len")
        near.sendall(b"gth: 7\r\n\r\n" + content)
        head = read_head(far)
    assert head is not None
    assert head.length == 7
    assert json.loads(head.early) == {"a": 1}
