"""Where an upload that was interrupted goes on.

Rule: the server's word counts at a part's boundary only, and only when it fits what was recorded:
all that was confirmed, and at most one part more. Anything else is unknown, never a guess.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from uploader.engine.abilities import Abilities
from uploader.engine.caller import FlowCaller
from uploader.engine.settings import Clock
from uploader.errors import (
    OutcomeUnknownError,
    RateLimitedError,
    RetriesExhaustedError,
    SessionExpiredError,
)
from uploader.journal import RESTORED, Entry, PartRecord, State
from uploader.model import Confirmed, Part, Plan, Processing, Receipt, Session
from uploader.transport import Moment, Order, Transport

ASKED = 3
"""How often a server is asked whose answer does not fit: a status may lag behind the upload."""
ADOPTED = "session "
"""How the key of an upload begins whose session the caller opened."""
STALE: Final[Mapping[str, Any]] = {"stale": True}
"""The receipt of a part that died with its session; its content's digest counts all the same."""
RESYNCED: Final[Mapping[str, Any]] = {"resynced": True}
"""The receipt of a part that the server was asked for, and whose answer nobody has."""
LAG = 2.0
"""Seconds between these questions."""


@dataclass(frozen=True, slots=True)
class Point:
    """Part `index` is the next one, from byte `start` of the file on.

    `ended` is set when the server has come to an end already. Where parts go in any order
    `receipts` are those of the parts it has, and all others are missing.
    """

    index: int
    start: int = 0
    ended: Processing | None = None
    receipts: Mapping[int, Receipt] | None = None

    def is_whole(self, plan: Plan) -> bool:
        """Whether every part is stored."""
        return self.index == plan.count

    def held(self, plan: Plan) -> int:
        """Return how many bytes are stored."""
        if self.receipts is not None:
            return sum(plan.part(index).length for index in self.receipts)
        return plan.size if self.index == plan.count else self.start

    def missing(self, plan: Plan) -> list[int]:
        held = self.receipts or {}
        return [index for index in range(plan.count) if index not in held]


def first_missing(
    plan: Plan, confirmed: int, offset: int | None, *, partial: bool = False
) -> Point | None:
    """Return the first byte that the server lacks; `None` when its word does not fit ours.

    `partial` tells that a prefix of a part counts.
    """
    if offset is None:
        return None
    if offset == plan.size:
        index, start = plan.count, plan.size
    else:
        index = min(offset // plan.part_size, plan.count - 1)
        start = plan.part(index).start
    if index not in (confirmed, confirmed + 1):
        return None
    if offset == start:
        return Point(index, start)
    return Point(index, offset) if partial and index == confirmed else None


def recorded_receipts(plan: Plan, records: Iterable[PartRecord]) -> dict[int, Receipt]:
    """Return the receipts of the recorded parts of this session, with their lengths."""
    return {
        each.index: Receipt(each.index, each.receipt, plan.part(each.index).length)
        for each in records
        if each.receipt != STALE
    }


def held_parts(
    plan: Plan, records: Iterable[PartRecord], told: Mapping[int, Receipt] | None
) -> dict[int, Receipt]:
    """Return the receipts of the parts that are stored and recorded as what they are now.

    `told` is what the server says that it holds, `None` when it cannot be asked. A part that it
    holds and that was never recorded may have other content: it is sent again.
    """
    held: dict[int, Receipt] = {}
    for index, receipt in recorded_receipts(plan, records).items():
        if told is None:
            held[index] = receipt
            continue
        found = told.get(index)
        if found is not None and _same(receipt.fields, found, plan.part(index)):
            held[index] = replace(receipt, fields={**found.fields, **receipt.fields})
    return held


def _same(recorded: Mapping[str, Any], told: Receipt, part: Part) -> bool:
    if told.length not in (None, part.length):
        return False
    return all(told.fields[name] == recorded[name] for name in told.fields.keys() & recorded.keys())


def age(session_time: float | None, clock: Clock) -> float:
    """Return how old a session, or an attempt to open one, is in seconds."""
    return clock.time() - session_time if session_time is not None else float("inf")


def may_be_committed(entry: Entry) -> bool:
    """Tell whether an earlier run may have sent the irreversible part."""
    return entry.state in (State.COMMITTING, State.UNKNOWN)


def may_open_again(entry: Entry, transport: Transport, clock: Clock) -> bool:
    """Tell whether an upload whose opening was not answered can start anew.

    Where creating cannot be taken back: never. At once where nothing comes of a session whose
    opening was not answered. Else once what may have been opened has expired.
    """
    if transport.capabilities.opens_again:
        return True
    lifetime = transport.capabilities.session_lifetime
    if transport.capabilities.irreversible is Moment.CREATE or lifetime is None:
        return False
    return age(entry.updated, clock) >= lifetime


def is_adopted(entry: Entry) -> bool:
    """Tell whether the session was opened by the caller: nobody else can open it anew."""
    return entry.key is not None and entry.key.startswith(ADOPTED)


def counted_here(entry: Entry) -> bool:
    """Tell whether its time is that of a limit of ours, which is counted anew when it is asked."""
    error = entry.error or {}
    return error.get("code") == RateLimitedError.code and "status" not in error


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
        abilities: Abilities,
        caller: FlowCaller,
        clock: Clock,
        told: Callable[[int, int | None], None],
    ) -> None:
        self._transport = transport
        self._query = abilities.query
        self._caller = caller
        self._clock = clock
        self._told = told

    async def point(
        self, entry: Entry, session: Session, plan: Plan, records: Sequence[PartRecord] = ()
    ) -> Point:
        """Return where to go on. `records` are the journal's parts, where these go in any order.

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
        query = self._query
        if self._transport.capabilities.order is Order.ANY:
            return await self._parts(entry, session, plan, records)
        if query is None:
            if committing:
                raise OutcomeUnknownError("the destination cannot be asked what it holds")
            return Point(entry.confirmed, _start(plan, entry.confirmed))
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

    async def _parts(
        self, entry: Entry, session: Session, plan: Plan, records: Sequence[PartRecord]
    ) -> Point:
        """Return which parts are stored, where they go in any order."""
        query, told = self._query, None
        if query is not None:
            confirmed = await self._question(entry, lambda: query(session))
            said = confirmed.processing
            if said is not None and said.is_terminal:
                return Point(plan.count, plan.size, said)
            told = confirmed.receipts or {}
        held = held_parts(plan, records, told)
        index = next((number for number in range(plan.count) if number not in held), plan.count)
        return Point(index, _start(plan, index), receipts=held)

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
        doubt = OutcomeUnknownError(
            f"the server tells of {confirmed.offset} stored bytes, the journal of"
            f" {entry.confirmed} whole parts of {plan.part_size:,}",
            operation="query",
        )
        if may_be_committed(entry):
            raise doubt
        # Nothing can have been posted: it waits for a better answer, or for the session's end.
        raise RetriesExhaustedError(
            doubt.message, last=doubt, attempts=ASKED, seconds=(ASKED - 1) * LAG
        )

    async def _question(self, entry: Entry, query: Callable[[], Any]) -> Confirmed:
        asked: Awaitable[Confirmed] = self._caller.call("query", query, repeatable=True)
        confirmed = await asked
        self._told(entry.confirmed, confirmed.offset)
        return confirmed

    def _understood(self, entry: Entry, plan: Plan, confirmed: Confirmed) -> Point | None:
        if confirmed.processing is not None:
            return Point(plan.count, plan.size, confirmed.processing)
        partial = self._transport.capabilities.accepts_partial
        return first_missing(plan, entry.confirmed, confirmed.offset, partial=partial)


def _start(plan: Plan, index: int) -> int:
    return plan.size if index == plan.count else plan.part(index).start
