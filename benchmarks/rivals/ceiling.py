"""What the sink can take: the same 1 MiB again and again, without any file.

Rule: not a rival, because it sends nothing useful; a figure near this one measures the sink.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.contender import Contender, Job
from benchmarks.rivals.exchange import (
    INIT,
    STATUS,
    Exchange,
    check_complete,
    cut,
    expected_status,
    init_body,
    put_headers,
)

_BLOCK = memoryview(bytes(2**20))


def _blocks(length: int) -> Iterator[memoryview]:
    while length:
        piece = _BLOCK[: min(length, len(_BLOCK))]
        length -= len(piece)
        yield piece


class Ceiling(Contender):
    """Sends as many bytes as the file has."""

    def upload(self, path: Path, title: str) -> None:
        """Send the size of the file, not its bytes."""
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        with Exchange(self.job) as exchange:
            session = exchange.call(INIT, init_body(size, parts, title))
            for start, length in parts:
                expect = expected_status(start, length, size)
                headers = put_headers(start, length, size)
                exchange.put(session["upload_url"], headers, _blocks(length), expect)
            check_complete(exchange.call(STATUS, {"publish_id": session["publish_id"]}), size)


def make(job: Job) -> Contender:
    """Return the contender."""
    return Ceiling(job)
