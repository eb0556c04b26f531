"""The sink in tus's words: POST opens, PATCH appends and is dropped in the kernel, HEAD tells.

Rule: as thin as the other sink, with its ways to take a body; driven in the same way.
"""

from __future__ import annotations

import hashlib
import socket
import time
from itertools import count
from threading import Lock
from typing import Any

from benchmarks.http1 import Head, encode_head, read_head
from benchmarks.ledger import RangeError
from benchmarks.sink import Body, Sink, serve_commands

_REASONS = {200: "OK", 201: "Created", 204: "No Content"}


class TusLedger:
    """The uploads since the last reset, by path."""

    def __init__(self, *, verify: bool) -> None:
        self._verify = verify
        self._lock = Lock()
        self._numbers = count(1)
        self._uploads: dict[str, dict[str, Any]] = {}

    def open(self, size: int) -> str:
        """Open an upload and return its path."""
        with self._lock:
            path = f"/files/{next(self._numbers)}"
            digest = hashlib.sha256() if self._verify else None
            self._uploads[path] = {"size": size, "received": 0, "done_at": None, "digest": digest}
            return path

    def find(self, path: str) -> dict[str, Any]:
        """Return an upload."""
        if path not in self._uploads:
            raise RangeError(404, "no such upload")
        return self._uploads[path]

    def reset(self) -> None:
        """Forget every upload."""
        with self._lock:
            self._uploads.clear()

    def report(self) -> list[dict[str, Any]]:
        """Return what arrived."""
        return [
            {
                "size": each["size"],
                "received": each["received"],
                "done_at": each["done_at"],
                "sha256": each["digest"].hexdigest() if each["digest"] else None,
            }
            for each in self._uploads.values()
        ]


class TusSink(Sink):
    """Listens on a loopback port, and speaks tus."""

    def __init__(self, *, certificate: str | None, verify: bool, usual_port: bool = False) -> None:
        super().__init__(certificate=certificate, verify=verify, usual_port=usual_port)
        self.ledger: TusLedger = TusLedger(verify=verify)  # type: ignore[assignment]

    def converse(self, stream: Any) -> None:
        """Answer until the peer closes."""
        body, pending = Body(stream, verify=self.verify), b""
        while (head := read_head(stream, pending)) is not None:
            try:
                pending = self._answer(stream, head, body)
            except RangeError as error:
                _say(stream, error.status, {"Content-Length": "0"})
                return

    def _answer(self, stream: socket.socket, head: Head, body: Body) -> bytes:
        method, path, _ = head.start
        if method == "POST":
            place = self.ledger.open(int(head.headers["upload-length"]))
            _say(stream, 201, {"Location": place, "Content-Length": "0"})
            return head.early
        upload = self.ledger.find(path)
        if method == "PATCH":
            if int(head.headers["upload-offset"]) != upload["received"]:
                raise RangeError(409, "another offset")
            pending = body.drain(head, upload["digest"])
            upload["received"] += head.length
            if upload["received"] == upload["size"]:
                upload["done_at"] = time.monotonic()
            _say(stream, 204, {"Upload-Offset": str(upload["received"])})
            return pending
        told = {"Upload-Offset": str(upload["received"]), "Upload-Length": str(upload["size"])}
        _say(stream, 200, {**told, "Content-Length": "0"})
        return head.early


def _say(stream: socket.socket, status: int, headers: dict[str, str]) -> None:
    start = f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}"
    stream.sendall(encode_head(start, {"Tus-Resumable": "1.0.0", **headers}))


if __name__ == "__main__":
    serve_commands(TusSink)
