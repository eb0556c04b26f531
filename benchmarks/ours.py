"""Ours, through the public face only.

Rule: nothing here may reach below `uploader` and `transports.tiktok`, so that a user's own
program costs what the table says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cached_property
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.contender import OURS_DURABLE, Contender, Job
from transports.tiktok import DirectPost, TikTokLimits
from uploader import AsyncUploader, Outcome, Uploader, UploadResult
from uploader.transport import Destination

UNLIMITED = TikTokLimits(inits_a_minute=0, statuses_a_minute=0, posts_a_day=0)
"""What is measured is bytes, and the sink counts no requests."""


class NotDoneError(RuntimeError):
    """An upload of ours ended in anything but DONE."""


class Ours(Contender):
    """One `Uploader` per child; its engine runs before the clock starts."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._numbers = count()
        self._uploader = Uploader(**self._settings())

    def __enter__(self) -> Self:
        self._uploader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._uploader.close()
        if self._folder is not None:
            self._folder.cleanup()

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        check(self._uploader.upload(path, self._destination(title)))

    def upload_many(self, paths: Sequence[Path]) -> None:
        """Publish several at once."""
        pairs = [(path, self._destination(f"bench {number}")) for number, path in enumerate(paths)]
        results = self._uploader.upload_many(pairs, concurrency=self.job.concurrency)
        for result in results:
            check(result)

    async def upload_async(self, path: Path, title: str) -> None:
        """Publish one file from the caller's own loop."""
        check(await self._awaitable.upload(path, self._destination(title)))

    async def close_async(self) -> None:
        """End the engine that `upload_async` started."""
        await self._awaitable.close()

    @cached_property
    def _awaitable(self) -> AsyncUploader:
        return AsyncUploader(**self._settings())

    def _settings(self) -> dict[str, Any]:
        """Return what the job asks for; a durable contender gets a journal of its own each time."""
        if self.job.contender != OURS_DURABLE.name:
            return self.job.settings
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="uploader-bench-journal-")
        return {"journal": f"{self._folder.name}/{next(self._numbers)}.db", **self.job.settings}

    def _destination(self, title: str) -> Destination:
        return DirectPost(
            account="bench",
            access_token="bench",  # noqa: S106 - the sink asks for none
            title=title,
            privacy_level="SELF_ONLY",
            base_url=self.job.origin,
            chunk_size=self.job.chunk_size,
            limits=UNLIMITED,
        )


def check(result: UploadResult) -> None:
    """Raise unless the upload is done."""
    if result.outcome is not Outcome.DONE:
        raise NotDoneError(f"{result.outcome}: {result.error}") from result.error


def make(job: Job) -> Contender:
    """Return the contender."""
    return Ours(job)
