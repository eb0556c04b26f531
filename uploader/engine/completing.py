"""Completes an upload where that is what cannot be taken back.

Rule: recorded as on its way before it is sent. After an answer that was lost the server is asked
whether it was completed; what it does not tell is unknown, and never sent again.
"""

from __future__ import annotations

from collections.abc import Mapping

from uploader.engine.abilities import Abilities
from uploader.engine.caller import FlowCaller, unknown
from uploader.engine.course import Course
from uploader.engine.logbook import Logbook
from uploader.errors import (
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    Recovery,
    SessionExpiredError,
    TransportError,
    UploaderError,
)
from uploader.journal import State
from uploader.model import Completion, Receipt, Session
from uploader.transport import Transport


class Completer:
    """Send `complete` once, or learn that it was sent."""

    def __init__(
        self,
        transport: Transport,
        abilities: Abilities,
        caller: FlowCaller,
        course: Course,
        logbook: Logbook,
    ) -> None:
        self._transport = transport
        self._abilities = abilities
        self._caller = caller
        self._course = course
        self._log = logbook

    async def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Completion:
        """Complete the upload; raise `OutcomeUnknownError` when nobody can tell whether it was."""
        await self._log.save(state=State.COMMITTING, durable=True)
        budget, renewed = self._caller.budget(), False
        while True:
            self._log.permit()
            self._course.completing = True
            try:
                completion = await self._caller.once(self._transport.complete(session, receipts))
                self._course.completing = False
                return completion
            except ConfigurationError:
                self._course.completing = False  # there was nothing to sign it with
                raise
            except TransportError as error:
                failure = error
            if failure.ambiguous:
                settled = await self._settled(session, receipts, failure)
                if settled is not None:
                    return settled
            self._course.completing = False
            if isinstance(failure, AuthenticationError) and self._caller.can_renew and not renewed:
                renewed = True
                self._caller.scheduled("complete", 1, 0.0, failure)
                continue
            if failure.recovery is not Recovery.RETRY:
                raise failure
            await self._caller.wait("complete", budget, failure)

    async def verified(
        self, session: Session, receipts: Mapping[int, Receipt]
    ) -> Completion | None:
        """Ask whether an earlier run completed it; raise `OutcomeUnknownError` if nobody tells."""
        verify = self._abilities.verify
        if verify is None:
            raise OutcomeUnknownError(
                "complete: it may have been sent before, and the destination cannot be asked",
                operation="complete",
            )
        try:
            completion = await self._caller.call(
                "verify", lambda: verify(session, receipts), repeatable=True
            )
        except SessionExpiredError as error:
            gone = error
        else:
            self._course.completing = False
            return completion
        # Gone, maybe because it was completed: a new session could be a second upload.
        raise OutcomeUnknownError(
            f"the session is gone, and it may have been completed: {gone.message}",
            operation="verify",
            status=gone.status,
        )

    async def _settled(
        self, session: Session, receipts: Mapping[int, Receipt], failure: TransportError
    ) -> Completion | None:
        """Return the completion, or `None` when the server is sure that there was none."""
        try:
            return await self.verified(session, receipts)
        except UploaderError:  # that of a credentials callable, too
            pass
        raise unknown("complete", failure)
