"""Where an upload that was interrupted goes on.

Rule: the server's word counts at a part's boundary only, and only when it fits what was recorded:
all that was confirmed, and at most one part more. Anything else is unknown, never a guess.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from uploader.engine.caller import FlowCaller
from uploader.engine.settings import Clock
from uploader.errors import OutcomeUnknownError, SessionExpiredError
from uploader.journal import RESTORED, Entry, State
from uploader.model import Confirmed, Plan, Processing, Session
from uploader.transport import Moment, Transport

ASKED = 3
"""How often a server is asked whose answer does not fit: a status may lag behind the upload."""
ADOPTED = "session "
"""How the key of an upload begins whose session the caller opened."""
LAG = 2.0
"""Seconds between these questions."""


@dataclass(frozen=True, slots=True)
class Point:
    """Part `index` is the next one; `ended` is set when the server has come to an end already."""

    index: int
    ended: Processing | None = None


def first_missing(plan: Plan, confirmed: int, offset: int | None) -> int | None:
    """Return the first part that the server lacks; `None` when its word does not fit ours."""
    if offset is None:
        return None
    index = plan.count if offset == plan.size else offset // plan.part_size
    if offset != plan.size and (offset % plan.part_size or index >= plan.count):
        return None
    return index if index in (confirmed, confirmed + 1) else None


def age(session_time: float | None, clock: Clock) -> float:
    """Return how old a session, or an attempt to open one, is in seconds."""
    return clock.time() - session_time if session_time is not None else float("inf")


def may_be_committed(entry: Entry) -> bool:
    """Tell whether an earlier run may have sent the irreversible part."""
    return entry.state in (State.COMMITTING, State.UNKNOWN)


def may_open_again(entry: Entry, transport: Transport, clock: Clock) -> bool:
    """Tell whether an upload whose opening was not answered can start anew.

    Where creating cannot be taken back: never. Else once what may have been opened has expired.
    """
    lifetime = transport.capabilities.session_lifetime
    if transport.capabilities.irreversible is Moment.CREATE or lifetime is None:
        return False
    return age(entry.updated, clock) >= lifetime


def is_adopted(entry: Entry) -> bool:
    """Tell whether the session was opened by the caller: nobody else can open it anew."""
    return entry.key is not None and entry.key.startswith(ADOPTED)


def is_restored(entry: Entry) -> bool:
    """Tell whether a restored backup may have forgotten what became of the upload."""
    return entry.state is State.UNKNOWN and (entry.error or {}).get("code") == RESTORED["code"]


def forgotten() -> OutcomeUnknownError:
    """Say that nothing but the destination can tell of an upload of a restored journal."""
    return OutcomeUnknownError(str(RESTORED["message"])).hint(
        "look at the account; when it is not there, forget this upload and publish it again"
    )


def unanswered(entry: Entry, transport: Transport) -> OutcomeUnknownError:
    """Say that an upload was interrupted while it was being opened."""
    lifetime = transport.capabilities.session_lifetime
    error = OutcomeUnknownError(
        "create: the run was interrupted before its answer was recorded", operation="create"
    )
    if lifetime is not None and transport.capabilities.irreversible is not Moment.CREATE:
        error.hint(f"it can be started anew {lifetime:,.0f} s after it was sent, by the same call")
    return error


class Resumption:
    """Find out where a recorded session stands."""

    def __init__(
        self,
        transport: Transport,
        caller: FlowCaller,
        clock: Clock,
        told: Callable[[int, int | None], None],
    ) -> None:
        self._transport = transport
        self._caller = caller
        self._clock = clock
        self._told = told

    async def point(self, entry: Entry, session: Session, plan: Plan) -> Point:
        """Return where to go on.

        Raises `SessionExpiredError` when the session died before its irreversible part, and
        `OutcomeUnknownError` when the server does not tell, or tells what cannot be.
        """
        committing = may_be_committed(entry)
        lifetime = self._transport.capabilities.session_lifetime
        if not committing and lifetime is not None and session.created_at is not None:
            old = age(session.created_at, self._clock)
            if old >= lifetime:
                raise SessionExpiredError(
                    f"the session is {old:,.0f} s old and lives {lifetime:,.0f} s"
                )
        query = getattr(self._transport, "query", None)
        if query is None:
            if committing:
                raise OutcomeUnknownError("the destination cannot be asked what it holds")
            return Point(entry.confirmed)
        try:
            return await self._ask(entry, plan, lambda: query(session))
        except SessionExpiredError as error:
            if not committing:
                raise
            gone = error
        # Gone, maybe because it was completed: a new session could be a second upload.
        raise OutcomeUnknownError(
            f"the session is gone, and its last part may have been sent: {gone.message}",
            operation="query",
            status=gone.status,
        )

    async def _ask(self, entry: Entry, plan: Plan, query: Callable[[], Any]) -> Point:
        confirmed = await self._question(entry, query)
        for _ in range(ASKED - 1):
            point = self._understood(entry, plan, confirmed)
            if point is not None:
                return point
            await self._clock.sleep(LAG)
            confirmed = await self._question(entry, query)
        point = self._understood(entry, plan, confirmed)
        if point is not None:
            return point
        raise OutcomeUnknownError(
            f"the server tells of {confirmed.offset} stored bytes, the journal of"
            f" {entry.confirmed} whole parts of {plan.part_size:,}",
            operation="query",
        )

    async def _question(self, entry: Entry, query: Callable[[], Any]) -> Confirmed:
        asked: Awaitable[Confirmed] = self._caller.call("query", query, repeatable=True)
        confirmed = await asked
        self._told(entry.confirmed, confirmed.offset)
        return confirmed

    def _understood(self, entry: Entry, plan: Plan, confirmed: Confirmed) -> Point | None:
        if confirmed.processing is not None:
            return Point(plan.count, confirmed.processing)
        index = first_missing(plan, entry.confirmed, confirmed.offset)
        return Point(index) if index is not None else None
