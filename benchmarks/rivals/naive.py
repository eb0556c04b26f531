"""The naive loop: read the whole chunk, `requests.put(url, data=chunk)`, next chunk.

Rule: as such loops are written — one call without a session per request — but with the right
ranges and checked answers, so that it publishes the same bytes as the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

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


class Naive(Contender):
    """Holds one chunk in memory and one connection per request."""

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        session = self._call(INIT, init_body(size, parts, title))
        with path.open("rb") as file:
            for start, length in parts:
                file.seek(start)
                chunk = file.read(length)
                answer = requests.put(
                    session["upload_url"],
                    data=chunk,
                    headers=put_headers(start, length, size),
                    timeout=_TIMEOUT,
                    verify=self._trust,
                )
                if answer.status_code != expected_status(start, length, size):
                    raise AnswerError(f"a PUT was answered with {answer.status_code}")
        check_complete(self._call(STATUS, {"publish_id": session["publish_id"]}), size)

    @property
    def _trust(self) -> str | bool:
        return self.job.authority or True

    def _call(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        url = self.job.origin + path
        answer = requests.post(
            url, json=request, headers=_HEADERS, timeout=_TIMEOUT, verify=self._trust
        )
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data


def make(job: Job) -> Contender:
    """Return the contender."""
    return Naive(job)
