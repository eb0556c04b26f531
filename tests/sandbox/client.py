"""A client that does exactly what it is told, rules or not: http.client and bare sockets."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from transports.tiktok.sandbox import Sandbox

INIT = "/v2/post/publish/video/init/"
STATUS = "/v2/post/publish/status/fetch/"
CANCEL = "/v2/post/publish/cancel/"
CREATOR_INFO = "/v2/post/publish/creator_info/query/"
MIB = 1 << 20
CHUNK = 5 * MIB


class Answer(NamedTuple):
    """A response that has been read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        code: str = self.json["error"]["code"]
        return code


class Upload(NamedTuple):
    """An accepted init."""

    publish_id: str
    url: str
    size: int

    @property
    def target(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}"


def order(size: int = 1000, chunk: int | None = None, count: int | None = None, **post: Any) -> Any:
    """Build an init body that is valid unless told otherwise."""
    chunk = size if chunk is None else chunk
    return {
        "post_info": {"privacy_level": "SELF_ONLY", "title": "clip", **post},
        "source_info": {
            "source": "FILE_UPLOAD",
            "video_size": size,
            "chunk_size": chunk,
            "total_chunk_count": size // chunk if count is None else count,
        },
    }


class Client:
    """Talk to one sandbox over one connection, opened when needed."""

    def __init__(
        self, sandbox: Sandbox, *, tls: ssl.SSLContext | None = None, token: str | None = None
    ) -> None:
        self.sandbox = sandbox
        self.token = token or sandbox.access_token
        self._tls = tls
        where = urlsplit(sandbox.base_url)
        self._address = (where.hostname or "", where.port or 0)
        self.http = (
            http.client.HTTPSConnection(*self._address, context=tls, timeout=10)
            if tls
            else http.client.HTTPConnection(*self._address, timeout=10)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()

    def request(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.http.request(method, target, body, dict(headers or {}))
        response = self.http.getresponse()
        return Answer(response.status, response.headers, response.read())

    def call(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST JSON with the token; keyword headers (`content_type=`) override."""
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self.request("POST", path, raw, sent)

    def init(self, size: int = 1000, chunk: int | None = None, **post: Any) -> Upload:
        """Start an upload that must be accepted."""
        answer = self.call(INIT, order(size, chunk, **post))
        assert answer.status == 200, answer.body
        data = answer.json["data"]
        return Upload(data["publish_id"], data["upload_url"], size)

    def put(
        self, upload: Upload, first: int, last: int, *, body: bytes | None = None, **headers: str
    ) -> Answer:
        """Send one range; keyword headers override, `content_length=""` leaves one out."""
        body = pattern(first, last) if body is None else body
        sent = put_headers(first, last, upload.size, headers)
        return self.request("PUT", upload.target, body, sent)

    def status(self, publish_id: str) -> Any:
        """Return the `data` of a status that must be answered."""
        answer = self.call(STATUS, {"publish_id": publish_id})
        assert answer.status == 200, answer.body
        return answer.json["data"]

    @contextmanager
    def raw(self, head: str, body: bytes = b"") -> Iterator[socket.socket]:
        """Send bytes over a connection of their own."""
        with self.connect() as connection:
            connection.sendall(head.encode() + body)
            yield connection

    def connect(self) -> socket.socket:
        plain = socket.create_connection(self._address, timeout=10)
        return self._tls.wrap_socket(plain, server_hostname="127.0.0.1") if self._tls else plain


def put_headers(first: int, last: int, total: int, changes: Mapping[str, str]) -> dict[str, str]:
    """Return the three required headers, with changes; an empty value removes one."""
    sent = {
        "Content-Type": "video/mp4",
        "Content-Length": str(last - first + 1),
        "Content-Range": f"bytes {first}-{last}/{total}",
    }
    sent |= {name.replace("_", "-").title(): value for name, value in changes.items()}
    return {name: value for name, value in sent.items() if value}


def put_head(upload: Upload, first: int, last: int, **changes: str) -> str:
    """Return the head of a PUT as text, for raw connections."""
    lines = [f"PUT {upload.target} HTTP/1.1", f"Host: {urlsplit(upload.url).netloc}"]
    headers = put_headers(first, last, upload.size, changes)
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines) + "\r\n\r\n"


def pattern(first: int, last: int) -> bytes:
    """Return bytes that differ from range to range."""
    seed = bytes(range(251))
    start = first % 251
    length = last - first + 1
    return (seed[start:] + seed * (length // 251 + 1))[:length]


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the server closes in order; a reset raises."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def read_answer(connection: socket.socket) -> bytes:
    """Read to the end of a response's head; empty if the server closed without one."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return received
        received += piece
    return received
