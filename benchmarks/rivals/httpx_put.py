"""httpx: the chunk is read whole and put by one client, which keeps its connection.

Rule: as its documentation advises (a `Client`, `content=bytes`), HTTP/1.1, certificates checked.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx

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
_TIMEOUT = 300


class Httpx(Contender):
    """A client per upload, as a worker's task has it."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._trust = ssl.create_default_context(cafile=job.authority) if job.tls else True

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        with httpx.Client(verify=self._trust, timeout=_TIMEOUT) as client, path.open("rb") as file:
            session = self._call(client, INIT, init_body(size, parts, title))
            for start, length in parts:
                file.seek(start)
                answer = client.put(
                    session["upload_url"],
                    content=file.read(length),
                    headers=put_headers(start, length, size),
                )
                if answer.status_code != expected_status(start, length, size):
                    raise AnswerError(f"a PUT was answered with {answer.status_code}")
            check_complete(self._call(client, STATUS, {"publish_id": session["publish_id"]}), size)

    def _call(self, client: httpx.Client, path: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(self.job.origin + path, json=request, headers=_HEADERS)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data


def make(job: Job) -> Contender:
    """Return the contender."""
    return Httpx(job)
