"""Asks where a recorded upload stands, before it goes on or instead.

Rule: no byte is sent. What the server tells is written down before anything is built on it; what
it does not tell is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from uploader import events
from uploader.engine.caller import FlowCaller
from uploader.engine.completing import Completer
from uploader.engine.content import check_parts
from uploader.engine.course import Course
from uploader.engine.logbook import Logbook
from uploader.engine.prepare import Prepared
from uploader.engine.progress import Tally
from uploader.engine.resuming import (
    RESYNCED,
    STALE,
    Point,
    Resumption,
    forgotten,
    is_adopted,
    may_be_committed,
    may_open_again,
    recorded_receipts,
    unanswered,
)
from uploader.engine.settings import Clock
from uploader.engine.standing import Standing, ended
from uploader.engine.telling import Teller
from uploader.errors import SessionExpiredError, SourceChangedError, UploadCancelledError
from uploader.journal import PartRecord, State
from uploader.model import Outcome, Processing, Receipt, Session
from uploader.transport import Moment


class Inquiry:
    """Find out where one upload stands, and set the course by it."""

    def __init__(
        self,
        prepared: Prepared,
        *,
        course: Course,
        caller: FlowCaller,
        completer: Completer,
        logbook: Logbook,
        clock: Clock,
        tally: Tally,
        teller: Teller,
        executor: Executor,
    ) -> None:
        """`executor` reads the file again, to prove what was sent."""
        self._prepared = prepared
        self._course = course
        self._completer = completer
        self._log = logbook
        self._clock = clock
        self._tally = tally
        self._teller = teller
        self._executor = executor
        self._transport = prepared.transport
        self._commits = prepared.transport.capabilities.irreversible is Moment.COMPLETE
        self._resumption = Resumption(
            prepared.transport, prepared.abilities, caller, clock, teller.resynced
        )

    async def begin(self) -> Point:
        """Return where to begin: at the start, or where an earlier run was interrupted."""
        session, course = self._course.session, self._course
        if session is None:
            if self._was_opened and not self._may_open_again():
                raise unanswered(self._log.entry, self._transport)
            course.unsettled = False
            return Point(0)
        records = await self._log.parts()
        await self._prove_content(records)
        try:
            point = await self.point(session, records)
        except SessionExpiredError as error:
            if is_adopted(self._log.entry):
                raise  # another session would be another post than the one that was asked for
            self._teller.tell(events.SessionRestarted, reason=error.message)
            await self._forget_session()
            return Point(0)
        plan = self._prepared.plan
        if not point.is_whole(plan):
            course.unsettled = False
        if point.index > self._log.entry.confirmed and point.receipts is None:
            # Or a kill in the next part would leave the server two parts ahead of the journal.
            await self._log.save(confirmed=point.index)
        course.resumed_from = point.held(plan)
        self._tally.confirm(course.resumed_from)
        return point

    async def point(self, session: Session, records: Sequence[PartRecord]) -> Point:
        """Ask where a session stands; a completion that was lost is learnt first."""
        plan = self._prepared.plan
        receipts = recorded_receipts(plan, records)
        if self._commits and may_be_committed(self._log.entry):
            completion = await self._completer.verified(session, receipts)
            if completion is not None:
                self._course.completion = completion
                return Point(plan.count, plan.size, receipts=receipts)
            self._course.unsettled = False
            await self._log.save(state=State.SENDING)
        point = await self._resumption.point(self._log.entry, session, plan, records)
        if self._commits and point.receipts is None:
            parts = map(plan.part, range(point.index))
            unseen = {each.index: Receipt(each.index, RESYNCED, each.length) for each in parts}
            self._course.receipts.update(unseen | receipts)
        return point

    async def posted(self) -> Processing | None:
        """Return what is told of an upload of a restored journal, if it is whole on the server.

        Anything else raises `OutcomeUnknownError`: only that it is posted can be believed.
        """
        session, plan = self._course.session, self._prepared.plan
        if session is not None and self._commits:
            # By what it holds of its parts nothing is proved, and nothing of it is recorded.
            receipts = recorded_receipts(plan, await self._log.parts())
            self._course.completion = await self._completer.verified(session, receipts)
            if self._course.completion is not None:
                return None
        elif session is not None:
            point = await self.point(session, await self._log.parts())
            if point.is_whole(plan):
                return point.ended
        raise forgotten()

    async def look(self) -> Standing | None:
        """Return how the upload stands; `None` when every byte is confirmed and it goes on."""
        session, plan = self._course.session, self._prepared.plan
        if session is None:
            if not self._was_opened:
                return Standing(Outcome.SUSPENDED)
            if not self._may_open_again():
                raise unanswered(self._log.entry, self._transport)
            error = UploadCancelledError("nothing was posted: what was opened has expired")
            return Standing(Outcome.CANCELLED, error=error)
        try:
            point = await self.point(session, await self._log.parts())
        except SessionExpiredError:
            return Standing(Outcome.SUSPENDED)
        if point.ended is not None and (point.ended.is_terminal or not self._commits):
            return ended(point.ended, session.fields)
        if point.is_whole(plan) and not (self._commits and self._course.completion is None):
            return None
        # What may have been committed stays so: the status may be late, and SENDING would let an
        # hour's age alone open a second upload.
        committed = may_be_committed(self._log.entry)
        state = State.COMMITTING if committed else State.SENDING
        await self._log.save(state=state, confirmed=point.index)
        return Standing(Outcome.SUSPENDED)

    @property
    def _was_opened(self) -> bool:
        """Whether an earlier run sent what opens a session, and had no answer."""
        state = self._log.entry.state
        return state in (State.OPENING, State.UNKNOWN) and not self._prepared.at_once

    def _may_open_again(self) -> bool:
        return may_open_again(self._log.entry, self._transport, self._clock)

    async def _forget_session(self) -> None:
        """Let a new session be opened, into which no part was sent."""
        for each in await self._log.parts():
            await self._log.save(part=PartRecord(each.index, each.digest, STALE))
        self._course.session = self._prepared.session = None
        await self._log.save(session=None, confirmed=0, state=State.QUEUED)

    async def _prove_content(self, records: Sequence[PartRecord]) -> None:
        """Refuse to go on when a part that was sent has other content now."""
        prepared = self._prepared
        differs = await asyncio.get_running_loop().run_in_executor(
            self._executor,
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
