"""One upload from where it stands to its outcome.

Rule: whatever happens becomes one outcome, one record and one last event. Only what is the caller's
fault (`ConfigurationError`, `SourceError`) is raised.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from uploader import events
from uploader.engine.caller import FlowCaller
from uploader.engine.content import check_parts
from uploader.engine.credentials import Signer
from uploader.engine.logbook import Logbook
from uploader.engine.ordered import OrderedSender
from uploader.engine.prepare import Prepared
from uploader.engine.progress import Tally
from uploader.engine.resuming import (
    Point,
    Resumption,
    age,
    forgotten,
    is_adopted,
    is_restored,
    may_be_committed,
    may_open_again,
    unanswered,
)
from uploader.engine.standing import Standing, ended, failed
from uploader.engine.stopping import Stop, StopReason
from uploader.engine.telling import Teller
from uploader.engine.watching import Watcher
from uploader.errors import (
    ConfigurationError,
    JournalError,
    OutcomeUnknownError,
    SessionExpiredError,
    SourceChangedError,
    SourceError,
    UploadCancelledError,
    UploaderError,
)
from uploader.journal import PartRecord, State
from uploader.model import Outcome, Part, Processing, Session, UploadResult
from uploader.pacing import PollPolicy
from uploader.pipeline import Reader

if TYPE_CHECKING:
    from uploader.engine.core import Engine
    from uploader.source import Source

RECONCILE_ON_CANCEL = 1.0
"""Seconds to learn the fate of a last part when the caller stops: a command must end within two."""


class UploadRun:
    """Drive one prepared upload. Made and used on the engine's loop.

    `time_limit` ends the run at the first part boundary after so many seconds, as SUSPENDED. With
    `look_only` nothing is sent: the server is asked how the upload stands. `fresh` tells that no
    run came before this one.
    """

    def __init__(
        self,
        engine: Engine,
        prepared: Prepared,
        logbook: Logbook,
        *,
        wait: bool = True,
        poll: PollPolicy | None = None,
        time_limit: float | None = None,
        look_only: bool = False,
        fresh: bool = False,
    ) -> None:
        self.prepared = prepared
        self._engine = engine
        self._clock = engine.settings.clock
        self._log = logbook
        self._wait = wait
        self._look_only = look_only
        self._fresh = fresh
        self._transport = prepared.transport
        self.tally = Tally(prepared.plan.size, self._clock.monotonic)
        self.teller = Teller(
            prepared.upload_id,
            self._transport.name,
            engine.hub.emit,
            self.tally,
            lambda: engine.budget.windows,
        )
        signer = Signer(
            prepared.destination, self._transport.name, engine.credentials, engine.token_executor
        )
        self._caller = FlowCaller(
            engine.wire, signer, self._clock, engine.settings.retry, self.teller
        )
        self._watcher = Watcher(
            self._transport, self._caller, self._clock, poll or engine.settings.poll, self.teller
        )
        self.stop = Stop(self._clock, time_limit)
        self._session = logbook.entry.session
        self._sender: OrderedSender | None = None
        self._creating = False
        self._unsettled = logbook.entry.state in (State.COMMITTING, State.UNKNOWN)
        """Whether an earlier run may have posted, and the server has not told otherwise yet."""
        self._resumed_from: int | None = None
        self._began = self._clock.monotonic()

    async def run(self) -> UploadResult:
        """Drive the upload and return its result."""
        self._began = self._clock.monotonic()
        keeping = asyncio.create_task(self._log.keep(self._lose_lease))
        self.stop.task = asyncio.current_task()
        raised: UploaderError | None = None
        try:
            standing = await self._drive()
        except asyncio.CancelledError:
            self.stop.consume()
            standing = await self._stopped()
            raised = standing.error if isinstance(standing.error, SourceError) else None
        except (ConfigurationError, SourceError) as error:
            outcome = Outcome.UNKNOWN if self._in_doubt else Outcome.FAILED
            raised, standing = error, Standing(outcome, error=error)
        except UploaderError as error:
            standing = failed(error, in_doubt=self._in_doubt)
        except Exception as error:
            self.teller.crashed(error, self._clock.monotonic() - self._began)
            raise
        finally:
            keeping.cancel()
        await self.stop.over()
        result = await self._close(standing)
        if raised is not None:
            raise raised
        return result

    # The way of an upload.

    async def _drive(self) -> Standing:
        entry = self._log.entry
        too_early_or_late = self._out_of_time()
        if too_early_or_late is not None:
            return too_early_or_late
        if entry.state is State.PROCESSING and self._session is not None:
            return await self._watch(None)
        if is_restored(entry):
            return await self._look_back()
        if self._look_only:
            return await self._look()
        async with self._engine.lane(self.teller):
            source = self._open()
            guard = asyncio.create_task(self.stop.guard(source))
            try:
                ended_already = await self._transfer(source)
            finally:
                guard.cancel()
                source.close()
        await self._log.save(state=State.PROCESSING, confirmed=self.prepared.plan.count)
        return await self._watch(ended_already)

    def _out_of_time(self) -> Standing | None:
        """Say so when an upload of which nothing was sent is not due yet, or no longer."""
        entry, now = self._log.entry, self._clock.time()
        if entry.state is not State.QUEUED:
            return None
        if entry.not_after is not None and now > entry.not_after:
            late = now - entry.not_after
            error = UploadCancelledError(f"it was due until {late:,.0f} s ago; nothing was sent")
            return Standing(Outcome.CANCELLED, error=error)
        if entry.not_before is not None and now < entry.not_before:
            wait = entry.not_before - now
            error = UploadCancelledError(f"it is due in {wait:,.0f} s; nothing was sent")
            return Standing(Outcome.SUSPENDED, error=error)
        return None

    def _open(self) -> Source:
        prepared = self.prepared
        reasons: list[str] = []
        source = self._engine.open_source(prepared, reasons.append)
        self.teller.tell(
            events.UploadStarted,
            account=prepared.destination.account,
            name=prepared.facts.name,
            size=prepared.plan.size,
            parts=prepared.plan.count,
            part_size=prepared.plan.part_size,
            resumed_from=None if self._session is None else self._log.entry.confirmed,
        )
        for reason in reasons:
            self.teller.fell_back(reason)
        return source

    async def _transfer(self, source: Source) -> Processing | None:
        """Send what is missing; return the server's last word when it has ended already."""
        point = await self._go_on()
        if point.ended is not None:
            return point.ended
        session = self._session or await self._create()
        self._session = session
        allowance = self._engine.budget.allowance()
        reader = Reader(source, self.prepared.plan, allowance, digest=self._log.wants_digests)
        self._sender = sender = OrderedSender(
            transport=self._transport,
            session=session,
            plan=self.prepared.plan,
            source=source,
            reader=reader,
            caller=self._caller,
            clock=self._clock,
            tally=self.tally,
            listener=self.teller,
            pace=self._engine.pace(self.teller),
            permit=self._log.permit,
            before=self._before_part,
            after=self._after_part,
            suspect=self._suspects(session),
        )
        try:
            await sender.send_all(point.index)
        finally:
            await reader.stop()
            allowance.close()
        return sender.ended

    async def _go_on(self) -> Point:
        """Return where to begin: at the start, or where an earlier run was interrupted."""
        entry, session = self._log.entry, self._session
        if session is None:
            opened = entry.state in (State.OPENING, State.UNKNOWN)
            if opened and not may_open_again(entry, self._transport, self._clock):
                raise unanswered(entry, self._transport)
            self._unsettled = False
            return Point(0)
        if self._fresh:
            return Point(0)  # opened elsewhere a moment ago: there is nothing to ask about
        await self._prove_content()
        try:
            point = await self._resumption().point(entry, session, self.prepared.plan)
        except SessionExpiredError as error:
            if is_adopted(entry):
                raise  # another session would be another post than the one that was asked for
            self.teller.tell(events.SessionRestarted, reason=error.message)
            self._session = None
            await self._log.save(session=None, confirmed=0, state=State.QUEUED)
            return Point(0)
        plan = self.prepared.plan
        if point.index < plan.count:
            self._unsettled = False
        self._resumed_from = (
            plan.size if point.index == plan.count else (plan.part(point.index).start)
        )
        self.tally.confirm(self._resumed_from)
        return point

    async def _prove_content(self) -> None:
        """Refuse to go on when a part that was sent has other content now."""
        records, prepared = await self._log.parts(), self.prepared
        differs = await asyncio.get_running_loop().run_in_executor(
            self._engine.executor,
            check_parts,
            prepared.source,
            prepared.facts.name,
            prepared.plan,
            records,
        )
        if differs is not None:
            part = prepared.plan.part(differs)
            raise SourceChangedError(
                f"{prepared.facts.name} has other content now in bytes {part.start:,} to"
                f" {part.stop:,}, which were sent already"
            ).hint("upload the new content as a new post")

    def _resumption(self) -> Resumption:
        return Resumption(self._transport, self._caller, self._clock, self.teller.resynced)

    async def _create(self) -> Session:
        spec = self.prepared.spec
        await self._log.save(state=State.OPENING, durable=True)
        created_at, began = self._clock.time(), self._clock.monotonic()
        self._creating = True
        session = await self._caller.call(
            "create", lambda: self._transport.create(spec), repeatable=False
        )
        self._creating = False
        session = replace(session, created_at=created_at)
        await self._log.save(state=State.SENDING, session=session, fields=dict(session.fields))
        self.teller.tell(events.SessionCreated, seconds=self._clock.monotonic() - began)
        return session

    async def _before_part(self, part: Part, *, final: bool) -> None:
        self.stop.at_boundary()
        if final:
            await self._log.save(state=State.COMMITTING, durable=True)

    async def _after_part(self, part: Part, digest: str | None, *, final: bool) -> None:
        changes: dict[str, Any] = {"state": State.PROCESSING} if final else {}
        await self._log.save(
            part=PartRecord(part.index, digest), confirmed=part.index + 1, **changes
        )

    async def _watch(self, processing: Processing | None) -> Standing:
        assert self._session is not None
        return await self._watcher.watch(self._session, processing, wait=self._wait)

    def _suspects(self, session: Session) -> bool:
        """Whether a refusal of the last part may mean that an earlier run had it posted.

        A refusal of a session that has expired means just that.
        """
        lifetime = self._transport.capabilities.session_lifetime
        expired = lifetime is not None and age(session.created_at, self._clock) >= lifetime
        return may_be_committed(self._log.entry) and not expired

    async def _look_back(self) -> Standing:
        """Ask about an upload of a restored journal; only that it is posted can be believed."""
        session, plan = self._session, self.prepared.plan
        if session is not None:
            point = await self._resumption().point(self._log.entry, session, plan)
            if point.index == plan.count:
                standing = await self._watch(point.ended)
                if standing.outcome is not Outcome.FAILED:
                    return standing
        raise forgotten()

    async def _look(self) -> Standing:
        """Ask how the upload stands, and send nothing."""
        entry, session = self._log.entry, self._session
        if session is None:
            if entry.state in (State.OPENING, State.UNKNOWN):
                if may_open_again(entry, self._transport, self._clock):
                    error = UploadCancelledError("nothing was posted: what was opened has expired")
                    return Standing(Outcome.CANCELLED, error=error)
                raise unanswered(entry, self._transport)
            return Standing(Outcome.SUSPENDED)
        try:
            point = await self._resumption().point(entry, session, self.prepared.plan)
        except SessionExpiredError:
            return Standing(Outcome.SUSPENDED)
        if point.ended is not None:
            return ended(point.ended, session.fields)
        if point.index == self.prepared.plan.count:
            return await self._watch(None)
        # What may have been committed stays so: the status may be late, and SENDING would let an
        # hour's age alone open a second upload.
        committed = may_be_committed(entry)
        state = State.COMMITTING if committed else State.SENDING
        await self._log.save(state=state, confirmed=point.index)
        return Standing(Outcome.SUSPENDED)

    # The end of a run.

    @property
    def _in_doubt(self) -> bool:
        """Whether a request that cannot be taken back may have been acted on."""
        if self._unsettled or (self._creating and self._caller.in_flight):
            return True
        if self._log.entry.state in (State.PROCESSING, State.UNKNOWN):
            return True
        return self._sender is not None and self._sender.in_doubt

    @property
    def _last_part_is_not_out(self) -> bool:
        """Whether it is certain that the last part, which was announced, was not stored."""
        announced = self._log.entry.state is State.COMMITTING
        return announced and self._sender is not None and self._sender.certain

    def _lose_lease(self) -> None:
        self.stop.now(StopReason.LEASE_LOST)

    async def _stopped(self) -> Standing:
        """Say how the upload stands when it was stopped from outside."""
        reason, lost = self.stop.reason, self.stop.error
        cancelled, file_lost = reason is StopReason.CANCELLED, reason is StopReason.SOURCE_LOST
        outcome = Outcome.CANCELLED if cancelled else Outcome.SUSPENDED
        if file_lost:
            outcome = Outcome.FAILED
        error = lost or UploadCancelledError(
            "the upload was cancelled" if cancelled else "the upload was suspended"
        )
        if self._log.entry.state is State.PROCESSING:
            if file_lost:  # it has served its purpose
                return Standing(Outcome.PROCESSING)
            error.hint("every byte was confirmed already: the destination goes on by itself")
            return Standing(Outcome.PROCESSING, error=error)
        if not self._in_doubt:
            return Standing(outcome, error=error)
        if not self._creating:
            found = await self._reconcile(Standing(outcome, error=error))
            if found is not None:
                return found
        doubt = OutcomeUnknownError("stopped while a request that cannot be taken back was out")
        return Standing(Outcome.UNKNOWN, error=doubt)

    async def _reconcile(self, otherwise: Standing) -> Standing | None:
        """Ask once, briefly, whether the last part arrived."""
        query, session, plan = (
            getattr(self._transport, "query", None),
            self._session,
            self.prepared.plan,
        )
        if query is None or session is None:
            return None
        try:
            async with asyncio.timeout(RECONCILE_ON_CANCEL):
                confirmed = await self._caller.once(query(session))
        except (UploaderError, TimeoutError, asyncio.CancelledError):
            return None
        if confirmed.processing is not None:
            return ended(confirmed.processing, session.fields)
        if confirmed.offset == plan.size:
            return Standing(Outcome.PROCESSING)
        part_is_out = self._sender is not None and self._sender.is_out
        if confirmed.offset == plan.part(plan.count - 1).start and not part_is_out:
            return otherwise
        return None

    async def _close(self, standing: Standing) -> UploadResult:
        """Record the outcome, emit the last event and return the result."""
        self.tally.flush()
        standing = await self._recorded(standing)
        prepared, error = self.prepared, standing.error
        if error is not None:
            error.upload_id = prepared.upload_id
        if standing.outcome is Outcome.DONE:
            self.tally.finish()
        fields = {**(self._session.fields if self._session is not None else {}), **standing.fields}
        result = UploadResult(
            outcome=standing.outcome,
            upload_id=prepared.upload_id,
            transport=self._transport.name,
            account=prepared.destination.account,
            location=standing.location,
            fields=fields,
            error=error,
            duration=self._clock.monotonic() - self._began,
            size=prepared.plan.size,
            parts=prepared.plan.count,
            bytes_sent=self.tally.bytes_sent,
            retries=self.tally.retries,
            resumed_from=self._resumed_from,
        )
        self.teller.ended(result)
        return result

    async def _recorded(self, standing: Standing) -> Standing:
        """Write the outcome and give the lease back; say so when it cannot be written."""
        state, error = standing.state, standing.error
        if standing.outcome is Outcome.SUSPENDED and self._last_part_is_not_out:
            state = State.SENDING
        opening = self._log.entry.state is State.OPENING
        if (
            standing.outcome is Outcome.SUSPENDED
            and opening
            and not isinstance(error, JournalError)
        ):
            state = State.QUEUED  # it is certain that nothing was opened
        try:
            # UNKNOWN is not written twice: its time tells when what was opened has expired.
            if state is not None and not (state is State.UNKNOWN is self._log.entry.state):
                await self._log.save(
                    state=state,
                    location=standing.location,
                    fields={**self._log.entry.fields, **standing.fields},
                    error=error.to_dict() if error is not None else None,
                )
        except JournalError as failure:
            failure.hint(f"the outcome that could not be recorded: {standing.outcome}")
            doubtful = standing.outcome in (Outcome.DONE, Outcome.PROCESSING, Outcome.UNKNOWN)
            outcome = Outcome.UNKNOWN if doubtful else Outcome.SUSPENDED
            return replace(standing, outcome=outcome, error=failure)
        finally:
            await self._log.release()
        return standing
