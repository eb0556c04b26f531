"""urllib3 with memoryviews of a mapping as bodies, on a pool whose connections stay open.

Rule: what a careful writer of blocking code gets to; a body of a memoryview goes to `sendall` as
one piece. Several at once run in threads.
"""

from __future__ import annotations

import mmap
import ssl
from pathlib import Path
from typing import Any

import urllib3

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

_HEADERS = {"Authorization": "Bearer bench"}


class Urllib3(Contender):
    """One pool, with a connection for each thread."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        context = ssl.create_default_context(cafile=job.authority) if job.tls else None
        self._pool = urllib3.PoolManager(
            maxsize=job.concurrency, block=True, retries=False, ssl_context=context
        )

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        session = self._call(INIT, init_body(size, parts, title))
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping,
            memoryview(mapping) as view,
        ):
            for start, length in parts:
                with view[start : start + length] as body:
                    answer = self._pool.request(
                        "PUT",
                        session["upload_url"],
                        body=body,  # type: ignore[arg-type]
                        headers=put_headers(start, length, size),
                    )
                if answer.status != expected_status(start, length, size):
                    raise AnswerError(f"a PUT was answered with {answer.status}")
        check_complete(self._call(STATUS, {"publish_id": session["publish_id"]}), size)

    def _call(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        url = self.job.origin + path
        answer = self._pool.request("POST", url, json=request, headers=_HEADERS)
        if answer.status != 200:
            raise AnswerError(f"{path} was answered with {answer.status}")
        data: dict[str, Any] = answer.json()["data"]
        return data


def make(job: Job) -> Contender:
    """Return the contender."""
    return Urllib3(job)
