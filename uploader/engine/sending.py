"""Sends what is missing of an upload, in the order that its destination wants.

Rule: knows capabilities, never names. A part counts when the journal has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from uploader.engine.caller import FlowCaller
from uploader.engine.content import part_digests
from uploader.engine.course import Course
from uploader.engine.lanes import LaneSender
from uploader.engine.logbook import Logbook
from uploader.engine.ordered import Lifetime, OrderedSender
from uploader.engine.prepare import Prepared
from uploader.engine.progress import Tally
from uploader.engine.resuming import Point, age, may_be_committed
from uploader.engine.stopping import Stop
from uploader.engine.telling import Teller
from uploader.journal import PartRecord, State
from uploader.model import Completion, Part, Processing, Receipt, Session
from uploader.pipeline import PartBody, Reader
from uploader.transport import Flow, Order

if TYPE_CHECKING:
    from uploader.engine.core import Engine
    from uploader.source import Source

CONTENT = "xxh3_128"
"""The digest that proves a part's content to a later run."""


class Sending:
    """Send one upload's bytes."""

    def __init__(
        self,
        engine: Engine,
        prepared: Prepared,
        source: Source,
        *,
        course: Course,
        caller: FlowCaller,
        logbook: Logbook,
        stop: Stop,
        tally: Tally,
        teller: Teller,
    ) -> None:
        self._engine = engine
        self._prepared = prepared
        self._source = source
        self._course = course
        self._caller = caller
        self._log = logbook
        self._stop = stop
        self._tally = tally
        self._teller = teller
        self._clock = engine.settings.clock
        self._transport = prepared.transport
        self._limits = prepared.transport.capabilities
        self._turn = asyncio.Lock()
        self._first = 0
        """The first part that is not stored, where they go in any order."""
        self._content: dict[int, str] = {}
        """Digests of parts that were read for their destination's digests anyway."""

    async def parts(self, session: Session, point: Point) -> Processing | None:
        """Send every part from `point` on; return the server's word if it has ended already."""
        if self._limits.order is Order.ANY:
            self._course.receipts.update(point.receipts or {})
            await self._any_order(session, point.missing(self._prepared.plan))
            return None
        return await self._in_order(session, point)

    async def at_once(self) -> Completion:
        """Send the whole content in one request; sent twice it leaves one object."""
        put, spec = self._prepared.abilities.put, self._prepared.spec
        assert put is not None
        done: list[Completion] = []

        def flow(part: Part, body: PartBody) -> Flow[Receipt]:
            done.append((yield from put(spec, body)))
            return Receipt(part.index)

        await self._log.save(state=State.SENDING)
        lanes = self._lanes(1, _Hooks(self, flow), None)
        await lanes.send_all([0])
        return done[-1]

    # In order.

    async def _in_order(self, session: Session, point: Point) -> Processing | None:
        engine, prepared = self._engine, self._prepared
        allowance = engine.budget.allowance()
        reader = Reader(self._source, prepared.plan, allowance, digest=self._reads_digests)
        sender = OrderedSender(
            transport=self._transport,
            abilities=prepared.abilities,
            session=session,
            plan=prepared.plan,
            source=self._source,
            reader=reader,
            caller=self._caller,
            clock=self._clock,
            tally=self._tally,
            listener=self._teller,
            pace=engine.pace(self._teller),
            permit=self._log.permit,
            before=self._before_part,
            after=self._after_part,
            digests=self.digests,
            suspect=self._suspects(session),
        )
        self._course.sender = sender
        try:
            await sender.send_all(point.index, point.start)
        finally:
            try:
                await reader.stop()
            finally:
                allowance.close()
        return sender.ended

    async def _before_part(self, part: Part, *, final: bool) -> None:
        await self._stop.at_boundary()
        if final:
            await self._log.save(state=State.COMMITTING, durable=True)

    async def _after_part(
        self, part: Part, receipt: Receipt, digest: str | None, *, final: bool
    ) -> None:
        changes: dict[str, Any] = {"state": State.PROCESSING} if final else {}
        self._course.receipts[part.index] = receipt
        record = PartRecord(part.index, self._digest_of(part, digest), receipt.fields)
        await self._log.save(part=record, confirmed=part.index + 1, **changes)
        await self._stop.passed()

    def _suspects(self, session: Session) -> bool:
        """Whether a refusal of the last part may mean that an earlier run had it posted.

        A refusal of a session that has expired means just that.
        """
        lifetime = self._limits.session_lifetime
        expired = lifetime is not None and age(session.created_at, self._clock) >= lifetime
        return may_be_committed(self._log.entry) and not expired

    # In any order.

    async def _any_order(self, session: Session, missing: Iterable[int]) -> None:
        plan, transport = self._prepared.plan, self._transport

        def flow(part: Part, body: PartBody) -> Flow[Receipt]:
            return transport.put_part(session, plan, part, body)

        lanes = self._lanes(
            self._limits.max_lanes, _Hooks(self, flow), Lifetime.of(transport, session)
        )
        await lanes.send_all(missing)

    def _lanes(self, count: int, hooks: _Hooks, lifetime: Lifetime | None) -> LaneSender:
        engine = self._engine
        return LaneSender(
            count=count,
            plan=self._prepared.plan,
            source=self._source,
            allowance=engine.budget.allowance,
            digest=self._reads_digests,
            hooks=hooks,
            caller=self._caller,
            clock=self._clock,
            tally=self._tally,
            listener=self._teller,
            pace=engine.pace(self._teller),
            permit=self._log.permit,
            room=engine.extra_lane,
            lifetime=lifetime,
        )

    async def before(self, part: Part) -> None:
        await self._stop.at_boundary()

    async def after(self, part: Part, receipt: Receipt, digest: str | None) -> None:
        receipts, changes = self._course.receipts, dict[str, Any]()
        receipts[part.index] = receipt
        record = PartRecord(part.index, self._digest_of(part, digest), receipt.fields)
        async with self._turn:  # the record of an earlier part must not undo this one's
            while self._first in receipts:
                self._first += 1
            if receipt.secrets:
                changes["session"] = self._course.learn(receipt.secrets)
            await self._log.save(part=record, confirmed=self._first, **changes)
        await self._stop.passed()

    # What destinations and journals want to know of a part's content.

    @property
    def _reads_digests(self) -> bool:
        """Whether the reader digests in passing: not what is digested before it is sent."""
        return self._log.wants_digests and not self._limits.digests

    async def digests(self, part: Part) -> Mapping[str, bytes]:
        """Return what the destination asked for, from a pass over the part of its own."""
        wanted = self._limits.digests
        if not wanted:
            return {}
        found = await asyncio.get_running_loop().run_in_executor(
            self._engine.executor,
            part_digests,
            self._prepared.source,
            self._prepared.facts.name,
            part,
            {*wanted, CONTENT} if self._log.wants_digests else wanted,
        )
        content = found.pop(CONTENT, None)
        if content is not None and part == self._prepared.plan.part(part.index):
            self._content[part.index] = content.hex()
        return found

    def _digest_of(self, part: Part, read: str | None) -> str | None:
        return self._content.pop(part.index, read)


class _Hooks:
    """What lanes ask of us, with the flow that sends a part."""

    def __init__(self, sending: Sending, flow: Any) -> None:
        self.flow = flow
        self.digests = sending.digests
        self.before = sending.before
        self.after = sending.after
