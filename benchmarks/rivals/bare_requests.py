"""The requests of a small upload alone: aiohttp on uvloop, one session, no engine behind it.

Rule: what ours would cost if it were nothing but its requests: init, a PUT with the whole file from
a mapping, status; no check, plan, journal, event or retry. Small files only: the
body is one write. As `bare_fresh` it opens a connection for each init, as ours does, so that what
cannot be repeated never goes out on an idle one.
"""

from __future__ import annotations

import asyncio
import mmap
import ssl
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import uvloop

from benchmarks.contender import BARE_FRESH, Contender, Job
from benchmarks.rivals.exchange import (
    INIT,
    STATUS,
    AnswerError,
    check_complete,
    expected_status,
    init_body,
    put_headers,
)

_HEADERS = {"Authorization": "Bearer bench"}


class BareRequests(Contender):
    """One loop and one session per process, as ours has."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._trust = ssl.create_default_context(cafile=job.authority) if job.tls else True
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.close()

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        self.upload_many([path])

    def upload_many(self, paths: Sequence[Path]) -> None:
        """Publish files, as many at once as the job says."""
        self._runner.run(self._all(paths))

    async def _all(self, paths: Sequence[Path]) -> None:
        room = asyncio.Semaphore(self.job.concurrency)
        connector = aiohttp.TCPConnector(ssl=self._trust, limit=self.job.concurrency)
        fresh = aiohttp.TCPConnector(ssl=self._trust, limit=0, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            aiohttp.ClientSession(connector=fresh) as opening,
        ):
            first = opening if self.job.contender == BARE_FRESH.name else session

            async def one(number: int, path: Path) -> None:
                async with room:
                    await self._publish(first, session, path, f"bench {number}")

            await asyncio.gather(*(one(number, path) for number, path in enumerate(paths)))

    async def _publish(
        self, first: aiohttp.ClientSession, session: aiohttp.ClientSession, path: Path, title: str
    ) -> None:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping,
            memoryview(mapping) as view,
        ):
            size = len(view)
            opened = await self._call(first, INIT, init_body(size, [(0, size)], title))
            headers = put_headers(0, size, size)
            async with session.put(opened["upload_url"], data=view, headers=headers) as answer:
                await answer.read()
                if answer.status != expected_status(0, size, size):
                    raise AnswerError(f"a PUT was answered with {answer.status}")
            told = await self._call(session, STATUS, {"publish_id": opened["publish_id"]})
            check_complete(told, size)

    async def _call(
        self, session: aiohttp.ClientSession, path: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        url = self.job.origin + path
        async with session.post(url, json=request, headers=_HEADERS) as answer:
            answer.raise_for_status()
            data: dict[str, Any] = (await answer.json())["data"]
            return data


def make(job: Job) -> Contender:
    """Return the contender."""
    return BareRequests(job)
