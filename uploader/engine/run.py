"""One upload from where it stands to its outcome.

Rule: whatever happens becomes one outcome, one record and one last event. Only what is the caller's
fault (`ConfigurationError`, `SourceError`) is raised.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from uploader import events, planner
from uploader.engine.caller import FlowCaller
from uploader.engine.completing import Completer
from uploader.engine.course import Course
from uploader.engine.credentials import Signer
from uploader.engine.ending import Ending
from uploader.engine.gate import Later
from uploader.engine.inquiry import Inquiry
from uploader.engine.logbook import Logbook
from uploader.engine.pausing import Hold
from uploader.engine.prepare import Prepared
from uploader.engine.progress import Tally
from uploader.engine.resuming import STALE, Point, counted_here, forgotten, is_restored
from uploader.engine.sending import Sending
from uploader.engine.standing import Standing, failed
from uploader.engine.stopping import Stop, StopReason
from uploader.engine.telling import Teller
from uploader.engine.watching import Watcher
from uploader.errors import (
    ConfigurationError,
    OffsetMismatchError,
    SourceError,
    UploadCancelledError,
    UploaderError,
)
from uploader.journal import PAUSABLE, PartRecord, State
from uploader.model import Completion, Outcome, Processing, Session, UploadResult
from uploader.pacing import PollPolicy
from uploader.retry import RetryBudget
from uploader.transport import Flow, Moment

if TYPE_CHECKING:
    from uploader.engine.core import Engine
    from uploader.source import Source


class UploadRun:
    """Drive one prepared upload. Made and used on the engine's loop.

    `time_limit` ends the run at the first part boundary after so many seconds, as SUSPENDED, and
    before any wait that would last longer; what is only watched by then is PROCESSING. With
    `look_only` nothing is sent: the server is asked how the upload stands. `fresh` tells that no
    run came before this one. `watched_since` (by the monotonic clock) makes it one look of many at
    an upload that the server works on: only its end is told.
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
        watched_since: float | None = None,
    ) -> None:
        self.prepared = prepared
        self._engine = engine
        self._clock = engine.settings.clock
        self._log = logbook
        self._wait = wait
        self._look_only = look_only
        self._fresh = fresh
        self._one_of_many = watched_since is not None
        self._transport, self._abilities = prepared.transport, prepared.abilities
        self._commits = prepared.transport.capabilities.irreversible is Moment.COMPLETE
        self.tally = Tally(prepared.plan.size, self._clock.monotonic)
        self.teller = Teller(
            prepared.upload_id,
            self._transport.name,
            engine.hub.emit,
            self.tally,
            lambda: engine.budget.windows,
        )
        self.stop = Stop(self._clock, time_limit)
        if logbook.entry.state in PAUSABLE and not look_only:
            self.stop.hold = Hold(
                engine.board,
                logbook.journal,
                self._transport.name,
                prepared.destination.account,
                self.teller.tell,
            )
        signer = Signer(
            prepared.destination, self._transport.name, engine.credentials, engine.token_executor
        )
        self._caller = FlowCaller(
            engine.wire,
            signer,
            self._clock,
            engine.settings.retry,
            self.teller,
            engine.gate(prepared.destination, self._transport, self.teller),
        )
        self._watcher = Watcher(
            self._transport,
            self._abilities,
            self._caller,
            self._clock,
            poll or engine.settings.poll,
            self.teller,
            self.stop.outlasts,
            lambda seconds: engine.rounds.wait(prepared.upload_id, seconds),
            watched_since,
        )
        self.teller.only_ends = self._one_of_many
        entry = logbook.entry
        self._course = Course(entry.session, entry.state in (State.COMMITTING, State.UNKNOWN))
        if prepared.at_once:
            self._course.unsettled = False  # sent twice it leaves one object
        self._completer = Completer(
            self._transport, self._abilities, self._caller, self._course, logbook
        )
        self._ending = Ending(
            prepared, self._course, self._caller, logbook, self.stop, self.tally, self._completer
        )
        self._inquiry = Inquiry(
            prepared,
            course=self._course,
            caller=self._caller,
            completer=self._completer,
            logbook=logbook,
            clock=self._clock,
            tally=self.tally,
            teller=self.teller,
            executor=engine.executor,
        )
        self._caller.before_wait = self._before_wait
        self._gate = self._caller.gate
        if self._gate is not None:
            self._gate.before_wait = self._before_wait
        self._opening: RetryBudget | None = None
        """What is left of the tries to open it, over all times that it waited in between."""
        self._begun = False

    async def run(self) -> UploadResult:
        """Drive the upload and return its result."""
        began = self._clock.monotonic()
        self._log.keep(lambda: self.stop.now(StopReason.LEASE_LOST))
        self.stop.task = asyncio.current_task()
        raised: UploaderError | None = None
        refused = False
        try:
            standing = await self._drive()
        except asyncio.CancelledError:
            self.stop.consume()
            standing = await self._ending.stopped()
            raised = standing.error if isinstance(standing.error, SourceError) else None
        except (ConfigurationError, SourceError) as error:
            outcome = Outcome.UNKNOWN if self._ending.in_doubt else Outcome.FAILED
            raised, standing = error, Standing(outcome, error=error)
        except UploaderError as error:
            refused, standing = True, failed(error, in_doubt=self._ending.in_doubt)
        except Exception as error:
            self.teller.crashed(error, self._clock.monotonic() - began)
            raise
        finally:
            self._log.keep_no_more()
        await self.stop.over()
        if refused:
            # Not before: a stop while it is judged would leave how it ended without a record.
            standing = await self._judged(standing)
        await self._ending.abort(standing)
        standing = await self._ending.recorded(standing)
        result = self._result(standing, self._clock.monotonic() - began)
        if not (self._one_of_many and result.outcome is Outcome.PROCESSING):
            self.teller.ended(result)
        if raised is not None:
            raise raised
        return result

    async def _judged(self, standing: Standing) -> Standing:
        """Let the breaker say whether what was refused waits; an engine that closes says no."""
        with contextlib.suppress(asyncio.CancelledError):
            return await self._engine.breaker.judged(
                standing, self._log.journal, self._log.entry, self.teller.tell
            )
        return standing

    def _before_wait(self, seconds: float) -> None:
        """End the run before a wait that its time does not allow, but never in doubt."""
        if self._log.entry.state is State.PROCESSING or not self._ending.in_doubt:
            self.stop.before_wait(seconds)

    # The way of an upload.

    async def _drive(self) -> Standing:
        entry = self._log.entry
        too_early_or_late = self._out_of_time()
        if too_early_or_late is not None:
            return too_early_or_late
        if entry.state is State.PROCESSING and (self._course.session or self.prepared.at_once):
            if self._commits or self.prepared.at_once:
                self._course.completion = Completion(entry.location, entry.fields)
            return await self._watch(None)
        if is_restored(entry):
            return await self._look_back()
        if self._look_only:
            return await self._look()
        return await self._processing(await self._in_lane())

    async def _in_lane(self) -> Processing | None:
        """Take a lane and transfer; a limit of the account is waited for without one."""
        gate = self._gate
        await self._unless_paused()
        while True:
            try:
                if gate is not None:
                    await gate.ahead(self._first_flow)
                async with self._engine.lane(self.teller):
                    await self._unless_paused()
                    await self._preflight()
                    return await self._with_source()
            except Later:
                continue
            finally:
                if gate is not None:
                    await gate.close()

    async def _unless_paused(self) -> None:
        held = await self.stop.hold.check() if self.stop.hold is not None else None
        if held is not None:
            raise held

    async def _with_source(self) -> Processing | None:
        source = self._open()
        if self._gate is not None:
            self._gate.in_lane = True
        try:
            with self.stop.guarding(source, self._course.is_spent):
                return await self._transfer(source)
        finally:
            source.close()
            if self._gate is not None:
                self._gate.in_lane = False

    def _first_flow(self) -> Flow[Any]:
        """Return the flow that begins the transfer."""
        session, query = self._course.session, self._abilities.query
        if session is None and not self.prepared.at_once:
            return self._transport.create(self.prepared.spec)
        if session is None or query is None or self._fresh:
            raise LookupError  # nothing is asked before the parts
        return query(session)

    async def _preflight(self) -> None:
        """Raise when the destination is known to refuse what nothing was sent of.

        Not before its turn has come: what is asked is to be true when the upload is opened.
        """
        new = self._log.entry.state is State.QUEUED and self._course.session is None
        if new and self.prepared.preflight is not None:
            await self._engine.preflights.check(
                self.prepared.preflight,
                self.prepared.source,
                lambda ask: self._caller.call("preflight", ask, repeatable=True),
            )

    async def _processing(self, ended_already: Processing | None) -> Standing:
        """Record that every byte is confirmed, and wait for the server's last word."""
        changes: dict[str, Any] = {}
        if self._course.completion is not None:
            location, fields = self._course.completion.location, self._course.completion.fields
            changes = {"location": location, "fields": {**self._log.entry.fields, **fields}}
        changes |= {"state": State.PROCESSING, "confirmed": self.prepared.plan.count}
        if not self._log.says(changes):
            await self._log.save(**changes)
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
        if entry.not_before is not None and now < entry.not_before and not counted_here(entry):
            wait = entry.not_before - now
            error = UploadCancelledError(f"it is due in {wait:,.0f} s; nothing was sent")
            return Standing(Outcome.SUSPENDED, error=error)
        return None

    def _open(self) -> Source:
        prepared, resumes = self.prepared, self._course.session is not None
        reasons: list[str] = []
        source = self._engine.open_source(prepared, reasons.append)
        if self._begun:
            return source  # it has waited for a limit since
        self._begun = True
        self.teller.tell(
            events.UploadStarted,
            account=prepared.destination.account,
            name=prepared.facts.name,
            size=prepared.plan.size,
            parts=prepared.plan.count,
            part_size=prepared.plan.part_size,
            resumed_from=self._stored if resumes else None,
        )
        for reason in reasons:
            self.teller.fell_back(reason)
        return source

    @property
    def _stored(self) -> int:
        """The bytes, from the start on, that earlier runs have confirmed."""
        plan, confirmed = self.prepared.plan, self._log.entry.confirmed
        return plan.size if confirmed >= plan.count else plan.part(confirmed).start

    async def _transfer(self, source: Source) -> Processing | None:
        """Send what is missing; return the server's last word when it has ended already."""
        course, plan = self._course, self.prepared.plan
        # Opened elsewhere a moment ago: there is nothing to ask about.
        opened = self._fresh and course.session is not None
        point = Point(0) if opened else await self._inquiry.begin()
        if course.completion is not None or (point.ended is not None and not self._commits):
            return point.ended
        sending = Sending(
            self._engine,
            self.prepared,
            source,
            course=course,
            caller=self._caller,
            logbook=self._log,
            stop=self.stop,
            tally=self.tally,
            teller=self.teller,
        )
        if self.prepared.at_once:
            course.completion = await sending.at_once()
            return None
        if course.session is None:
            course.session = await self._create()
        for again in (True, False):
            told = point.ended or await sending.parts(course.session, point)
            course.spent = True
            self.tally.confirm(plan.size)
            if not self._commits or (told is not None and told.error is not None):
                break
            try:
                course.completion = await self._completed(course.session, told)
                break
            except OffsetMismatchError:
                if not again:
                    raise
            # It was surely not completed: a part is gone, or is not what its receipt says.
            course.spent = False
            await self._log.save(state=State.SENDING)
            point = await self._inquiry.point(course.session, await self._log.parts())
            course.receipts = dict(point.receipts or {})
            self.teller.resynced(point.index, point.held(plan))
        return told

    async def _completed(self, session: Session, told: Processing | None) -> Completion:
        """Complete the upload, unless the server has told that it was."""
        receipts = self._course.receipts
        found = told.completion if told is not None else None
        if found is not None and self._abilities.verify is not None:
            found = await self._completer.verified(session, receipts)
        return found or await self._completer.complete(session, receipts)

    async def _create(self) -> Session:
        prepared = self.prepared
        spec = prepared.spec
        self._course.announced = True
        once = not self._transport.capabilities.opens_again
        await self._log.save(state=State.OPENING, durable=once)
        created_at, began = self._clock.time(), self._clock.monotonic()
        self._course.creating = once
        self._opening = self._opening or self._caller.budget()
        try:
            session = await self._caller.call(
                "create",
                lambda: self._transport.create(spec),
                repeatable=not once,
                budget=self._opening,
            )
        except Later:
            self._course.creating = False
            await self._log.save(state=State.QUEUED)  # it is certain that nothing was opened
            raise
        self._course.creating, plan = False, session.plan
        session = replace(session, created_at=created_at, plan=None)
        # First of all: whatever stops the run from here on, it is not certain that nothing was
        # opened.
        self._course.session = prepared.session = session
        changes: dict[str, Any] = {}
        if plan is not None:
            prepared.plan = planner.fits(plan, prepared.plan.size)
            for each in await self._log.parts():  # of a session that died, in its own cut
                await self._log.save(part=PartRecord(each.index, None, STALE))
            changes["plan"] = prepared.plan
        await self._log.save(
            state=State.SENDING,
            session=session,
            fields={**self._log.entry.fields, **session.fields},
            **changes,
        )
        self.teller.tell(events.SessionCreated, seconds=self._clock.monotonic() - began)
        return session

    async def _watch(self, processing: Processing | None) -> Standing:
        return await self._watcher.watch(
            self._course.session, processing, wait=self._wait, completion=self._course.completion
        )

    async def _look_back(self) -> Standing:
        """Ask about an upload of a restored journal."""
        standing = await self._watch(await self._inquiry.posted())
        if standing.outcome is Outcome.FAILED and not self._commits:
            raise forgotten()
        return standing

    async def _look(self) -> Standing:
        """Ask how the upload stands, and send nothing."""
        standing = await self._inquiry.look()
        if standing is not None:
            return standing
        return await self._processing(None) if self._commits else await self._watch(None)

    def _result(self, standing: Standing, seconds: float) -> UploadResult:
        prepared, error, session = self.prepared, standing.error, self._course.session
        if error is not None:
            error.upload_id = prepared.upload_id
        if standing.outcome is Outcome.DONE:
            self.tally.finish()
        return UploadResult(
            outcome=standing.outcome,
            upload_id=prepared.upload_id,
            transport=self._transport.name,
            account=prepared.destination.account,
            location=standing.location,
            fields={**(session.fields if session is not None else {}), **standing.fields},
            error=error,
            duration=seconds,
            size=prepared.plan.size,
            parts=prepared.plan.count,
            bytes_sent=self.tally.bytes_sent,
            retries=self.tally.retries,
            resumed_from=self._course.resumed_from,
        )
