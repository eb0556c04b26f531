"""One upload from its first request to its outcome.

Rule: whatever happens becomes one outcome and one last event. Only what is the caller's fault
(`ConfigurationError`, `SourceError`) is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from uploader import events
from uploader.engine.caller import FlowCaller
from uploader.engine.credentials import Signer
from uploader.engine.ordered import OrderedSender
from uploader.engine.prepare import Prepared
from uploader.engine.progress import Tally
from uploader.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    RetriesExhaustedError,
    SourceError,
    TransportError,
    UploadCancelledError,
    UploaderError,
)
from uploader.model import (
    Completion,
    Outcome,
    Part,
    Processing,
    Session,
    UploadResult,
)
from uploader.pacing import PollPolicy
from uploader.pipeline import Reader

if TYPE_CHECKING:
    from uploader.engine.core import Engine
    from uploader.source import Source

GUARD_EVERY = 0.5
"""Seconds between looks at the file: who wants to change it waits about this long for us."""
RECONCILE_ON_CANCEL = 1.0
"""Seconds to learn the fate of a last part when the caller stops: a command must end within two."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the upload stands after its bytes are out."""

    outcome: Outcome
    location: str | None = None
    fields: Mapping[str, Any] | None = None
    error: UploaderError | None = None


class UploadRun:
    """Drive one prepared upload. Made and used on the engine's loop."""

    def __init__(
        self,
        engine: Engine,
        prepared: Prepared,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
    ) -> None:
        self.prepared = prepared
        self._engine = engine
        self._clock = engine.settings.clock
        self._wait = wait
        self._poll = poll or engine.settings.poll
        self._transport = prepared.transport
        self._session = prepared.session
        self.tally = Tally(prepared.facts.size, self._clock.monotonic)
        self.tally.tell = self._told
        signer = Signer(
            prepared.destination, self._transport.name, engine.credentials, engine.executor
        )
        self._caller = FlowCaller(engine.wire, signer, self._clock, engine.settings.retry, self)
        self._sender: OrderedSender | None = None
        self._lost: SourceError | None = None
        self._creating = False
        self._confirmed_at: float | None = None
        self._state = ""
        self._fields: dict[str, Any] = {}

    async def run(self) -> UploadResult:
        """Drive the upload and return its result."""
        self._began = self._clock.monotonic()
        try:
            standing = await self._drive()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            if self._lost is not None:
                self._close(_Standing(Outcome.FAILED, error=self._lost))
                raise self._lost from None
            standing = await self._stopped()
        except (ConfigurationError, SourceError) as error:
            self._close(_Standing(Outcome.FAILED, error=error))
            raise
        except UploaderError as error:
            standing = _Standing(_outcome_of(error), error=error)
        except Exception as error:
            self._emit_failure("internal", type(error).__name__)
            raise
        return self._close(standing)

    async def _drive(self) -> _Standing:
        async with self._engine.lane(self):
            source = await self._open()
            guard = asyncio.create_task(self._guard(source, asyncio.current_task()))
            try:
                await self._transfer(source)
            finally:
                guard.cancel()
                source.close()
        self._confirmed_at = self._clock.monotonic()
        completion = await self._complete()
        return await self._watch(completion)

    async def _guard(self, source: Source, task: asyncio.Task[Any] | None) -> None:
        """Stop the upload, also while it waits, when the file changes or is about to."""
        while True:
            await asyncio.sleep(GUARD_EVERY)
            try:
                source.check()
            except SourceError as error:
                self._lost = error
                if task is not None:
                    task.cancel()
                return

    async def _open(self) -> Source:
        prepared = self.prepared
        reasons: list[str] = []
        source = self._engine.open_source(prepared, reasons.append)
        self._emit(
            events.UploadStarted,
            account=prepared.destination.account,
            name=prepared.facts.name,
            size=prepared.facts.size,
            parts=prepared.plan.count,
            part_size=prepared.plan.part_size,
        )
        for reason in reasons:
            self._fell_back(reason)
        return source

    async def _transfer(self, source: Source) -> None:
        session = self._session or await self._create()
        self._session = session
        self._fields.update(session.fields)
        allowance = self._engine.budget.allowance()
        reader = Reader(source, self.prepared.plan, allowance)
        self._sender = OrderedSender(
            transport=self._transport,
            session=session,
            plan=self.prepared.plan,
            source=source,
            reader=reader,
            caller=self._caller,
            clock=self._clock,
            tally=self.tally,
            listener=self,
            pace=self._engine.pace(self),
        )
        try:
            await self._sender.send_all()
        finally:
            await reader.stop()
            allowance.close()

    async def _create(self) -> Session:
        spec = self.prepared.spec
        created_at, began = self._clock.time(), self._clock.monotonic()
        self._creating = True
        session = await self._caller.call(
            "create", lambda: self._transport.create(spec), repeatable=False
        )
        self._creating = False
        self._emit(events.SessionCreated, seconds=self._clock.monotonic() - began)
        return replace(session, created_at=created_at)

    async def _complete(self) -> Completion:
        assert self._session is not None
        session = self._session
        return await self._caller.call(
            "complete", lambda: self._transport.complete(session, {}), repeatable=True
        )

    async def _watch(self, completion: Completion) -> _Standing:
        """Ask until the server has come to an end, or the patience has."""
        poll = getattr(self._transport, "poll", None)
        fields = {**self._fields, **completion.fields}
        if poll is None:
            return _Standing(Outcome.DONE, completion.location, fields)
        processing = self._sender.ended if self._sender is not None else None
        if not self._wait and processing is None:
            return _Standing(Outcome.PROCESSING, completion.location, fields)
        waits = self._poll.waits()
        while processing is None or not processing.is_terminal:
            processing = await self._ask(poll)
            self._changed(processing)
            if processing.is_terminal:
                break
            wait = next(waits, None)
            if wait is None:
                return _Standing(
                    Outcome.PROCESSING, completion.location, {**fields, **processing.fields}
                )
            await self._clock.sleep(wait)
        return _ended(processing, {**fields, **processing.fields})

    async def _ask(self, poll: Any) -> Processing:
        session = self._session
        try:
            return await self._caller.call("poll", lambda: poll(session), repeatable=True)
        except UploaderError as error:  # that of a credentials callable, too
            # Every byte is confirmed: a status that cannot be had is no failure of the upload.
            return Processing(self._state or "UNREACHABLE", fields={"status_error": error.message})

    async def _stopped(self) -> _Standing:
        """Say how the upload stands when the caller stops it."""
        error = UploadCancelledError("the upload was cancelled")
        if self._confirmed_at is not None:
            error.hint("every byte was confirmed already: the destination goes on by itself")
            return _Standing(Outcome.PROCESSING, error=error)
        opening = self._creating and self._caller.in_flight
        sending = self._sender is not None and self._sender.in_doubt
        if not (opening or sending):
            return _Standing(Outcome.CANCELLED, error=error)
        if sending:
            processing = await self._reconcile()
            if processing is not None:
                return processing
        doubt = OutcomeUnknownError("cancelled while a request that cannot be taken back was out")
        return _Standing(Outcome.UNKNOWN, error=doubt)

    async def _reconcile(self) -> _Standing | None:
        """Ask once, briefly, whether the last part arrived."""
        query, session, size = (
            getattr(self._transport, "query", None),
            self._session,
            self.prepared.facts.size,
        )
        if query is None or session is None:
            return None
        try:
            async with asyncio.timeout(RECONCILE_ON_CANCEL):
                confirmed = await self._caller.once(query(session))
        except (UploaderError, TimeoutError, asyncio.CancelledError):
            return None
        if confirmed.processing is not None:
            return _ended(confirmed.processing, {**self._fields, **confirmed.processing.fields})
        if confirmed.offset == size:
            return _Standing(Outcome.PROCESSING)
        if confirmed.offset is not None and confirmed.offset < size:
            return _Standing(
                Outcome.CANCELLED, error=UploadCancelledError("the upload was cancelled")
            )
        return None

    def _close(self, standing: _Standing) -> UploadResult:
        """Emit the last event and return the result."""
        prepared, outcome, error = self.prepared, standing.outcome, standing.error
        if error is not None:
            error.upload_id = prepared.upload_id
        self.tally.flush()
        if outcome is Outcome.DONE:
            self.tally.finish()
        result = UploadResult(
            outcome=outcome,
            upload_id=prepared.upload_id,
            transport=self._transport.name,
            account=prepared.destination.account,
            location=standing.location,
            fields=standing.fields or dict(self._fields),
            error=error,
            duration=self._clock.monotonic() - self._began,
            size=prepared.facts.size,
            parts=prepared.plan.count,
            bytes_sent=self.tally.bytes_sent,
            retries=self.tally.retries,
        )
        self._emit_last(result)
        return result

    def _emit_last(self, result: UploadResult) -> None:
        common: dict[str, Any] = {
            "outcome": result.outcome,
            "seconds": result.duration,
            "bytes_sent": result.bytes_sent,
            "retries": result.retries,
        }
        error = result.error
        match result.outcome:
            case Outcome.DONE | Outcome.PROCESSING:
                self._emit(
                    events.UploadCompleted, size=result.size, location=result.location, **common
                )
            case Outcome.CANCELLED:
                self._emit(events.UploadCancelled, **common)
            case Outcome.SUSPENDED:
                self._emit(events.UploadSuspended, reason=result.code, **common)
            case Outcome.UNKNOWN:
                message = error.message if error is not None else ""
                self._emit(events.OutcomeUnknown, error=result.code, message=message, **common)
            case Outcome.FAILED:
                detail = error.last if isinstance(error, RetriesExhaustedError) else error
                self._emit(
                    events.UploadFailed,
                    error=result.code,
                    message=error.message if error is not None else "",
                    operation=getattr(detail, "operation", None),
                    status=getattr(detail, "status", None),
                    vendor_code=getattr(detail, "vendor_code", None),
                    request_id=getattr(detail, "request_id", None),
                    **common,
                )

    def _emit_failure(self, code: str, message: str) -> None:
        self._emit(
            events.UploadFailed,
            outcome=Outcome.FAILED,
            seconds=self._clock.monotonic() - self._began,
            bytes_sent=self.tally.bytes_sent,
            retries=self.tally.retries,
            error=code,
            message=message,
        )

    # What the other rooms tell of, as events.

    def request_finished(self, operation: str, outcome: str, seconds: float) -> None:
        self._emit(events.RequestFinished, operation=operation, outcome=outcome, seconds=seconds)

    def retry_scheduled(self, operation: str, attempt: int, wait: float, error: str) -> None:
        self.tally.retries += 1
        self._emit(
            events.RetryScheduled, operation=operation, attempt=attempt, wait=wait, error=error
        )

    def part_started(self, part: Part, attempt: int) -> None:
        self._emit(
            events.PartStarted,
            part=part.index,
            start=part.start,
            length=part.length,
            attempt=attempt,
        )

    def part_confirmed(self, part: Part, seconds: float) -> None:
        self._emit(
            events.PartConfirmed,
            part=part.index,
            length=part.length,
            seconds=seconds,
            confirmed=part.stop,
        )

    def part_failed(self, part: Part, attempt: int, seconds: float, error: TransportError) -> None:
        self._emit(
            events.PartFailed,
            part=part.index,
            attempt=attempt,
            seconds=seconds,
            error=error.code,
            message=error.message,
        )

    def resynced(self, part: Part, offset: int | None) -> None:
        self._emit(events.Resynced, part=part.index, offset=offset)

    def waited(self, operation: str, seconds: float) -> None:
        self._emit(events.LimitWaited, operation=operation, seconds=seconds)

    def _told(self, count: int) -> None:
        self._emit(events.BytesSent, count=count, windows=self._engine.budget.windows)

    def _fell_back(self, reason: str) -> None:
        self._emit(events.SourceFallback, reason=reason)

    def _changed(self, processing: Processing) -> None:
        if processing.state != self._state:
            self._state = processing.state
            seconds = self._clock.monotonic() - (self._confirmed_at or self._began)
            self._emit(
                events.ProcessingChanged,
                state=processing.state,
                terminal=processing.is_terminal,
                seconds=seconds,
            )

    def _emit(self, kind: type[events.Event], **facts: Any) -> None:
        event = kind(upload_id=self.prepared.upload_id, transport=self._transport.name, **facts)
        self._engine.hub.emit(event)


def _ended(processing: Processing, fields: Mapping[str, Any]) -> _Standing:
    if processing.completion is not None:
        return _Standing(Outcome.DONE, processing.completion.location, fields)
    return _Standing(Outcome.FAILED, fields=fields, error=processing.error)


def _outcome_of(error: UploaderError) -> Outcome:
    return Outcome.UNKNOWN if isinstance(error, OutcomeUnknownError) else Outcome.FAILED
