"""Sends the parts of one upload in any order, several at once.

Rule: a part that is sent again replaces itself, so that a lost answer is just another attempt. Each
lane has a reader, a connection and a place in the budget of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from uploader.engine.caller import FlowCaller
from uploader.engine.ordered import Lifetime, PartListener, check_lifetime
from uploader.engine.progress import Tally
from uploader.engine.settings import Clock
from uploader.errors import AuthenticationError, Recovery, TransportError
from uploader.model import Part, Plan, Receipt
from uploader.pipeline import Allowance, PartBody, Reader
from uploader.source import Source
from uploader.transport import Flow


class LaneHooks(Protocol):
    """What a run does for its lanes."""

    def flow(self, part: Part, body: PartBody) -> Flow[Receipt]: ...

    async def digests(self, part: Part) -> Mapping[str, bytes]:
        """Return what the destination wants to know of a part before it comes."""
        ...

    async def before(self, part: Part) -> None:
        """Raise `CancelledError` when no further part is to be begun."""
        ...

    async def after(self, part: Part, receipt: Receipt, digest: str | None) -> None: ...


@dataclass(slots=True)
class _Lane:
    """What one lane works with."""

    source: Source
    reader: Reader
    sent: int = 0
    """Bytes of the current part that the kernel took."""


class LaneSender:
    """Send parts through up to `count` lanes.

    `room()` is held by each lane but the first: the process has only so many.
    """

    def __init__(
        self,
        *,
        count: int,
        plan: Plan,
        source: Source,
        allowance: Callable[[], Allowance],
        digest: bool,
        hooks: LaneHooks,
        caller: FlowCaller,
        clock: Clock,
        tally: Tally,
        listener: PartListener,
        pace: Callable[[int], Awaitable[None]] | None,
        permit: Callable[[], None],
        room: Callable[[], AbstractAsyncContextManager[None]],
        lifetime: Lifetime | None = None,
    ) -> None:
        self._count = count
        self._plan = plan
        self._source = source
        self._allowance = allowance
        self._digest = digest
        self._hooks = hooks
        self._caller = caller
        self._clock = clock
        self._tally = tally
        self._listener = listener
        self._pace = pace
        self._permit = permit
        self._room = room
        self._lifetime = lifetime
        self._missing: deque[Part] = deque()
        self._lanes: list[_Lane] = []
        self._stored = 0
        """Bytes of parts that are proved to be stored."""

    async def send_all(self, missing: Iterable[int]) -> None:
        """Send the parts of these numbers; the first failure stops every lane."""
        self._missing = deque(map(self._plan.part, missing))
        if not self._missing:
            return
        self._stored = self._plan.size - sum(part.length for part in self._missing)
        await self._in_lanes(min(self._count, len(self._missing)))
        if self._missing:
            raise asyncio.CancelledError

    async def _in_lanes(self, count: int) -> None:
        """Run so many lanes to their end, or to the first failure."""
        tasks = [
            asyncio.create_task(self._run_lane(extra=number > 0), name=f"uploader-lane-{number}")
            for number in range(count)
        ]
        failure: BaseException | None = None
        try:
            failure = await self._until_done(set(tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            # All are heard: asyncio complains of an exception that nobody asked for.
            failures = list(filter(None, map(_failure_of, tasks)))
        if failure is not None or failures:
            raise failure or failures[0]

    async def _until_done(self, running: set[asyncio.Task[None]]) -> BaseException | None:
        """Wait for all, for the first failure, or until who still waits for room has no work.

        Nobody has once a lane was told to begin no further part.
        """
        stopped = False
        while running:
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            failure = next(filter(None, map(_failure_of, ended)), None)
            stopped = stopped or any(task.cancelled() for task in ended)
            if failure is not None or not (self._lanes or (self._missing and not stopped)):
                return failure
        return None

    async def _run_lane(self, *, extra: bool) -> None:
        if not extra:
            await self._drain()
            return
        async with self._room():
            await self._drain()

    async def _drain(self) -> None:
        """Send part after part until none is missing."""
        if not self._missing:
            return
        async with self._lane(self._source, self._plan) as lane:
            while self._missing:
                part = self._missing.popleft()
                try:
                    await self._hooks.before(part)
                    receipt = await self._send(lane, part)
                    digest = lane.reader.digests.pop(part.index, None)
                    await self._hooks.after(part, receipt, digest)
                except BaseException:
                    self._missing.appendleft(part)
                    raise

    @asynccontextmanager
    async def _lane(self, source: Source, plan: Plan) -> AsyncIterator[_Lane]:
        allowance = self._allowance()
        lane = _Lane(source, Reader(source, plan, allowance, digest=self._digest))
        self._lanes.append(lane)
        try:
            yield lane
        finally:
            self._lanes.remove(lane)
            try:
                await lane.reader.stop()
            finally:
                allowance.close()

    async def _send(self, lane: _Lane, part: Part) -> Receipt:
        budget, first = self._caller.budget(), self._clock.monotonic()
        digests = await self._hooks.digests(part)
        attempt, renewed = 0, False
        while True:
            attempt, began = attempt + 1, self._clock.monotonic()
            try:
                receipt = await self._attempt(lane, part, digests, attempt)
                break
            except TransportError as error:
                failure = error
            self._tally.flush()
            seconds = self._clock.monotonic() - began
            self._listener.part_failed(part, attempt, seconds, failure)
            if isinstance(failure, AuthenticationError) and self._caller.can_renew and not renewed:
                renewed = True
                continue
            if failure.recovery in (Recovery.NONE, Recovery.RESTART):
                raise failure
            await self._caller.wait("put", budget, failure)
        self._stored += part.length
        lane.sent = 0
        self._tally.flush()
        self._tally.confirm(self._stored)
        self._listener.part_confirmed(part, self._clock.monotonic() - first)
        return receipt

    async def _attempt(
        self, lane: _Lane, part: Part, digests: Mapping[str, bytes], attempt: int
    ) -> Receipt:
        check_lifetime(self._lifetime, self._clock)
        lane.source.check()
        await lane.reader.seek(part.start, part.stop)
        lane.sent = 0

        def sent(count: int) -> None:
            lane.sent += count
            on_way = sum(each.sent for each in self._lanes)
            self._tally.sent(self._stored + on_way, count)

        body = PartBody(
            lane.reader,
            part,
            pace=self._pace,
            permit=self._permit,
            on_sent=sent,
            digests=digests,
        )
        self._listener.part_started(part, attempt)
        return await self._caller.once(self._hooks.flow(part, body))


def _failure_of(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() or not task.done() else task.exception()
