"""What all uploads of a process share: the wire, the lanes, the budgets, the events.

Rule: lives on one loop; everything that blocks runs on its executor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from uploader.engine.breaking import Breaker
from uploader.engine.caller import FlowCaller
from uploader.engine.credentials import Signer
from uploader.engine.feeding import BlockBudget
from uploader.engine.gate import WORTH_TELLING, Gate, Waiter
from uploader.engine.hub import EventHub
from uploader.engine.limiting import Opened, Turns
from uploader.engine.pausing import Board
from uploader.engine.preflighting import Preflights
from uploader.engine.prepare import Prepared
from uploader.engine.rounds import Rounds
from uploader.engine.settings import Settings
from uploader.engine.stopping import Stop, StopReason
from uploader.engine.telling import Teller
from uploader.events import Subscriber
from uploader.pacing import Pacer
from uploader.pipeline import WindowBudget
from uploader.source import Source, open_source
from uploader.transport import CredentialSource, Destination, Flow, Transport
from uploader.wire import Wire

T = TypeVar("T")
LAST_WORDS = 0.25
"""Seconds for a run that outlived its grace to record where it stands."""


class Engine:
    """Drive uploads on the running loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        credentials: CredentialSource | None = None,
        subscribers: Sequence[Subscriber] = (),
        wire: Wire | None = None,
        recall: Callable[[], Sequence[Opened]] | None = None,
    ) -> None:
        """`recall` tells what accounts have opened before; it may block."""
        if wire is None:
            from uploader.wire.aiohttp_wire import AiohttpWire

            wire = AiohttpWire(timeouts=settings.timeouts, ssl_context=settings.ssl_context)
        self.settings = settings
        self.wire = wire
        self.credentials = credentials
        self.hub = EventHub(subscribers)
        self.budget = WindowBudget(settings.window_bytes)
        self.blocks = BlockBudget(settings.stream_bytes)
        # Apart from each other: a token store that hangs must stop neither the reading of files
        # nor the renewal of leases.
        self.executor: Executor = ThreadPoolExecutor(8, thread_name_prefix="uploader-io")
        self.journal_executor: Executor = ThreadPoolExecutor(4, thread_name_prefix="uploader-log")
        self.token_executor: Executor = ThreadPoolExecutor(32, thread_name_prefix="uploader-token")
        self.preflights = Preflights(settings.clock, self.executor)
        self._recall = recall
        self.turns = Turns(
            settings.clock,
            settings.limiter,
            settings.limit_wait,
            self._recalled if recall else None,
        )
        self.board = Board(settings.clock, self.journal_executor, settings.breaker.again)
        self.breaker = Breaker(settings.breaker, settings.clock, self.journal_executor, self.board)
        self.rounds = Rounds(settings.clock)
        self._lanes = asyncio.Semaphore(settings.max_uploads)
        self._extra_lanes = asyncio.Semaphore(settings.max_extra_lanes)
        self._pacer = Pacer(settings.bandwidth) if settings.bandwidth else None
        self._tasks: set[asyncio.Task[object]] = set()
        self._brakes: set[Stop] = set()

    async def _recalled(self) -> Sequence[Opened]:
        assert self._recall is not None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.journal_executor, self._recall)

    @asynccontextmanager
    async def lane(self, teller: Teller) -> AsyncIterator[None]:
        """Hold one of the process's lanes; uploads get them in the order of asking."""
        clock = self.settings.clock
        asked = clock.monotonic()
        async with self._lanes:
            seconds = clock.monotonic() - asked
            if seconds > WORTH_TELLING:
                teller.waited("lane", seconds)
            yield

    @asynccontextmanager
    async def extra_lane(self) -> AsyncIterator[None]:
        """Hold a lane beyond an upload's first."""
        async with self._extra_lanes:
            yield

    def pace(self, teller: Teller) -> Callable[[int], Awaitable[None]] | None:
        """Return what an upload awaits before bytes go out, `None` without a bandwidth limit."""
        pacer, clock = self._pacer, self.settings.clock
        if pacer is None:
            return None

        async def wait(count: int) -> None:
            seconds = pacer.reserve(count, clock.monotonic())
            if seconds > 0:
                await clock.sleep(seconds)
            if seconds > WORTH_TELLING:
                teller.waited("bandwidth", seconds)

        return wait

    def open_source(self, prepared: Prepared, on_fallback: Callable[[str], None]) -> Source:
        def opened() -> Source:
            return open_source(
                prepared.source,
                prepared.facts,
                mode=self.settings.source_mode,
                executor=self.executor,
                on_fallback=on_fallback,
            )

        return opened() if prepared.shared is None else prepared.shared.open(opened)

    async def call(
        self,
        destination: Destination,
        operation: str,
        make: Callable[[], Flow[T]],
        *,
        repeatable: bool,
    ) -> T:
        """Drive one small flow of a destination, signed and retried."""
        transport, unheard = destination.transport(), _Unheard()
        signer = Signer(destination, transport.name, self.credentials, self.token_executor)
        gate = self.gate(destination, transport, unheard)
        clock, retry = self.settings.clock, self.settings.retry
        caller = FlowCaller(self.wire, signer, clock, retry, unheard, gate)
        return await caller.call(operation, make, repeatable=repeatable)

    def gate(self, destination: Destination, transport: Transport, waiter: Waiter) -> Gate | None:
        """Return what lets the requests of a destination's account out; `None` without limits."""
        return Gate.of(self.turns, self.settings, destination, transport, waiter)

    async def close(self, grace: float) -> None:
        """Suspend what runs, give it `grace` seconds to end, and give everything back."""
        running = [task for task in self._tasks if not task.done()]
        for brake in list(self._brakes):
            brake.now(StopReason.SUSPENDED)
        if running:
            _, late = await asyncio.wait(running, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=LAST_WORDS)
        await self.wire.close()
        await self.hub.close()
        for executor in (self.executor, self.journal_executor, self.token_executor):
            executor.shutdown(wait=False, cancel_futures=True)
        self.turns.close()
        await self.rounds.close()

    @contextmanager
    def braked(self, brake: Stop) -> Iterator[None]:
        """Let `close` stop what happens within."""
        self._brakes.add(brake)
        try:
            yield
        finally:
            self._brakes.discard(brake)

    def track(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        """Remember a task, to be stopped by `close`."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Unheard:
    """Requests outside of an upload are nobody's events."""

    def request_finished(self, operation: str, outcome: str, seconds: float) -> None:
        pass

    def retry_scheduled(self, operation: str, attempt: int, wait: float, error: str) -> None:
        pass

    def held_back(self, **facts: Any) -> None:
        pass

    def waited(self, operation: str, seconds: float) -> None:
        pass
