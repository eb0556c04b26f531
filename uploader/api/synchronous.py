"""The synchronous face, for Django views, Celery tasks and scripts.

Rule: thread-safe, installs no signal handlers, never needs the caller to have a loop.
"""

from __future__ import annotations

import concurrent.futures
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from uploader.api.handle import UploadHandle
from uploader.api.shared import Drive, Face, Pair, refused, suspend
from uploader.api.streams import Pouring, Stream, pour_here
from uploader.api.thread import waited
from uploader.engine.claiming import Wish, recorded
from uploader.engine.retrying import Lost, Retry
from uploader.errors import ConfigurationError, LeaseHeldError, UploaderError
from uploader.journal import Pause
from uploader.model import Session, UploadResult, UploadSpec
from uploader.pacing import PollPolicy
from uploader.source import SourceInput
from uploader.transport import Destination, Flow

T = TypeVar("T")


class Uploader(Face):
    """Upload files to destinations.

    Use it as a context manager, or keep one for the life of the process and `close` it. Errors that
    are the caller's fault (`ConfigurationError`, `PlanError`, `SourceError`) are raised; what the
    destination said is in the result, and `result.raise_for_outcome()` turns it into an exception.
    """

    def check(self, source: SourceInput, destination: Destination) -> UploadSpec:
        """Return size, media type and cut of the source, as `upload` would send it.

        Raises what `upload` would, and sends nothing.
        """
        return self._prepare(source, destination).spec

    def preflight(self, source: SourceInput | None, destination: Destination) -> Any:
        """Ask the destination whether it would take an upload, and return what was checked.

        Raises `PreflightError` with every reason when it is hopeless. `None` where the destination
        offers no such check. Nothing is sent but the question, nothing is recorded.
        """
        return self._check_first(source, destination)

    def upload(
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
        """Upload one file and return how it ended, or stands.

        What the journal has as done is answered from it, what was interrupted goes on, and what
        another run drives raises `LeaseHeldError`. `key` names the upload; without one its account,
        public fields and content do. `again=True` posts anew on purpose. With `wait=False` it
        returns PROCESSING once every byte is confirmed. After `time_limit` seconds it ends at the
        next part boundary as SUSPENDED. An exception thrown into the waiting thread suspends the
        upload and is passed on.
        """
        return self.submit(
            source,
            destination,
            wait=wait,
            poll=poll,
            key=key,
            again=again,
            time_limit=time_limit,
            preflight=preflight,
        ).wait()

    def submit(
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
        """Start an upload and return a handle at once; bad input is raised here.

        `session` goes on with an upload that was opened elsewhere, cut by `part_size` bytes.
        """
        return self._submit(
            source,
            destination,
            wish=Wish(key=key, again=again),
            drive=Drive(wait=wait, poll=poll, time_limit=time_limit, preflight=preflight),
            session=session,
            part_size=part_size,
        )

    def enqueue(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        key: str | None = None,
        not_before: float | None = None,
        not_after: float | None = None,
    ) -> str:
        """Record an upload to be sent later and return its id; nothing is sent.

        `resume_all` takes it up between `not_before` and `not_after` (seconds since the epoch);
        later than that, an upload of which nothing was sent ends CANCELLED. The same upload
        twice is one entry.
        """
        wish = Wish(key=key, not_before=not_before, not_after=not_after)
        return self._enqueue(source, destination, wish)

    def resume(
        self,
        upload_id: str,
        source: SourceInput | None = None,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        time_limit: float | None = None,
    ) -> UploadResult:
        """Go on with a recorded upload, and return how it ended.

        `source` replaces the recorded path; its content must be the same. Credentials come from
        `Uploader(credentials=…)`. One that has ended returns its recorded result.
        """
        return self.take_up(upload_id, source, wait=wait, poll=poll, time_limit=time_limit).wait()

    def take_up(
        self,
        upload_id: str,
        source: SourceInput | None = None,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        time_limit: float | None = None,
        look_only: bool = False,
    ) -> UploadHandle:
        """Start what `resume`, or with `look_only` what `resolve` does; return a handle at once."""
        drive = Drive(wait=wait, poll=poll, time_limit=time_limit)
        return self._resume(upload_id, source, drive=drive, look_only=look_only)

    def resume_all(self, *, concurrency: int = 8, wait: bool = True) -> list[UploadResult]:
        """Go on with every recorded upload that is due and that nobody drives.

        `concurrency` are driven at once. Those that servers still work on are watched beside them,
        all by one task, which holds nothing between two questions; without `wait` they are left.
        """
        due = list(self._due())
        watched = self._worked_on(due) if wait else []
        watching, leave = self._watch(watched, None) if watched else (None, lambda: None)
        ids = {entry.upload_id for entry in watched}
        found: dict[str, UploadResult | None] = {}
        try:
            rest = [upload_id for upload_id in due if upload_id not in ids]
            with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
                results = pool.map(lambda each: self._resume_one(each, wait=wait), rest)
                found.update(zip(rest, results, strict=True))
            if watching is not None:
                stand = waited(watching, leave)
                found.update(zip((entry.upload_id for entry in watched), stand, strict=True))
        except BaseException:
            leave()
            raise
        return [result for each in due if (result := found[each]) is not None]

    def watch(self, *, poll: PollPolicy | None = None) -> list[UploadResult]:
        """Ask about every recorded upload that a server works on, until each has ended.

        One task asks for all of them, within each account's limits; `poll` is how often and for
        how long it asks about each. Between two questions nothing is held, neither lease nor lane
        nor file: what a webhook or another process has ended is answered from the journal.
        """
        watched = self._worked_on(self._due())
        results = waited(*self._watch(watched, poll)) if watched else []
        return [result for result in results if result is not None]

    def pause(
        self,
        transport: str | None = None,
        account: str | None = None,
        *,
        reason: str = "",
        seconds: float | None = None,
        by: str | None = None,
    ) -> Pause:
        """Hold back the uploads to a transport, of an account, of both, or all of them.

        In the journal, so that every process obeys. New uploads and those that wait end SUSPENDED
        with a `PausedError`, what runs does so at its next part boundary. What can no longer be
        taken back goes on. Without `seconds` it lasts until `unpause`. `by` is whom errors name,
        this process's user unless given; each `by` has one pause of a transport and account.
        """
        return self._pause(transport, account, reason=reason, seconds=seconds, by=by)

    def unpause(self, transport: str | None = None, account: str | None = None) -> int:
        """Lift the pauses of exactly this transport and account; return how many there were.

        What was held back goes on by `resume_all`, or by its next call.
        """
        return self._unpause(transport, account)

    def pauses(self) -> Sequence[Pause]:
        """Return what is paused, the longest first."""
        return self._pauses()

    def retry(
        self,
        *,
        error: str | None = None,
        since: float | None = None,
        transport: str | None = None,
        account: str | None = None,
        dry_run: bool = False,
    ) -> Sequence[Retry]:
        """Take uploads that failed up again; `resume_all` then sends them.

        Each becomes an upload of its own, of the same identity, whose `fields["retry_of"]` names
        the failed one: nothing is posted twice, and what is UNKNOWN or DONE is never among them.
        `error` is a code of ours or the destination's, `since` seconds since the epoch. With
        `dry_run` nothing is recorded.
        """
        wanted = Lost(error=error, since=since, transport=transport, account=account)
        return self._retry(wanted, dry_run=dry_run)

    def resolve(self, upload_id: str) -> UploadResult:
        """Ask the destination how a recorded upload stands; no byte of it is sent."""
        return self.take_up(upload_id, poll=PollPolicy(attempts=1), look_only=True).wait()

    def upload_many(
        self, pairs: Iterable[Pair], *, concurrency: int = 8, wait: bool = True
    ) -> list[UploadResult]:
        """Upload several files, `concurrency` at once.

        Returns one result per input, in order; a refused input has its error in its result.
        """
        if concurrency < 1:
            raise ConfigurationError(f"concurrency is {concurrency}, at least 1 is needed")
        inputs = list(pairs)
        results: list[UploadResult | None] = [None] * len(inputs)
        running: deque[tuple[int, UploadHandle]] = deque()
        try:
            for index, (source, destination) in enumerate(inputs):
                while len(running) >= concurrency:
                    self._collect_one(running, inputs, results)
                try:
                    handle = self.submit(source, destination, wait=wait)
                except UploaderError as error:
                    results[index] = refused(error, destination)
                else:
                    running.append((index, handle))
            while running:
                self._collect_one(running, inputs, results)
        except BaseException:
            for _, handle in running:
                handle.suspend()
            raise
        return [result for result in results if result is not None]

    def upload_to_all(
        self, source: SourceInput, destinations: Iterable[Destination], *, wait: bool = True
    ) -> list[UploadResult]:
        """Upload one file to several destinations at once, and read it once.

        Returns one result per destination, in order: one that is slow or fails does not harm the
        others. What is wrong with the file itself is raised.
        """
        wanted = list(destinations)
        started = self._submit_to_all(source, wanted, Drive(wait=wait))
        try:
            return [
                self._outcome(each, destination)
                for each, destination in zip(started, wanted, strict=True)
            ]
        except BaseException:
            suspend(started)
            raise

    def _outcome(
        self, started: UploadHandle | UploaderError, destination: Destination
    ) -> UploadResult:
        try:
            if isinstance(started, UploaderError):
                return refused(started, destination)
            return started.result()
        except UploaderError as error:
            return self._refused(error, destination)

    def upload_stream(
        self,
        stream: Stream,
        destination: Destination,
        *,
        name: str = "",
        key: str | None = None,
        again: bool = False,
        wait: bool = True,
    ) -> UploadResult:
        """Upload what comes of a stream whose size nobody knows, and return how it ended.

        `stream` has a `read(n)`, or is an iterable of bytes; it is read in this thread, once. Parts
        are kept in memory until they are stored: at most three of the destination's `part_size`,
        and `stream_bytes` over all streams, which wait for each other. Later parts grow where many
        are needed. Of a run that stops, fails or is killed nothing is left: what was sent is
        dropped, and nothing is resumed. Without a `key` each call is another upload; with one, what
        is done is answered from the journal. `Progress.total` grows with what has come.

        An error of the stream is raised as `SourceReadError`, whose cause it is; an empty stream
        and a destination that must know the size before are refused.
        """
        pouring = Pouring(self, destination, name, Wish(key=key, again=again), Drive(wait=wait))
        return pour_here(pouring, stream, self).wait()

    def call(
        self,
        destination: Destination,
        operation: str,
        flow: Callable[[], Flow[T]],
        *,
        repeatable: bool = True,
    ) -> T:
        """Drive one of a destination's small flows, signed and retried, and return its value.

        `operation` names it in errors. One that is not `repeatable` is tried again only when its
        failure proves that the server did nothing.
        """
        return self._call(destination, operation, flow, repeatable=repeatable)

    def close(self, grace: float = 2.0) -> None:
        """Suspend what runs within `grace` seconds and give everything back."""
        self._thread.close(grace)
        self._close_journal()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _resume_one(self, upload_id: str, *, wait: bool) -> UploadResult | None:
        """Go on with one of many; `None` when another run was quicker."""
        try:
            return self.resume(upload_id, wait=wait)
        except LeaseHeldError:
            return None
        except UploaderError as error:
            entry = self.journal.get(upload_id)
            return replace(recorded(entry), error=error) if entry is not None else None

    def _collect_one(
        self,
        running: deque[tuple[int, UploadHandle]],
        inputs: list[Pair],
        results: list[UploadResult | None],
    ) -> None:
        """Wait for whichever upload ends first."""
        concurrent.futures.wait(
            [handle.future for _, handle in running],
            return_when=concurrent.futures.FIRST_COMPLETED,
        )
        for item in [item for item in running if item[1].done()]:
            running.remove(item)
            index, handle = item
            try:
                results[index] = handle.result()
            except UploaderError as error:
                results[index] = self._refused(error, inputs[index][1])
