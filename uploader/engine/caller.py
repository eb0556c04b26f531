"""Drives one flow at a time: sign, send, classify, wait, try again.

Rule: only this room and the ordered sender retry. A flow's exceptions are `TransportError`s; what
else a faulty transport raises becomes a `ProtocolError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from uploader.engine.credentials import Signer
from uploader.engine.gate import Gate
from uploader.engine.settings import Clock
from uploader.errors import (
    AuthenticationError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    RetriesExhaustedError,
    TransportError,
)
from uploader.http import Request, Response
from uploader.retry import RetryBudget, RetryPolicy
from uploader.secret import MASK, Secret
from uploader.transport import Flow
from uploader.wire import Wire

T = TypeVar("T")
SHORTEST_TOKEN = 8
"""A shorter one is made up, and its letters stand in many answers by chance."""


class Listener(Protocol):
    """Who is told of requests and retries."""

    def request_finished(self, operation: str, outcome: str, seconds: float) -> None: ...

    def retry_scheduled(self, operation: str, attempt: int, wait: float, error: str) -> None: ...


class FlowCaller:
    """Drive the flows of one upload."""

    def __init__(
        self,
        wire: Wire,
        signer: Signer,
        clock: Clock,
        policy: RetryPolicy,
        listener: Listener,
        gate: Gate | None = None,
    ) -> None:
        self._wire = wire
        self._signer = signer
        self._clock = clock
        self._policy = policy
        self._listener = listener
        self.gate = gate
        self.in_flight = False
        """Whether a request is out and its answer is not in."""
        self.before_wait: Callable[[float], None] = lambda seconds: None
        """Told how long a wait will be; may end the run instead."""

    @property
    def can_renew(self) -> bool:
        """Whether another credential may come when this one is refused."""
        return self._signer.can_renew

    def time(self) -> float:
        """Return the wall clock's seconds."""
        return self._clock.time()

    def budget(self) -> RetryBudget:
        return RetryBudget(self._policy, self._clock.monotonic())

    async def once(self, flow: Flow[T]) -> T:
        """Drive a flow to its end; nothing is tried again."""
        return await drive(flow, self._send)

    async def call(
        self,
        operation: str,
        make: Callable[[], Flow[T]],
        *,
        repeatable: bool,
        budget: RetryBudget | None = None,
    ) -> T:
        """Drive a small operation until it succeeds or the budget is spent.

        One that is not `repeatable` is tried again only when its failure proves that the server did
        nothing, and else raises `OutcomeUnknownError`. `budget` is what an earlier call left.
        """
        budget, renewed = budget or self.budget(), False
        while True:
            try:
                return await self.once(make())
            except TransportError as error:
                failure = error
            if not repeatable and failure.ambiguous:
                raise unknown(operation, failure)
            if isinstance(failure, AuthenticationError) and self.can_renew and not renewed:
                renewed = True
                self.scheduled(operation, 1, 0.0, failure)
                continue
            if failure.recovery is not Recovery.RETRY:
                raise failure
            await self.wait(operation, budget, failure)

    async def wait(self, operation: str, budget: RetryBudget, failure: TransportError) -> None:
        """Wait as the budget says; raise `RetriesExhaustedError` when it is spent."""
        started, now = budget.started, self._clock.monotonic()
        seconds = budget.next_wait(failure, now, self._clock.draw())
        attempts = budget.attempts + budget.limited
        if self.gate is not None and await self._blocked(self.gate, failure, seconds):
            self.scheduled(operation, attempts, 0.0, failure)  # that wait is the limit's
            return
        if seconds is None:
            raise RetriesExhaustedError(
                f"{operation}: gave up after {attempts} attempts in {now - started:.1f} s:"
                f" {failure.message}",
                last=failure,
                attempts=attempts,
                seconds=round(now - started, 3),
            )
        self.before_wait(seconds)
        self.scheduled(operation, attempts, seconds, failure)
        await self._clock.sleep(seconds)

    async def _blocked(self, gate: Gate, failure: TransportError, seconds: float | None) -> bool:
        """Let the account wait for what the server said, all uploads of it; the gate keeps them.

        Raises the failure when no request waits for so long, and tells whether the gate will.
        """
        wait, operation = failure.retry_after, failure.operation
        if wait is None:
            wait = seconds
        limited = isinstance(failure, RateLimitedError)
        if not limited or wait is None or operation is None or not gate.covers(operation):
            return False
        await gate.block(operation, wait)
        if gate.outlasts(wait):
            failure.retry_after = wait  # known now, also where the server gave no time
            raise failure
        return seconds is not None

    def scheduled(self, operation: str, attempt: int, wait: float, failure: TransportError) -> None:
        self._listener.retry_scheduled(operation, attempt, wait, failure.code)

    async def _send(self, request: Request) -> Response:
        signed, gate = await self._signer.sign(request), self.gate
        permit = None if gate is None else await gate.enter(request.operation)
        began, outcome = self._clock.monotonic(), "error"
        self.in_flight = True
        try:
            response = await self._wire.send(signed)
            outcome, self.in_flight = str(response.status), False
            if response.status in (401, 403):
                self._signer.refused(request, response)
            return _without_echo(signed, response)
        except TransportError as error:
            outcome, self.in_flight = error.code, False
            if permit is not None and not error.ambiguous:
                await permit.give_back()  # it never left this machine
            raise
        finally:
            if permit is not None:
                permit.over()
            seconds = self._clock.monotonic() - began
            self._listener.request_finished(request.operation, outcome, seconds)


def _without_echo(request: Request, response: Response) -> Response:
    """Mask what a server repeats of our credential: its words become the texts of errors."""
    content = response.content
    for value in request.headers.values():
        if isinstance(value, Secret) and len(value.reveal().rpartition(" ")[2]) >= SHORTEST_TOKEN:
            content = content.replace(
                value.reveal().rpartition(" ")[2].encode(errors="replace"), MASK.encode()
            )
    return response if content == response.content else replace(response, content=content)


async def drive(flow: Flow[T], send: Callable[[Request], Awaitable[Response]]) -> T:
    """Send what the flow yields and return its value."""
    answer: Any = None
    try:
        while True:
            done, value = _step(flow, answer)
            if done:
                return value  # type: ignore[no-any-return]
            answer = await send(value)
    finally:
        flow.close()


def _step(flow: Flow[T], answer: Any) -> tuple[bool, Any]:
    """Advance a flow: (False, request) or (True, value)."""
    try:
        return False, flow.send(answer)
    except StopIteration as stop:
        return True, stop.value
    except TransportError:
        raise
    except Exception as error:
        fault = f"the transport failed with {type(error).__name__}"
    # Outside of the handler: the faulty frame's locals may hold what the server said.
    raise ProtocolError(fault)


def unknown(operation: str, failure: TransportError) -> OutcomeUnknownError:
    """Say that an irreversible request may have succeeded."""
    return OutcomeUnknownError(
        f"{operation}: the server may have acted on it: {failure.message}",
        operation=operation,
        status=failure.status,
        vendor_code=failure.vendor_code,
        request_id=failure.request_id,
    ).hint("look at the destination before uploading it again: it may be there already")
