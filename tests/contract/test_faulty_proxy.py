"""The proxy passes on what nobody scripted as it was, and breaks exactly what a test scripts."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from uploader.testing.faulty_proxy import (
    Answer,
    Drop,
    Fault,
    FaultyProxy,
    Garble,
    LoseAnswer,
    ResetAfter,
    Slow,
    Stall,
    Truncate,
)

CONTENT = random.Random(7).randbytes(700_001)


class Peer(ThreadingHTTPServer):
    """Keeps what it was sent, and answers with what it saw."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []
        self.heads: list[dict[str, str]] = []
        self.arrived = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break here on purpose."""


class Handler(BaseHTTPRequestHandler):
    """Any method; `/early` answers before it reads."""

    protocol_version = "HTTP/1.1"
    server: Peer

    def do_PUT(self) -> None:
        if self.path == "/early":
            self.close_connection = True
            self.tell(403, b"no")
            # Closing with unread bytes would reset the connection, and lose the answer.
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1():
                pass
            return
        left, body = int(self.headers.get("Content-Length", 0)), b""
        self.server.heads.append({name.lower(): value for name, value in self.headers.items()})
        self.server.bodies.append(b"")
        while left > len(body) and (piece := self.rfile.read1(left - len(body))):
            body += piece
            with self.server.arrived:
                self.server.bodies[-1] = body
                self.server.arrived.notify_all()
        url = f"{self.server.url}/next?token=t"
        told = json.dumps({"url": url, "escaped": 1}).replace("/", "\\/").encode()
        self.tell(201, told, {"Location": url, "Content-Type": "application/json"})

    do_POST = do_GET = do_HEAD = do_PUT  # noqa: N815 - the library's names

    def tell(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Serve on a thread."""
    with Peer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(peer: Peer) -> Iterator[FaultyProxy]:
    """Stand before the peer."""
    with FaultyProxy(peer.url, operation=lambda method, target, headers: method.lower()) as made:
        yield made


def call(
    proxy: FaultyProxy, method: str = "PUT", target: str = "/a", body: bytes | None = CONTENT
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection(proxy.base_url.partition("://")[2], timeout=20)
    try:
        connection.request(method, target, body, {"Content-Range": "bytes 0-1/2", "X-Own": "1"})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_passes_a_request_on_as_it_was(proxy: FaultyProxy, peer: Peer) -> None:
    """Method, path, query, headers and body go through; nothing is added but the connection's."""
    call(proxy, target="/a%2Fb/%C3%BC?x=1%2B1&y=a+b")

    assert peer.bodies == [CONTENT]
    assert peer.heads[0].keys() - {"accept-encoding", "connection"} == {
        "host",
        "content-length",
        "content-range",
        "x-own",
    }
    assert peer.heads[0]["host"] == proxy.base_url.partition("://")[2]
    assert proxy.exchanges[0].target.reveal() == "/a%2Fb/%C3%BC?x=1%2B1&y=a+b"


def test_records_what_came_by(proxy: FaultyProxy) -> None:
    """Ranges, lengths, digests and both answers, and no value of a query in what is printed."""
    call(proxy, target="/upload?upload_token=zw9")
    call(proxy, "GET", "/status", None)

    put, get = proxy.exchanges
    assert (put.number, put.method, put.operation) == (1, "PUT", "put")
    assert put.ranges == {"content-range": "bytes 0-1/2"}
    assert put.received == put.length == len(CONTENT)
    assert put.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (put.forwarded, put.status, put.answered) == (True, 201, 201)
    assert put.path == "/upload?upload_token=********"
    assert "zw9" not in f"{put!r}"
    assert (get.received, get.length, get.forwarded) == (0, None, True)
    assert proxy.seen("get") == [get]


@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_leads_the_peers_urls_to_itself(proxy: FaultyProxy, method: str) -> None:
    """In headers and in JSON, escaped slashes or not, with a length that is right."""
    answer, content = call(proxy, method, body=None)

    assert answer.headers["Location"] == f"{proxy.base_url}/next?token=t"
    if method == "POST":
        assert json.loads(content)["url"] == f"{proxy.base_url}/next?token=t"


def test_streams(proxy: FaultyProxy, peer: Peer) -> None:
    """The peer has the first bytes while the client still owes the rest."""
    host, port = proxy.base_url.rpartition("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
        with peer.arrived:
            assert peer.arrived.wait_for(lambda: peer.bodies == [b"12345"], 10)
        client.sendall(b"67890")
        assert client.recv(100).startswith(b"HTTP/1.1 201")


def test_answers_expect_continue(proxy: FaultyProxy, peer: Peer) -> None:
    """A client that waits for leave to send its body gets it."""
    host, port = proxy.base_url.rpartition("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(
            b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"ab")
        assert client.recv(100).startswith(b"HTTP/1.1 201")
    assert peer.bodies == [b"ab"]


def test_serves_tls(
    peer: Peer, tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """Before a peer that speaks plain HTTP, whose URLs become https."""
    with FaultyProxy(peer.url, ssl_context=tls_server_context) as proxy:
        address = proxy.base_url.partition("://")[2]
        connection = http.client.HTTPSConnection(address, context=tls_client_context, timeout=20)
        connection.request("PUT", "/a", CONTENT)
        answer = connection.getresponse()
        answer.read()
        connection.close()

    assert answer.headers["Location"].startswith(f"https://{address}/")
    assert peer.bodies == [CONTENT]


# -- what goes wrong -----------------------------------------------------------------------------


def test_drops_before_it_forwards(proxy: FaultyProxy, peer: Peer) -> None:
    """The client is reset, the peer knows of nothing."""
    proxy.script(Fault(act=Drop()))

    with pytest.raises(ConnectionError):
        call(proxy)

    assert peer.heads == []
    assert not proxy.exchanges[0].forwarded


def test_loses_an_answer(proxy: FaultyProxy, peer: Peer) -> None:
    """The peer has acted, the client is reset."""
    proxy.script(Fault(act=LoseAnswer()))

    with pytest.raises(ConnectionError):
        call(proxy)

    assert peer.bodies == [CONTENT]
    exchange = proxy.exchanges[0]
    assert (exchange.forwarded, exchange.status, exchange.answered) == (True, 201, None)


@pytest.mark.parametrize("forward", [False, True])
def test_answers_instead(proxy: FaultyProxy, peer: Peer, forward: bool) -> None:
    """With or without the peer having acted."""
    proxy.script(Fault(act=Answer(503, b"busy", {"Retry-After": "7"}, forward=forward)))

    answer, content = call(proxy)

    assert (answer.status, answer.headers["Retry-After"], content) == (503, "7", b"busy")
    assert peer.bodies == ([CONTENT] if forward else [])


def test_answers_before_the_body_is_there(proxy: FaultyProxy, peer: Peer) -> None:
    """And reads on for a moment, so that the answer arrives."""
    proxy.script(Fault(act=Answer(403, after=1000)))

    answer, _ = call(proxy)

    assert answer.status == 403
    assert peer.heads == []


def test_passes_an_early_answer_on(proxy: FaultyProxy) -> None:
    """A peer that answers before it has read is heard."""
    answer, content = call(proxy, target="/early")

    assert (answer.status, content) == (403, b"no")


@pytest.mark.parametrize("count", [0, 1, 70_000, len(CONTENT) - 1, len(CONTENT)])
def test_resets_after_a_number_of_bytes(proxy: FaultyProxy, peer: Peer, count: int) -> None:
    """So many bytes reach the peer, to the byte."""
    proxy.script(Fault(act=ResetAfter(count)))

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        call(proxy)

    with peer.arrived:
        assert count == 0 or peer.arrived.wait_for(lambda: peer.bodies == [CONTENT[:count]], 10)
    assert proxy.exchanges[0].answered is None


@pytest.mark.parametrize("after", [0, 70_000, None])
def test_stalls_until_it_is_released(proxy: FaultyProxy, peer: Peer, after: int | None) -> None:
    """Nothing moves meanwhile; afterwards all is as usual."""
    proxy.script(Fault(act=Stall(after)))

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, proxy)
        proxy.wait_for(lambda: proxy.stalls == 1)
        assert not waiting.done()
        assert proxy.exchanges[0].received == (len(CONTENT) if after is None else after)
        proxy.release()
        answer, _ = waiting.result()

    assert answer.status == 201
    assert peer.bodies == [CONTENT]


def test_a_client_that_leaves_ends_the_stall(proxy: FaultyProxy) -> None:
    """The peer's side is dropped with it."""
    proxy.script(Fault(act=Stall(5)))
    host, port = proxy.base_url.rpartition("/")[2].split(":")

    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
        proxy.wait_for(lambda: proxy.stalls == 1)

    proxy.wait_for(lambda: proxy.stalls == 0 and proxy.exchanges[0].ended)


def test_slow_is_whole(proxy: FaultyProxy, peer: Peer) -> None:
    """Many small pieces make the same body and the same answer."""
    proxy.script(Fault(act=Slow(5_000)))

    answer, content = call(proxy)

    assert answer.status == 201
    assert json.loads(content)["escaped"] == 1
    assert peer.bodies == [CONTENT]


def test_truncates_an_answer(proxy: FaultyProxy) -> None:
    """The head promises more than comes."""
    proxy.script(Fault(act=Truncate(5)))

    with pytest.raises(http.client.IncompleteRead):
        call(proxy)


@pytest.mark.parametrize("forward", [False, True])
def test_garbles_an_answer(proxy: FaultyProxy, peer: Peer, forward: bool) -> None:
    """What comes is no HTTP."""
    proxy.script(Fault(act=Garble(forward=forward)))

    with pytest.raises(http.client.BadStatusLine):
        call(proxy)

    assert len(peer.heads) == forward


def test_a_peer_that_is_not_there_resets_the_client(proxy: FaultyProxy) -> None:
    """As a broken way to it would."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    proxy.peer = f"http://127.0.0.1:{port}"

    with pytest.raises(ConnectionError):
        call(proxy)


# -- to which request ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "met"),
    [
        (Fault(act=Answer(418), method="POST"), [2]),
        (Fault(act=Answer(418), path=r"^/b\?"), [3]),
        (Fault(act=Answer(418), operation="put", nth=2), [3]),
        (Fault(act=Answer(418), number=4), [4]),
        (Fault(act=Answer(418), nth=2, times=2), [2, 3]),
    ],
    ids=["method", "path", "operation", "number", "nth and times"],
)
def test_meets_the_requests_that_fit(proxy: FaultyProxy, fault: Fault, met: list[int]) -> None:
    """And no others."""
    proxy.script(fault)

    for method, target in [("PUT", "/a"), ("POST", "/a"), ("PUT", "/b?c=d"), ("GET", "/b")]:
        call(proxy, method, target, None)

    assert [each.number for each in proxy.exchanges if each.answered == 418] == met
    assert proxy.pending == []


def test_a_request_meets_one_fault(proxy: FaultyProxy) -> None:
    """The next waits for the next; `clear` forgets those that still wait."""
    proxy.script(Fault(act=Answer(500)), Fault(act=Answer(501)), Fault(act=Answer(502)))

    assert [call(proxy)[0].status for _ in range(2)] == [500, 501]
    assert len(proxy.pending) == 1
    proxy.clear()
    assert call(proxy)[0].status == 201
