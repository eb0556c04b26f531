"""The limit without TLS: a blocking `os.sendfile` loop, whose bytes never enter the process.

Rule: no queue, no retry, no journal; plain HTTP only, as the kernel would have to encrypt.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.contender import Contender, Job
from benchmarks.rivals.exchange import (
    INIT,
    STATUS,
    AnswerError,
    Exchange,
    check_complete,
    cut,
    expected_status,
    init_body,
    put_headers,
)


class Sendfile(Contender):
    """One keep-alive connection."""

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        if self.job.tls:
            raise AnswerError("sendfile cannot speak TLS")
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        with Exchange(self.job) as exchange, path.open("rb") as file:
            session = exchange.call(INIT, init_body(size, parts, title))
            for start, length in parts:
                headers = put_headers(start, length, size)
                expect = expected_status(start, length, size)
                exchange.begin("PUT", session["upload_url"], headers)
                self._send(exchange.sock.fileno(), file.fileno(), start, length)
                exchange.finish(expect)
            check_complete(exchange.call(STATUS, {"publish_id": session["publish_id"]}), size)

    def _send(self, out: int, file: int, start: int, length: int) -> None:
        end = start + length
        while start < end:
            sent = os.sendfile(out, file, start, end - start)
            if not sent:
                raise AnswerError(f"the file ended {end - start} bytes early")
            start += sent


def make(job: Job) -> Contender:
    """Return the contender."""
    return Sendfile(job)
