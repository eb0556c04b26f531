"""pycurl at its best: one handle, one connection, libcurl reads the file through a callback.

Rule: libcurl's largest upload buffer (2 MiB, CURLOPT_UPLOAD_BUFFERSIZE), no `Expect`, an
unbuffered file; each callback gives libcurl one `bytes` that it copies once.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pycurl

from benchmarks.contender import Contender, Job
from benchmarks.rivals.exchange import (
    INIT,
    STATUS,
    AnswerError,
    check_complete,
    cut,
    expected_status,
    init_body,
    put_headers,
)

_BUFFER = 2 * 2**20
_JSON = ["Authorization: Bearer bench", "Content-Type: application/json"]


def bounded(file: io.FileIO, length: int) -> Callable[[int], bytes]:
    """Return a read callback that ends after `length` bytes."""
    left = length

    def read(size: int) -> bytes:
        nonlocal left
        piece: bytes = file.read(min(size, left))
        left -= len(piece)
        return piece

    return read


class Pycurl(Contender):
    """A handle per upload."""

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        handle = pycurl.Curl()
        try:
            session = self._call(handle, INIT, init_body(size, parts, title))
            with path.open("rb", buffering=0) as file:
                for start, length in parts:
                    file.seek(start)
                    self._put(handle, session["upload_url"], file, start, length, size)
            told = self._call(handle, STATUS, {"publish_id": session["publish_id"]})
            check_complete(told, size)
        finally:
            handle.close()

    def _put(
        self, handle: pycurl.Curl, url: str, file: io.FileIO, start: int, length: int, size: int
    ) -> None:
        headers = put_headers(start, length, size)
        lines = [f"{name}: {value}" for name, value in headers.items() if name != "Content-Length"]
        self._aim(handle, url, [*lines, "Expect:"])
        handle.setopt(pycurl.UPLOAD, 1)
        handle.setopt(pycurl.UPLOAD_BUFFERSIZE, _BUFFER)
        handle.setopt(pycurl.INFILESIZE_LARGE, length)
        handle.setopt(pycurl.READFUNCTION, bounded(file, length))
        self._perform(handle, expected_status(start, length, size))

    def _call(self, handle: pycurl.Curl, path: str, request: dict[str, Any]) -> dict[str, Any]:
        self._aim(handle, self.job.origin + path, [*_JSON, "Expect:"])
        handle.setopt(pycurl.POSTFIELDS, json.dumps(request))
        data: dict[str, Any] = json.loads(self._perform(handle, 200))["data"]
        return data

    def _aim(self, handle: pycurl.Curl, url: str, headers: Sequence[str]) -> None:
        """Forget the last request's options; libcurl keeps the connection."""
        handle.reset()
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPHEADER, list(headers))
        handle.setopt(pycurl.NOSIGNAL, 1)
        if self.job.authority:
            handle.setopt(pycurl.CAINFO, self.job.authority)

    def _perform(self, handle: pycurl.Curl, expect: int) -> bytes:
        answer = io.BytesIO()
        handle.setopt(pycurl.WRITEDATA, answer)
        handle.perform()
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        if status != expect:
            raise AnswerError(f"a request was answered with {status}, not {expect}")
        return answer.getvalue()


def make(job: Job) -> Contender:
    """Return the contender."""
    return Pycurl(job)
