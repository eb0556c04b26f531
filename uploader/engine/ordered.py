"""The ordered sender: one part after the other, each proved before the next one begins.

Rule: after an answer that was lost, the server is asked what it holds before anything is sent
again, and what it says is believed only at a part's boundary. Anything else is unknown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from uploader.engine.abilities import Abilities
from uploader.engine.caller import FlowCaller, unknown
from uploader.engine.progress import Tally
from uploader.engine.resuming import ASKED, LAG, RESYNCED
from uploader.engine.settings import Clock
from uploader.errors import (
    AuthenticationError,
    NetworkError,
    OffsetMismatchError,
    Recovery,
    RetriesExhaustedError,
    SessionExpiredError,
    TransportError,
    UploaderError,
)
from uploader.model import Part, Plan, Processing, Receipt, Session
from uploader.pipeline import PartBody, Reader
from uploader.retry import RetryBudget
from uploader.source import Source
from uploader.transport import Moment, Transport


class Stored(Enum):
    """What the server holds of a part."""

    WHOLE = "whole"
    SOME = "some"
    """A prefix, where such counts."""
    NOTHING = "nothing"
    UNTOLD = "untold"
    """The server was asked and does not say, or says what cannot be."""


class PartListener(Protocol):
    """Who is told how parts fare."""

    def part_started(self, part: Part, attempt: int) -> None: ...

    def part_confirmed(self, part: Part, seconds: float) -> None: ...

    def part_failed(
        self, part: Part, attempt: int, seconds: float, error: TransportError
    ) -> None: ...

    def resynced(self, part: int, offset: int | None) -> None: ...


class BeforePart(Protocol):
    """What is awaited before a part goes out; `final` marks the irreversible one."""

    async def __call__(self, part: Part, *, final: bool) -> None: ...


class AfterPart(Protocol):
    """What is awaited when a part is proved to be stored, with the digest of its content."""

    async def __call__(
        self, part: Part, receipt: Receipt, digest: str | None, *, final: bool
    ) -> None: ...


@dataclass(slots=True)
class _Try:
    """How one part fares."""

    part: Part
    final: bool
    start: int
    """The first byte that the server lacks: the part's own, or one within where prefixes count."""
    furthest: int
    """The furthest that `start` ever was: only beyond it there is progress."""
    attempt: int = 0
    renewed: bool = False
    doubtful: bool = False
    """Whether an attempt so far may have been stored without our knowing."""
    suspect: bool = False
    """Whether an earlier run may have had it stored, though the server has said otherwise."""
    cleared: bool = False
    """Whether the server has said since the last attempt that it holds nothing of the part."""


class OrderedSender:
    """Send the parts of one upload in order."""

    def __init__(
        self,
        *,
        transport: Transport,
        abilities: Abilities,
        session: Session,
        plan: Plan,
        source: Source,
        reader: Reader,
        caller: FlowCaller,
        clock: Clock,
        tally: Tally,
        listener: PartListener,
        pace: Callable[[int], Awaitable[None]] | None,
        permit: Callable[[], None],
        before: BeforePart,
        after: AfterPart,
        digests: Callable[[Part], Awaitable[Mapping[str, bytes]]],
        suspect: bool = False,
    ) -> None:
        """`suspect` tells that an earlier run may have sent the irreversible part."""
        self._transport = transport
        self._query = abilities.query
        self._session = session
        self._lifetime = Lifetime.of(transport, session)
        self._plan = plan
        self._source = source
        self._reader = reader
        self._caller = caller
        self._clock = clock
        self._tally = tally
        self._listener = listener
        self._pace = pace
        self._permit = permit
        self._before = before
        self._after = after
        self._digests = digests
        self._suspect = suspect
        self._body: PartBody | None = None
        self._current: _Try | None = None
        self.ended: Processing | None = None
        """Set when a resync showed that the server has ended the upload already."""

    @property
    def in_doubt(self) -> bool:
        """Whether the irreversible part may be stored without our knowing."""
        current, body = self._current, self._body
        if current is None or not current.final:
            return False
        if body is not None:
            return current.doubtful or body.complete
        return current.doubtful and not current.cleared

    @property
    def is_out(self) -> bool:
        """Whether every byte of the current part left: the server may still be reading them."""
        return self._body is not None and self._body.complete

    @property
    def is_spent(self) -> bool:
        """Whether every byte of the last part left."""
        return self._current is not None and self._plan.is_last(self._current.part) and self.is_out

    @property
    def certain(self) -> bool:
        """Whether the irreversible part is the current one, and surely not stored by anybody."""
        current = self._current
        return current is not None and current.final and not (current.suspect or self.in_doubt)

    async def send_all(self, first: int = 0, start: int = 0) -> None:
        """Send every part from number `first` on, of that one what begins at byte `start`."""
        for index in range(first, self._plan.count):
            part = self._plan.part(index)
            irreversible = self._transport.capabilities.irreversible is Moment.LAST_PART
            final = irreversible and self._plan.is_last(part)
            await self._before(part, final=final)
            begin = max(part.start, start)
            state = _Try(part, final, begin, begin, suspect=final and self._suspect)
            receipt = await self._send(state)
            digest = self._reader.digests.pop(index, None)
            await self._after(part, receipt, digest, final=final)
            self._current = self._body = None

    async def _send(self, state: _Try) -> Receipt:
        self._current, part = state, state.part
        budget, first = self._caller.budget(), self._clock.monotonic()
        while True:
            began = self._clock.monotonic()
            try:
                receipt = await self._attempt(state)
                break
            except TransportError as error:
                failure = error
            self._body = None
            self._tally.flush()
            seconds = self._clock.monotonic() - began
            self._listener.part_failed(part, state.attempt, seconds, failure)
            state.doubtful |= failure.ambiguous
            if self._renews(state, failure):
                continue
            give_up = await self._pause(budget, failure)
            doubted = state.doubtful or state.suspect
            asks = _asks_first(failure) or (give_up is not None and doubted)
            if asks and await self._is_stored(state, failure, give_up):
                receipt = Receipt(part.index, RESYNCED, part.length)
                break
            if state.start > state.furthest and isinstance(give_up, RetriesExhaustedError | None):
                state.furthest = state.start
                budget.refund(self._clock.monotonic())
            elif give_up is not None:
                raise give_up
        self._tally.confirm(part.stop)
        self._listener.part_confirmed(part, self._clock.monotonic() - first)
        return receipt

    async def _attempt(self, state: _Try) -> Receipt:
        state.attempt += 1
        whole = state.part
        part = Part(whole.index, state.start, whole.stop - state.start)
        digests = await self._digests(part)
        check_lifetime(self._lifetime, self._clock)
        self._source.check()
        await self._reader.seek(part.start)
        state.cleared = False
        self._body = body = PartBody(
            self._reader,
            part,
            pace=self._pace,
            permit=self._permit,
            on_sent=lambda count: self._sent(part, count),
            digests=digests,
        )
        self._listener.part_started(part, state.attempt)
        receipt = await self._caller.once(
            self._transport.put_part(self._session, self._plan, part, body)
        )
        self._tally.flush()
        return receipt

    def _renews(self, state: _Try, failure: TransportError) -> bool:
        """Whether a refused credential may be another one by now; that is tried once a part."""
        renews = isinstance(failure, AuthenticationError) and self._caller.can_renew
        if not renews or state.renewed or failure.ambiguous:
            return False
        state.renewed = True
        return True

    def _sent(self, part: Part, count: int) -> None:
        body = self._body
        position = part.start + (body.accepted if body is not None else 0) + count
        self._tally.sent(min(position, part.stop), count)

    async def _pause(
        self, budget: RetryBudget, failure: TransportError
    ) -> TransportError | RetriesExhaustedError | None:
        """Wait for the next try, or return what to raise when there is none."""
        if failure.recovery in (Recovery.NONE, Recovery.RESTART):
            return failure
        try:
            await self._caller.wait("put", budget, failure)
        except RetriesExhaustedError as exhausted:
            return exhausted
        return None

    async def _is_stored(
        self, state: _Try, failure: TransportError, give_up: UploaderError | None
    ) -> bool:
        """Ask what the server holds of a part. What it does not tell is never guessed."""
        try:
            stored = await self._ask_again(state, failure)
        except UploaderError as error:  # that of a credentials callable, too
            not_told = error
        else:
            if self.ended is not None and self.ended.error and not self._plan.is_last(state.part):
                raise self.ended.error
            if stored is Stored.NOTHING and give_up is not None and _contradicts(state, failure):
                raise unknown("put", failure)
            if stored is not Stored.UNTOLD:
                state.cleared = stored is not Stored.WHOLE
                return stored is Stored.WHOLE
            if state.final or self.ended is not None:
                raise unknown("put", failure)
            if give_up is None:
                raise RetriesExhaustedError(
                    f"put: the server does not tell what it holds of bytes {state.part.start:,} to"
                    f" {state.part.stop:,} after {failure.message}",
                    last=failure,
                    attempts=state.attempt,
                    seconds=ASKED * LAG,
                )
            return False
        # Before the irreversible part nothing can have been posted: the failure is just that.
        raise unknown("put", failure) if state.final else not_told

    async def _ask_again(self, state: _Try, failure: TransportError) -> Stored:
        """Ask until the answer fits: a status may lag behind the upload."""
        told = failure.offset if isinstance(failure, OffsetMismatchError) else None
        stored = await self._ask(state, told)
        for _ in range(ASKED - 1):
            if stored is not Stored.UNTOLD or self._query is None or self.ended is not None:
                break
            await self._clock.sleep(LAG)
            stored = await self._ask(state, None)
        return stored

    async def _ask(self, state: _Try, told: int | None) -> Stored:
        """Learn what the server holds of a part; it has `told` already how many bytes it has."""
        part, partial = state.part, self._transport.capabilities.accepts_partial
        if told is None or not partial:
            if self._query is None:
                # Where nobody can be asked, a part is sent again; never the irreversible one.
                return Stored.UNTOLD if state.final else Stored.NOTHING
            query = self._query
            confirmed = await self._caller.call(
                "query", lambda: query(self._session), repeatable=True
            )
            if confirmed.processing is not None:
                self._listener.resynced(part.index, confirmed.offset)
                self.ended = confirmed.processing
                return Stored.WHOLE if self._plan.is_last(part) else Stored.UNTOLD
            told = confirmed.offset
        self._listener.resynced(part.index, told)
        if told == part.stop:
            return Stored.WHOLE
        if told is None or not (part.start <= told < part.stop):
            return Stored.UNTOLD
        if told == part.start or partial:
            state.start = told
            return Stored.NOTHING if told == part.start else Stored.SOME
        return Stored.UNTOLD


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a session was opened, by the wall clock, and how many seconds it lives."""

    opened: float
    seconds: float

    @classmethod
    def of(cls, transport: Transport, session: Session) -> Lifetime | None:
        """Return a session's, `None` when nobody knows."""
        seconds, opened = transport.capabilities.session_lifetime, session.created_at
        return None if seconds is None or opened is None else cls(opened, seconds)


def check_lifetime(lifetime: Lifetime | None, clock: Clock) -> None:
    """Raise `SessionExpiredError` when a session's time is over."""
    if lifetime is None:
        return
    age = clock.time() - lifetime.opened
    if age >= lifetime.seconds:
        raise SessionExpiredError(
            f"put: the upload was opened {age:,.0f} s ago and lives {lifetime.seconds:,.0f} s",
            operation="put",
        )


def _contradicts(state: _Try, failure: TransportError) -> bool:
    """Whether a refusal sounds as if the last part were stored, although the status has none of it.

    An upload that is gone, or that holds other bytes, after an attempt whose answer was lost: the
    status may be late, and the upload gone because it is published.
    """
    refusal = isinstance(failure, SessionExpiredError | OffsetMismatchError)
    doubted = state.doubtful or state.suspect
    return state.final and doubted and refusal and failure.status is not None


def _asks_first(failure: TransportError) -> bool:
    """Whether the server is asked what it holds before the part is sent again."""
    if failure.recovery is Recovery.RESYNC:
        return True
    return isinstance(failure, NetworkError) and failure.ambiguous
