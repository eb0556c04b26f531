"""One keep-alive connection on a blocking socket: what the hand-written rivals share.

Rule: no copy of a body; the caller gives memoryviews and they go to `sendall` as they are.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from benchmarks.contender import Job
from benchmarks.http1 import Head, encode_head, encode_json, read_head, read_small_body

_JSON = {"Content-Type": "application/json; charset=UTF-8", "Authorization": "Bearer bench"}
INIT = "/v2/post/publish/video/init/"
STATUS = "/v2/post/publish/status/fetch/"


class AnswerError(RuntimeError):
    """The sink answered something other than what the exchange expects."""


def cut(size: int, chunk_size: int) -> list[tuple[int, int]]:
    """Return offset and length of TikTok's chunks: the remainder joins the last one."""
    if size <= chunk_size:
        return [(0, size)]
    count = size // chunk_size
    parts = [(number * chunk_size, chunk_size) for number in range(count)]
    parts[-1] = (parts[-1][0], size - parts[-1][0])
    return parts


def init_body(size: int, parts: list[tuple[int, int]], title: str) -> dict[str, Any]:
    """Return the JSON of the init call."""
    source = {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": parts[0][1],
        "total_chunk_count": len(parts),
    }
    return {"post_info": {"title": title, "privacy_level": "SELF_ONLY"}, "source_info": source}


def put_headers(start: int, length: int, size: int) -> dict[str, str]:
    """Return the three headers that TikTok requires on a chunk."""
    return {
        "Content-Type": "video/mp4",
        "Content-Length": str(length),
        "Content-Range": f"bytes {start}-{start + length - 1}/{size}",
    }


def expected_status(start: int, length: int, size: int) -> int:
    """Return 206, or 201 for the last chunk."""
    return 201 if start + length == size else 206


class Exchange:
    """A connection to the sink, plain or TLS, that sends requests one after the other."""

    def __init__(self, job: Job) -> None:
        url = urlsplit(job.origin)
        self._host = url.netloc
        sock: socket.socket = socket.create_connection((url.hostname, url.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if job.tls:
            context = ssl.create_default_context(cafile=job.authority)
            sock = context.wrap_socket(sock, server_hostname=url.hostname)
        self.sock = sock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sock.close()

    def call(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """POST a JSON body and return the envelope's data."""
        content = encode_json(request)
        self._send("POST", path, {**_JSON, "Content-Length": str(len(content))})
        self.sock.sendall(content)
        head, body = self._answer()
        if head.start[1] != "200":
            raise AnswerError(f"{path} was answered with {head.start[1]}")
        data: dict[str, Any] = json.loads(body)["data"]
        return data

    def put(
        self, url: str, headers: dict[str, str], slices: Iterable[memoryview], expect: int
    ) -> None:
        """PUT a body slice by slice and check the status."""
        self.begin("PUT", url, headers)
        for piece in slices:
            self.sock.sendall(piece)
        self.finish(expect)

    def begin(self, method: str, url: str, headers: dict[str, str]) -> None:
        """Send the head of a request; the caller sends the body."""
        split = urlsplit(url)
        self._send(method, f"{split.path}?{split.query}", headers)

    def finish(self, expect: int) -> None:
        """Read the answer to a body and check the status."""
        head, _ = self._answer()
        if head.start[1] != str(expect):
            raise AnswerError(f"a PUT was answered with {head.start[1]}, not {expect}")

    def _send(self, method: str, path: str, headers: dict[str, str]) -> None:
        start = f"{method} {path} HTTP/1.1"
        self.sock.sendall(encode_head(start, {"Host": self._host, **headers}))

    def _answer(self) -> tuple[Head, bytes]:
        head = read_head(self.sock)
        if head is None:
            raise AnswerError("the sink closed the connection without an answer")
        body, _ = read_small_body(self.sock, head)
        return head, body


def check_complete(answer: dict[str, Any], size: int) -> None:
    """Raise unless the status call says that every byte is published."""
    if answer["status"] != "PUBLISH_COMPLETE" or answer["uploaded_bytes"] != size:
        raise AnswerError(f"{answer['status']} after {answer['uploaded_bytes']} of {size} bytes")
