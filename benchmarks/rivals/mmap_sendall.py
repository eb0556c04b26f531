"""The limit: a blocking loop that hands mmap slices of 1 MiB to `sendall`.

Rule: no queue, no retry, no journal, no release of pages but the unmapping of each chunk; what a
blocking socket can do with a mapping, and no more. Under TLS it is a blocking ssl socket.
"""

from __future__ import annotations

import mmap
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

_SLICE = 2**20


def slices(view: memoryview) -> Iterator[memoryview]:
    """Cut a view into slices of 1 MiB without copying."""
    for start in range(0, len(view), _SLICE):
        yield view[start : start + _SLICE]


class MmapSendall(Contender):
    """Maps one chunk at a time on one keep-alive connection."""

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        with Exchange(self.job) as exchange, path.open("rb") as file:
            session = exchange.call(INIT, init_body(size, parts, title))
            for start, length in parts:
                headers = put_headers(start, length, size)
                expect = expected_status(start, length, size)
                skip = start % mmap.ALLOCATIONGRANULARITY
                with (
                    mmap.mmap(
                        file.fileno(), skip + length, access=mmap.ACCESS_READ, offset=start - skip
                    ) as mapping,
                    memoryview(mapping)[skip:] as view,
                ):
                    exchange.put(session["upload_url"], headers, slices(view), expect)
            check_complete(exchange.call(STATUS, {"publish_id": session["publish_id"]}), size)


def make(job: Job) -> Contender:
    """Return the contender."""
    return MmapSendall(job)
