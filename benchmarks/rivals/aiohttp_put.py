"""aiohttp as people write it: the chunk is read whole and given as `data=bytes`.

Rule: one session for each upload on asyncio's own loop; several at once are gathered, and beside
a caller's loop it runs on that loop, because that is what people choose it for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

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


class Aiohttp(Contender):
    """Reads on the loop, as most such code does."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._trust = ssl.create_default_context(cafile=job.authority) if job.tls else True

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        asyncio.run(self.upload_async(path, title))

    def upload_many(self, paths: Sequence[Path]) -> None:
        """Publish several on one loop, as many at once as the job says."""
        asyncio.run(self._gathered(paths))

    async def upload_async(self, path: Path, title: str) -> None:
        """Publish one file on the running loop."""
        size = path.stat().st_size  # noqa: ASYNC240 - on the loop, as people write it
        parts = cut(size, self.job.chunk_size)
        connector = aiohttp.TCPConnector(ssl=self._trust)
        async with aiohttp.ClientSession(connector=connector) as session:
            opened = await self._call(session, INIT, init_body(size, parts, title))
            with path.open("rb") as file:
                for start, length in parts:
                    file.seek(start)
                    headers = put_headers(start, length, size)
                    async with session.put(
                        opened["upload_url"], data=file.read(length), headers=headers
                    ) as answer:
                        await answer.read()
                        if answer.status != expected_status(start, length, size):
                            raise AnswerError(f"a PUT was answered with {answer.status}")
            told = await self._call(session, STATUS, {"publish_id": opened["publish_id"]})
        check_complete(told, size)

    async def _gathered(self, paths: Sequence[Path]) -> None:
        room = asyncio.Semaphore(self.job.concurrency)

        async def one(number: int, path: Path) -> None:
            async with room:
                await self.upload_async(path, f"bench {number}")

        await asyncio.gather(*(one(number, path) for number, path in enumerate(paths)))

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
    return Aiohttp(job)
