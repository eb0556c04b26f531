"""The end of a run: what is certain, what is in doubt, and what the journal keeps of it.

Rule: nothing is called failed that may have been posted, nothing unknown that the server can tell.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

from uploader.engine.caller import FlowCaller
from uploader.engine.completing import Completer
from uploader.engine.course import Course
from uploader.engine.logbook import Logbook
from uploader.engine.prepare import Prepared
from uploader.engine.progress import Tally
from uploader.engine.resuming import is_adopted
from uploader.engine.standing import Standing, ended
from uploader.engine.stopping import Stop, StopReason
from uploader.errors import (
    JournalError,
    OutcomeUnknownError,
    RateLimitedError,
    RetriesExhaustedError,
    UploadCancelledError,
    UploaderError,
)
from uploader.journal import State
from uploader.model import Completion, Outcome
from uploader.transport import Moment

LAST_QUESTION = 1.0
"""Seconds to learn the fate of a last part, or to drop what the server holds, when the caller
stops: a command must end within two."""

PATIENCE = 5.0
"""Seconds for the server to drop it when nobody has stopped the run."""


class Ending:
    """Say how an upload stands when its run is over, and write it down."""

    def __init__(
        self,
        prepared: Prepared,
        course: Course,
        caller: FlowCaller,
        logbook: Logbook,
        stop: Stop,
        tally: Tally,
        completer: Completer,
    ) -> None:
        self._prepared = prepared
        self._course = course
        self._caller = caller
        self._log = logbook
        self._stop = stop
        self._tally = tally
        self._completer = completer
        irreversible = prepared.transport.capabilities.irreversible
        self._commits = irreversible is Moment.COMPLETE
        self._opens = irreversible is Moment.CREATE

    @property
    def in_doubt(self) -> bool:
        """Whether a request that cannot be taken back may have been acted on."""
        course = self._course
        if course.unsettled or course.completing or course.completion is not None:
            return True
        if course.creating and self._caller.in_flight:
            return True
        if self._log.entry.state in (State.PROCESSING, State.UNKNOWN):
            return not (self._prepared.at_once and self._log.entry.state is State.UNKNOWN)
        return course.sender is not None and course.sender.in_doubt

    async def stopped(self) -> Standing:
        """Say how the upload stands when it was stopped from outside."""
        reason, lost = self._stop.reason, self._stop.error
        cancelled, file_lost = reason is StopReason.CANCELLED, reason is StopReason.SOURCE_LOST
        outcome = Outcome.CANCELLED if cancelled else Outcome.SUSPENDED
        if file_lost:
            outcome = Outcome.FAILED
        error = lost or UploadCancelledError(
            "the upload was cancelled" if cancelled else "the upload was suspended"
        )
        completion = self._course.completion or Completion()
        if self._is_posted:
            known = Standing(Outcome.PROCESSING, completion.location, completion.fields)
            if file_lost:  # it has served its purpose
                return known
            error.hint("every byte was confirmed already: the destination goes on by itself")
            return replace(known, error=error)
        if not self.in_doubt:
            return Standing(outcome, error=error)
        if not self._course.creating:
            found = await self._reconcile(Standing(outcome, error=error))
            if found is not None:
                return found
        doubt = OutcomeUnknownError("stopped while a request that cannot be taken back was out")
        return Standing(Outcome.UNKNOWN, error=doubt)

    async def abort(self, standing: Standing) -> None:
        """Let the server drop what it holds of an upload that will not go on, if that is certain.

        Whether it does changes nothing: what is left expires.
        """
        abort, session = self._prepared.abilities.abort, self._course.session
        over = standing.outcome in (Outcome.CANCELLED, Outcome.FAILED)
        if not over or abort is None or session is None or self.in_doubt:
            return
        if is_adopted(self._log.entry):
            return
        with contextlib.suppress(UploaderError, TimeoutError, asyncio.CancelledError):
            stopped = self._stop.reason is not None
            async with asyncio.timeout(LAST_QUESTION if stopped else PATIENCE):
                self._log.permit()  # another run may be sending into it
                await self._caller.once(abort(session))

    async def recorded(self, standing: Standing) -> Standing:
        """Write the outcome and give the lease back; say so when it cannot be written."""
        self._tally.flush()
        state, error = standing.state, standing.error
        if standing.outcome is Outcome.SUSPENDED and self._is_not_committed:
            state = State.SENDING
        changes = self._unrecorded(standing)
        opening = self._log.entry.state is State.OPENING and self._course.announced
        if (
            standing.outcome is Outcome.SUSPENDED
            and opening
            and self._course.session is None
            and not isinstance(error, JournalError)
        ):
            state = State.QUEUED  # it is certain that nothing was opened
        elif standing.outcome is Outcome.SUSPENDED and changes:
            state = State.SENDING
        later = _reset_of(error)
        if standing.outcome is Outcome.SUSPENDED and later is not None:
            state = state or self._log.entry.state
            changes["not_before"] = self._caller.time() + later
        # UNKNOWN is not written twice: its time tells when what was opened has expired.
        if state is State.UNKNOWN is self._log.entry.state:
            changes = {}
        elif state is not None:
            changes |= {
                "state": state,
                "location": standing.location or self._log.entry.location,
                "fields": {**self._log.entry.fields, **standing.fields},
                "error": error.to_dict() if error is not None else None,
            }
        try:
            await self._log.end(**changes)
        except JournalError as failure:
            failure.hint(f"the outcome that could not be recorded: {standing.outcome}")
            doubtful = standing.outcome in (Outcome.DONE, Outcome.PROCESSING, Outcome.UNKNOWN)
            outcome = Outcome.UNKNOWN if doubtful else Outcome.SUSPENDED
            return replace(standing, outcome=outcome, error=failure)
        return standing

    @property
    def _is_posted(self) -> bool:
        """Whether it is certain that the destination goes on by itself."""
        if self._log.entry.state is State.PROCESSING or self._course.completion is not None:
            return True
        return self._opens and self._course.session is not None

    def _unrecorded(self, standing: Standing) -> dict[str, Any]:
        """Return what was opened when the run was stopped before that was written down."""
        course, entry = self._course, self._log.entry
        missing = entry.state is State.OPENING and entry.session is None
        recut = entry.plan != self._prepared.plan  # its parts are not recorded as they are now
        if (
            not missing
            or course.session is None
            or recut
            or isinstance(standing.error, JournalError)
        ):
            return {}
        return {"session": course.session}

    @property
    def _is_not_committed(self) -> bool:
        """Whether it is certain that what was announced as irreversible was not done."""
        if self._log.entry.state is not State.COMMITTING:
            return False
        sender = self._course.sender
        return not self.in_doubt if self._commits else sender is not None and sender.certain

    async def _reconcile(self, otherwise: Standing) -> Standing | None:
        """Ask once, briefly, whether the irreversible request arrived."""
        if self._course.session is None:
            return None
        with contextlib.suppress(UploaderError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(LAST_QUESTION):
                return await self._asked(otherwise)
        return None

    async def _asked(self, otherwise: Standing) -> Standing | None:
        course, plan = self._course, self._prepared.plan
        session, query = course.session, self._prepared.abilities.query
        assert session is not None
        if self._commits:
            is_out = course.completing
            completion = await self._completer.verified(session, course.receipts)
            if completion is None:
                # Of what is past that is certain: a request that may still be read proves nothing.
                course.completing, course.unsettled = is_out, False
                return None if is_out else otherwise
            course.completion = completion
            return Standing(Outcome.PROCESSING, completion.location, completion.fields)
        if query is None:
            return None
        confirmed = await self._caller.once(query(session))
        if confirmed.processing is not None:
            return ended(confirmed.processing, session.fields)
        if confirmed.offset == plan.size:
            return Standing(Outcome.PROCESSING)
        part_is_out = course.sender is not None and course.sender.is_out
        if confirmed.offset == plan.part(plan.count - 1).start and not part_is_out:
            return otherwise
        return None


def _reset_of(error: UploaderError | None) -> float | None:
    """Return the seconds after which a limit lets the upload go on, where that is known."""
    cause = error.last if isinstance(error, RetriesExhaustedError) else error
    return cause.retry_after if isinstance(cause, RateLimitedError) else None
