"""The asyncio face, for FastAPI handlers and other loops.

Rule: the caller's loop only waits; the engine runs on a thread and a loop of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

from uploader.api.handle import UploadHandle
from uploader.api.shared import Face, Pair, refused
from uploader.errors import ConfigurationError, UploaderError
from uploader.model import Session, UploadResult, UploadSpec
from uploader.pacing import PollPolicy
from uploader.source import SourceInput
from uploader.transport import Destination, Flow

T = TypeVar("T")


class AsyncUploader(Face):
    """Upload files to destinations from asyncio. The verbs are those of `Uploader`, awaitable."""

    async def check(self, source: SourceInput, destination: Destination) -> UploadSpec:
        """Return size, media type and cut of the source, as `upload` would send it.

        Raises what `upload` would, and sends nothing.
        """
        return (await asyncio.to_thread(self._prepare, source, destination)).spec

    async def upload(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
    ) -> UploadResult:
        """Upload one file and return how it ended. Cancelling the awaiting task stops it."""
        handle = await self.submit(source, destination, wait=wait, poll=poll)
        return await _awaited(handle)

    async def submit(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        session: Session | None = None,
        part_size: int | None = None,
    ) -> UploadHandle:
        """Start an upload and return a handle; bad input is raised here."""
        # Preparing may block: it opens the file, and spools what has no descriptor.
        prepared = await asyncio.to_thread(self._prepare, source, destination, session, part_size)
        given_up, started = threading.Event(), list[UploadHandle]()

        def start() -> UploadHandle:
            started.append(self._start(prepared, wait=wait, poll=poll))
            if given_up.is_set():
                started[0].cancel()
            return started[0]

        try:
            return await asyncio.to_thread(start)
        except asyncio.CancelledError:
            # The thread goes on: whichever of the two comes last cancels what nobody holds.
            given_up.set()
            for handle in started:
                handle.cancel()
            raise

    async def upload_many(
        self, pairs: Iterable[Pair], *, concurrency: int = 8, wait: bool = True
    ) -> list[UploadResult]:
        """Upload several files, `concurrency` at once; one result per input, in order."""
        if concurrency < 1:
            raise ConfigurationError(f"concurrency is {concurrency}, at least 1 is needed")
        room = asyncio.Semaphore(concurrency)

        async def one(source: SourceInput, destination: Destination) -> UploadResult:
            async with room:
                try:
                    return await self.upload(source, destination, wait=wait)
                except UploaderError as error:
                    return refused(error, destination)

        return list(await asyncio.gather(*(one(*pair) for pair in pairs)))

    async def call(
        self,
        destination: Destination,
        operation: str,
        flow: Callable[[], Flow[T]],
        *,
        repeatable: bool = True,
    ) -> T:
        """Drive one of a destination's small flows, signed and retried, and return its value."""
        return await asyncio.to_thread(
            self._call, destination, operation, flow, repeatable=repeatable
        )

    async def close(self, grace: float = 2.0) -> None:
        """Stop what runs within `grace` seconds and give everything back."""
        await asyncio.to_thread(self._thread.close, grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def _awaited(handle: UploadHandle) -> UploadResult:
    try:
        return await asyncio.wrap_future(handle.future)
    except asyncio.CancelledError:
        handle.cancel()
        raise
