"""Uploads of streams: sent part by part as the bytes come, from memory.

Rule: a stream is read once, so that its upload ends with its run. What is neither done nor in doubt
then has failed or was cancelled, and the server is told to drop it; nothing is left to be resumed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from uploader import events
from uploader.engine.content import block_digests
from uploader.engine.ending import Ending
from uploader.engine.feeding import Block, Feed
from uploader.engine.lanes import LaneSender
from uploader.engine.ordered import Lifetime
from uploader.engine.prepare import Prepared, check_credentials
from uploader.engine.resuming import is_restored, may_be_committed, recorded_receipts
from uploader.engine.run import UploadRun
from uploader.engine.standing import Standing
from uploader.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    RetriesExhaustedError,
    SourceError,
    UploadCancelledError,
)
from uploader.journal import PartRecord, State
from uploader.model import Completion, Outcome, Part, Plan, Receipt, SourceFacts, UploadResult
from uploader.pipeline import PartBody
from uploader.source.buffered import BytesSource
from uploader.transport import CredentialSource, Destination, Flow, Moment, Order, TailRule

if TYPE_CHECKING:
    from uploader.engine.core import Engine

SENT_AT_ONCE = 2
"""Parts on their way while a third is filled: each is in memory."""
HEAD = 64
"""Bytes by which a container format is recognised."""


def check_streams(destination: Destination) -> None:
    """Refuse a destination that must know the size before the first byte."""
    transport = destination.transport()
    limits = transport.capabilities
    able = (
        limits.unknown_size
        and limits.order is Order.ANY
        and limits.tail is TailRule.SHORT
        and limits.irreversible is Moment.COMPLETE
    )
    if not able:
        raise ConfigurationError(
            f"{transport.name} takes no stream whose size is not known before"
        ).hint("write it to a file first, or give upload() the stream: it is copied to one")


def prepare_stream(
    feed: Feed,
    first: Block,
    destination: Destination,
    *,
    name: str,
    credentials: CredentialSource | None,
) -> Prepared:
    """Return the upload of a stream of which `first` was handed over.

    Its plan says what has come so far. A stream that has not ended has at least two parts.
    """
    check_credentials(destination, credentials)
    transport = destination.transport()
    facts = SourceFacts(PurePath(name).name, feed.total, bytes(first.view[:HEAD]))
    more = 0 if feed.ended else 1
    plan = Plan(feed.total + more, feed.total, 1 + more)
    return Prepared(
        upload_id=secrets.token_hex(8),
        source=None,
        facts=facts,
        destination=destination,
        transport=transport,
        content_type=transport.content_type(facts),
        plan=plan,
    )


class StreamRun(UploadRun):
    """Drive the upload of one stream, or with no `feed` end what an earlier run left behind."""

    def __init__(self, engine: Engine, *given: Any, feed: Feed | None, **settings: Any) -> None:
        super().__init__(engine, *given, **settings)
        self._feed = feed
        self._done: list[Completion] = []
        self._on_way: Mapping[int, Block] = {}
        self._turn = asyncio.Lock()
        self._ending = _LastRun(
            self.prepared,
            self._course,
            self._caller,
            self._log,
            self.stop,
            self.tally,
            self._completer,
        )

    async def run(self) -> UploadResult:
        """Drive the upload and return its result; the producer hears of its end."""
        try:
            return await super().run()
        finally:
            if self._feed is not None:
                self._feed.close()

    async def _drive(self) -> Standing:
        if self._feed is None:
            return await self._left_behind()
        await self._unless_paused()
        async with self._engine.lane(self.teller):
            self._tell_started()
            await self._send(self._feed)
        return await self._processing(None)

    def _tell_started(self) -> None:
        prepared = self.prepared
        self.teller.tell(
            events.UploadStarted,
            account=prepared.destination.account,
            name=prepared.facts.name,
            size=prepared.plan.size,
            parts=prepared.plan.count,
            part_size=prepared.plan.part_size,
        )

    async def _send(self, feed: Feed) -> None:
        course, lifetime = self._course, None
        if self.prepared.at_once:
            await self._log.save(state=State.SENDING)
        else:
            course.session = await self._create()
            lifetime = Lifetime.of(self._transport, course.session)
        sender = self._sender(lifetime)
        self._on_way = sender.on_way
        await sender.send_stream(feed)
        if self.prepared.at_once:
            course.completion = self._done[-1]
        else:
            assert course.session is not None
            course.completion = await self._completer.complete(course.session, course.receipts)
        self.tally.confirm(self.prepared.plan.size)

    def _sender(self, lifetime: Lifetime | None) -> BlockSender:
        engine, limits = self._engine, self._transport.capabilities
        return BlockSender(
            count=min(SENT_AT_ONCE, limits.max_lanes),
            plan=self.prepared.plan,
            source=BytesSource(b"", name="the stream"),
            allowance=engine.budget.allowance,
            digest=False,
            hooks=self,
            caller=self._caller,
            clock=self._clock,
            tally=self.tally,
            listener=self.teller,
            pace=engine.pace(self.teller),
            permit=self._log.permit,
            room=engine.extra_lane,
            lifetime=lifetime,
        )

    # What the lanes ask.

    def flow(self, part: Part, body: PartBody) -> Flow[Receipt]:
        put, session = self.prepared.abilities.put, self._course.session
        if put is not None and session is None:
            self._done.append((yield from put(self.prepared.spec, body)))
            return Receipt(part.index)
        assert session is not None
        return (yield from self._transport.put_part(session, self.prepared.plan, part, body))

    async def digests(self, part: Part) -> Mapping[str, bytes]:
        wanted, block = self._transport.capabilities.digests, self._on_way[part.index]
        if not wanted:
            return {}
        return await asyncio.get_running_loop().run_in_executor(
            self._engine.executor, block_digests, block.view, wanted
        )

    async def before(self, part: Part) -> None:
        """Count on the part: the plan says what has come so far."""
        plan = self.prepared.plan
        if part.stop > plan.size or part.index >= plan.count:
            count = max(plan.count, part.index + 1)
            self.prepared.plan = Plan(max(plan.size, part.stop), plan.part_size, count)
            self.tally.grow(self.prepared.plan.size)

    async def after(self, part: Part, receipt: Receipt, digest: str | None) -> None:
        receipts, changes = self._course.receipts, dict[str, Any]()
        receipts[part.index] = receipt
        record = PartRecord(part.index, None, receipt.fields)
        async with self._turn:
            first = next(number for number in range(len(receipts) + 1) if number not in receipts)
            if receipt.secrets:
                changes["session"] = self._course.learn(receipt.secrets)
            plan = self.prepared.plan
            await self._log.save(part=record, confirmed=first, plan=plan, **changes)
        await self.stop.passed()

    # What an earlier run left behind.

    async def _left_behind(self) -> Standing:
        """Learn whether it was stored after all, or let the server drop it."""
        entry, session, course = self._log.entry, self._course.session, self._course
        if entry.state is State.PROCESSING or is_restored(entry):
            return await super()._drive()
        if session is not None and may_be_committed(entry):
            receipts = recorded_receipts(entry.plan, await self._log.parts())
            course.completion = await self._completer.verified(session, receipts)
            course.unsettled = False
            if course.completion is not None:
                return await self._processing(None)
        if self.prepared.at_once and entry.state is not State.QUEUED:
            raise OutcomeUnknownError(
                "put: the run that sent the stream ended before the answer came", operation="put"
            ).hint("look at the destination; the stream can be uploaded again, with again=True")
        course.unsettled = False
        error = SourceError("the stream ended with the run that read it: nothing of it was stored")
        return Standing(Outcome.FAILED, error=error.hint("upload the stream again"))


class BlockSender(LaneSender):
    """Send the blocks of a stream as they are filled."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.on_way: dict[int, Block] = {}

    async def send_stream(self, feed: Feed) -> None:
        """Send every part until the stream ends; the first failure stops every lane."""
        self._feed = feed
        await self._in_lanes(self._count)

    async def _drain(self) -> None:
        while (block := await self._feed.take()) is not None:
            part = block.part
            self.on_way[part.index] = block
            try:
                # The reader counts from the stream's beginning: to it, all until here is one part.
                async with self._lane(block, Plan(part.stop, part.stop, 1)) as lane:
                    await self._hooks.before(part)
                    receipt = await self._send(lane, part)
                    await self._hooks.after(part, receipt, None)
            finally:
                del self.on_way[part.index]
                block.release()


class _LastRun(Ending):
    """The end of a run that no other one can follow."""

    async def abort(self, standing: Standing) -> None:
        await super().abort(self._final(standing))

    async def recorded(self, standing: Standing) -> Standing:
        return self._final(await super().recorded(self._final(standing)))

    def _final(self, standing: Standing) -> Standing:
        """Say what became of an upload that a file's would go on with later."""
        if standing.outcome is not Outcome.SUSPENDED:
            return standing
        error = standing.error
        if isinstance(error, UploadCancelledError):
            error = UploadCancelledError("the upload was stopped, and no stream goes on later")
            return replace(standing, outcome=Outcome.CANCELLED, error=error)
        gave_up = isinstance(error, RetriesExhaustedError) and error.last.ambiguous
        if gave_up and self._prepared.at_once:
            return replace(standing, outcome=Outcome.UNKNOWN)
        return replace(standing, outcome=Outcome.FAILED)
