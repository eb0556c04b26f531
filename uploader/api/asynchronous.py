"""The asyncio face, for FastAPI handlers and other loops.

Rule: the caller's loop only waits; the engine runs on a thread and a loop of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from uploader.api.handle import UploadHandle
from uploader.api.shared import Drive, Face, Pair, refused, suspend
from uploader.api.streams import Pouring, Stream, pour_there
from uploader.engine.claiming import Wish, recorded
from uploader.engine.retrying import Lost, Retry
from uploader.errors import ConfigurationError, LeaseHeldError, UploaderError
from uploader.journal import Entry, Pause
from uploader.model import Session, UploadResult, UploadSpec
from uploader.pacing import PollPolicy
from uploader.source import SourceInput
from uploader.transport import Destination, Flow

T = TypeVar("T")
S = TypeVar("S", bound=UploadHandle | UploaderError)


class AsyncUploader(Face):
    """Upload files to destinations from asyncio. The verbs are those of `Uploader`, awaitable."""

    async def check(self, source: SourceInput, destination: Destination) -> UploadSpec:
        """Return size, media type and cut of the source, as `upload` would send it.

        Raises what `upload` would, and sends nothing.
        """
        return (await asyncio.to_thread(self._prepare, source, destination)).spec

    async def preflight(self, source: SourceInput | None, destination: Destination) -> Any:
        """Ask whether the destination would take an upload, as `Uploader.preflight`."""
        return await asyncio.to_thread(self._check_first, source, destination)

    async def upload(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        key: str | None = None,
        again: bool = False,
        time_limit: float | None = None,
        preflight: bool | None = None,
    ) -> UploadResult:
        """Upload one file, as `Uploader.upload`. Cancelling the awaiting task suspends it."""
        handle = await self.submit(
            source,
            destination,
            wait=wait,
            poll=poll,
            key=key,
            again=again,
            time_limit=time_limit,
            preflight=preflight,
        )
        return await _awaited(handle)

    async def submit(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        key: str | None = None,
        again: bool = False,
        time_limit: float | None = None,
        preflight: bool | None = None,
        session: Session | None = None,
        part_size: int | None = None,
    ) -> UploadHandle:
        """Start an upload and return a handle; bad input is raised here."""
        # It blocks: it opens the file, spools what has no descriptor, and writes the journal.
        return await _started(
            lambda: self._submit(
                source,
                destination,
                wish=Wish(key=key, again=again),
                drive=Drive(wait=wait, poll=poll, time_limit=time_limit, preflight=preflight),
                session=session,
                part_size=part_size,
            )
        )

    async def enqueue(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        key: str | None = None,
        not_before: float | None = None,
        not_after: float | None = None,
    ) -> str:
        """Record an upload to be sent later and return its id, as `Uploader.enqueue`."""
        wish = Wish(key=key, not_before=not_before, not_after=not_after)
        return await asyncio.to_thread(self._enqueue, source, destination, wish)

    async def resume(
        self,
        upload_id: str,
        source: SourceInput | None = None,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        time_limit: float | None = None,
    ) -> UploadResult:
        """Go on with a recorded upload, as `Uploader.resume`."""
        drive = Drive(wait=wait, poll=poll, time_limit=time_limit)
        return await _awaited(
            await _started(lambda: self._resume(upload_id, source, drive=drive, look_only=False))
        )

    async def resume_all(self, *, concurrency: int = 8, wait: bool = True) -> list[UploadResult]:
        """Go on with every recorded upload that is due, as `Uploader.resume_all`."""
        room = asyncio.Semaphore(concurrency)

        async def one(upload_id: str) -> UploadResult | None:
            async with room:
                try:
                    return await self.resume(upload_id, wait=wait)
                except LeaseHeldError:
                    return None
                except UploaderError as error:
                    entry = await asyncio.to_thread(self.journal.get, upload_id)
                    return replace(recorded(entry), error=error) if entry is not None else None

        due = await asyncio.to_thread(self._due)
        watched = await asyncio.to_thread(self._worked_on, due) if wait else []
        ids = {entry.upload_id for entry in watched}
        rest = [upload_id for upload_id in due if upload_id not in ids]
        seen, driven = await asyncio.gather(
            self._watched(watched, None), asyncio.gather(*(one(upload_id) for upload_id in rest))
        )
        whose = (*(entry.upload_id for entry in watched), *rest)
        found = dict(zip(whose, (*seen, *driven), strict=True))
        return [result for each in due if (result := found[each]) is not None]

    async def pause(
        self,
        transport: str | None = None,
        account: str | None = None,
        *,
        reason: str = "",
        seconds: float | None = None,
        by: str | None = None,
    ) -> Pause:
        """Hold back uploads, as `Uploader.pause`."""
        return await asyncio.to_thread(
            self._pause, transport, account, reason=reason, seconds=seconds, by=by
        )

    async def unpause(self, transport: str | None = None, account: str | None = None) -> int:
        """Lift pauses, as `Uploader.unpause`."""
        return await asyncio.to_thread(self._unpause, transport, account)

    async def pauses(self) -> Sequence[Pause]:
        """Return what is paused, the longest first."""
        return await asyncio.to_thread(self._pauses)

    async def retry(
        self,
        *,
        error: str | None = None,
        since: float | None = None,
        transport: str | None = None,
        account: str | None = None,
        dry_run: bool = False,
    ) -> Sequence[Retry]:
        """Take uploads that failed up again, as `Uploader.retry`."""
        wanted = Lost(error=error, since=since, transport=transport, account=account)
        return await asyncio.to_thread(self._retry, wanted, dry_run=dry_run)

    async def watch(self, *, poll: PollPolicy | None = None) -> list[UploadResult]:
        """Ask about every upload that a server works on, until each has ended; as `Uploader`'s."""
        watched = await asyncio.to_thread(lambda: self._worked_on(self._due()))
        results = await self._watched(watched, poll)
        return [result for result in results if result is not None]

    async def _watched(
        self, entries: Sequence[Entry], poll: PollPolicy | None
    ) -> Sequence[UploadResult | None]:
        if not entries:
            return []
        future, leave = await asyncio.to_thread(self._watch, entries, poll)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            leave()
            raise

    async def resolve(self, upload_id: str) -> UploadResult:
        """Ask the destination how a recorded upload stands; no byte of it is sent."""
        drive = Drive(poll=PollPolicy(attempts=1))
        return await _awaited(
            await _started(lambda: self._resume(upload_id, None, drive=drive, look_only=True))
        )

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
                    return await asyncio.to_thread(self._refused, error, destination)

        return list(await asyncio.gather(*(one(*pair) for pair in pairs)))

    async def upload_to_all(
        self, source: SourceInput, destinations: Iterable[Destination], *, wait: bool = True
    ) -> list[UploadResult]:
        """Upload one file to several destinations at once, as `Uploader.upload_to_all`."""
        wanted = list(destinations)
        drive = Drive(wait=wait)
        started = await _all_started(lambda: self._submit_to_all(source, wanted, drive))

        async def one(each: UploadHandle | UploaderError, destination: Destination) -> UploadResult:
            try:
                if isinstance(each, UploaderError):
                    return refused(each, destination)
                return await _awaited(each)
            except UploaderError as error:
                return await asyncio.to_thread(self._refused, error, destination)

        pairs = zip(started, wanted, strict=True)
        return list(await asyncio.gather(*(one(*pair) for pair in pairs)))

    async def upload_stream(
        self,
        stream: Stream,
        destination: Destination,
        *,
        name: str = "",
        key: str | None = None,
        again: bool = False,
        wait: bool = True,
    ) -> UploadResult:
        """Upload what comes of a stream, as `Uploader.upload_stream`.

        `stream` may also have an async `read(n)` or be an async iterable, which is read on this
        loop; any other one is read on a thread. Cancelling the awaiting task stops the upload for
        good; a `read` that blocks a thread then ends when it returns.
        """
        wish = Wish(key=key, again=again)
        pouring = await asyncio.to_thread(Pouring, self, destination, name, wish, Drive(wait=wait))
        return await _awaited(await pour_there(pouring, stream, self))

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
        """Suspend what runs within `grace` seconds and give everything back."""
        await asyncio.to_thread(self._thread.close, grace)
        await asyncio.to_thread(self._close_journal)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def _started(start: Callable[[], UploadHandle]) -> UploadHandle:
    """Start an upload on a thread; who is cancelled meanwhile leaves none behind."""
    handles = list[UploadHandle]()

    def carry() -> Sequence[UploadHandle]:
        handles.append(start())
        return handles

    await _all_started(carry)
    return handles[0]


async def _all_started(start: Callable[[], Sequence[S]]) -> Sequence[S]:
    """Start uploads on a thread; who is cancelled meanwhile leaves none behind."""
    given_up, begun = threading.Event(), list[S]()

    def carry() -> Sequence[S]:
        begun.extend(start())
        if given_up.is_set():
            suspend(begun)
        return begun

    try:
        return await asyncio.to_thread(carry)
    except asyncio.CancelledError:
        # The thread goes on: whichever of the two comes last suspends what nobody holds.
        given_up.set()
        suspend(begun)
        raise


async def _awaited(handle: UploadHandle) -> UploadResult:
    try:
        return await asyncio.wrap_future(handle.future)
    except asyncio.CancelledError:
        handle.suspend()
        raise
