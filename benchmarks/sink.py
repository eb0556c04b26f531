"""The receiving server: a process of its own, as thin as blocking sockets allow.

A thread per connection; on Linux a plain body is dropped inside the kernel (MSG_TRUNC), so that
the server is not what a benchmark measures. It answers like TikTok's Content Posting API and can
hash what it receives (`--verify`). Rule: it is driven through stdin and stdout (`report`,
`reset`, one JSON line each) and ends when stdin does, so that it never outlives its benchmark.
"""

from __future__ import annotations

import argparse
import json
import mmap
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from benchmarks.http1 import Head, HeadError, encode_head, encode_json, read_head, read_small_body
from benchmarks.ledger import Ledger, RangeError, Upload
from benchmarks.probes import Processor
from benchmarks.tls_stream import TlsStream

_SCRATCH = 64 * 2**20  # address space that MSG_TRUNC never touches
_COPY_BUFFER = 2**20
_UPLOAD_PATH = "/upload"
_REASONS = {200: "OK", 201: "Created", 206: "Partial Content", 400: "Bad Request"}
_CREATOR = {
    "creator_avatar_url": "https://example.invalid/a.webp",
    "creator_username": "bench",
    "creator_nickname": "bench",
    "privacy_level_options": ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"],
    "comment_disabled": False,
    "duet_disabled": False,
    "stitch_disabled": False,
    "max_video_post_duration_sec": 600,
}


def kernel_drops_bodies() -> bool:
    """Whether `recv` with MSG_TRUNC discards TCP bytes without copying them (Linux, tcp(7))."""
    return sys.platform == "linux" and hasattr(socket, "MSG_TRUNC")


def _dropped(sock: socket.socket, buffer: memoryview, size: int) -> int:
    return sock.recv_into(buffer, size, socket.MSG_TRUNC | socket.MSG_WAITALL)


class Body:
    """Drains the body of one connection's requests by the cheapest way that is allowed."""

    def __init__(self, stream: socket.socket | TlsStream, *, verify: bool) -> None:
        drop = isinstance(stream, socket.socket) and not verify and kernel_drops_bodies()
        self._buffer = memoryview(mmap.mmap(-1, _SCRATCH if drop else _COPY_BUFFER))
        self._take: Callable[[memoryview, int], int] = stream.recv_into
        if drop:
            self._take = partial(_dropped, cast(socket.socket, stream))

    def drain(self, head: Head, digest: Any) -> bytes:
        """Take the whole body and return what came of the next request with it."""
        early = memoryview(head.early)[: head.length]
        if digest:
            digest.update(early)
        left = head.length - len(early)
        while left:
            taken = self._take(self._buffer, min(left, len(self._buffer)))
            if not taken:
                raise HeadError("the connection ended inside a body")
            if digest:
                digest.update(self._buffer[:taken])
            left -= taken
        return head.early[head.length :]


class Connection:
    """Serves the requests of one connection, one after the other."""

    def __init__(
        self, stream: socket.socket | TlsStream, ledger: Ledger, origin: str, *, verify: bool
    ) -> None:
        self._stream = stream
        self._ledger = ledger
        self._origin = origin
        self._body = Body(stream, verify=verify)
        self._calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "/v2/post/publish/creator_info/query/": lambda _: _CREATOR,
            "/v2/post/publish/video/init/": self._init,
            "/v2/post/publish/status/fetch/": self._status,
        }

    def serve(self) -> None:
        """Answer until the peer closes or says something that cannot be answered."""
        pending = b""
        while (head := read_head(self._stream, pending)) is not None:
            if head.headers.get("expect", "").lower() == "100-continue":
                self._stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            answer = self._put if head.start[0] == "PUT" else self._call
            try:
                pending = answer(head)
            except RangeError as error:
                self._answer(error.status, {"Connection": "close"}, str(error).encode())
                return
            if not head.keep_alive:
                return

    def _put(self, head: Head) -> bytes:
        upload = self._upload_of(head)
        self._ledger.expect(upload, head.headers.get("content-range", ""), head.length)
        digest = upload.digest.copy() if upload.digest else None
        pending = self._body.drain(head, digest)
        status = self._ledger.store(upload, head.length, digest)
        self._answer(status, {"Content-Range": f"bytes 0-{upload.received}/{upload.size}"})
        return pending

    def _upload_of(self, head: Head) -> Upload:
        url = urlsplit(head.start[1])
        if url.path != _UPLOAD_PATH:
            raise RangeError(404, "no such path")
        return self._ledger.find(parse_qs(url.query).get("upload_id", [""])[0])

    def _call(self, head: Head) -> bytes:
        body, pending = read_small_body(self._stream, head)
        if "host" in head.headers:  # a relay before this sink has another port
            self._origin = f"{urlsplit(self._origin).scheme}://{head.headers['host']}"
        call = self._calls.get(urlsplit(head.start[1]).path)
        if head.start[0] != "POST" or call is None:
            raise RangeError(404, "no such path")
        try:
            data = call(json.loads(body or b"{}"))
        except (ValueError, KeyError, TypeError) as error:
            status = error.status if isinstance(error, RangeError) else 400
            raise RangeError(status, str(error)) from None
        error_field = {"code": "ok", "message": "", "log_id": "bench"}
        content = encode_json({"data": data, "error": error_field})
        self._answer(200, {"Content-Type": "application/json; charset=utf-8"}, content)
        return pending

    def _init(self, request: dict[str, Any]) -> dict[str, Any]:
        upload = self._ledger.open(request)
        query = f"upload_id={upload.publish_id}&upload_token=bench"
        url = f"{self._origin}{_UPLOAD_PATH}?{query}"
        return {"publish_id": upload.publish_id, "upload_url": url}

    def _status(self, request: dict[str, Any]) -> dict[str, Any]:
        upload = self._ledger.find(str(request["publish_id"]))
        status = "PUBLISH_COMPLETE" if upload.complete else "PROCESSING_UPLOAD"
        return {
            "status": status,
            "fail_reason": "",
            "publicaly_available_post_id": [],
            "uploaded_bytes": upload.received,
        }

    def _answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        start = f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}"
        head = encode_head(start, {**headers, "Content-Length": str(len(content))})
        self._stream.sendall(head + content)


class Sink:
    """Listens on a loopback port and serves every connection on a thread of its own."""

    def __init__(self, *, certificate: str | None, verify: bool, usual_port: bool = False) -> None:
        self.verify = verify
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        scheme, usual = ("https", 443) if self._tls else ("http", 80)
        self._listener = _listen(usual if usual_port else 0)
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"{scheme}://127.0.0.1" + ("" if self.port == usual else f":{self.port}")
        self.ledger = Ledger(verify=verify)

    def start(self) -> None:
        """Accept connections until the process ends."""
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError, HeadError), sock:
            self.converse(TlsStream(sock, self._tls) if self._tls else sock)

    def converse(self, stream: socket.socket | TlsStream) -> None:
        """Serve one connection to its end."""
        Connection(stream, self.ledger, self.origin, verify=self.verify).serve()


def _listen(port: int) -> socket.socket:
    """Listen on a port, or on a free one where it is taken or not ours to take."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=256)
    except OSError:
        return socket.create_server(("127.0.0.1", 0), backlog=256)


def serve_commands(kind: type[Sink]) -> None:
    """Run a sink for the process that holds the other ends of stdin and stdout."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.sink", description=__doc__)
    arguments.add_argument("--certificate", help="PEM with key and chain; makes the sink speak TLS")
    arguments.add_argument("--verify", action="store_true", help="hash what is received")
    arguments.add_argument("--usual-port", action="store_true", help="80 or 443 where it is free")
    options = arguments.parse_args()
    sink = kind(
        certificate=options.certificate, verify=options.verify, usual_port=options.usual_port
    )
    sink.start()
    print(json.dumps({"origin": sink.origin}), flush=True)
    start = Processor.now()
    for line in sys.stdin:
        if line.strip() == "reset":
            sink.ledger.reset()
            start = Processor.now()
        spent = Processor.now().since(start)
        report = {"user": spent.user, "system": spent.system, "uploads": sink.ledger.report()}
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    serve_commands(Sink)
