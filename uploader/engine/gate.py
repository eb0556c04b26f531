"""The gate of one upload, or of one call: lets out what the account's limits allow.

Rule: a wait begins where nothing is held. What opens an upload asks for its turn before it takes a
lane; when the turn is gone by then, the lane is left again (`Later`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from uploader.engine.limiting import Permit, Turns
from uploader.errors import LimitsError, RateLimitedError
from uploader.limits import Rate
from uploader.secret import Secret
from uploader.transport import Destination, Flow, Transport

if TYPE_CHECKING:
    from uploader.engine.settings import Settings

WORTH_TELLING = 0.01
"""Shorter waits are not worth an event."""


class Later(Exception):
    """A request has to wait, and what its upload holds must not wait with it."""


class Waiter(Protocol):
    """Who is told of waits."""

    def held_back(self, **facts: Any) -> None:
        """Hear the facts of a `LimitReached`."""
        ...

    def waited(self, operation: str, seconds: float) -> None: ...


class Gate:
    """Ask for turns on behalf of one upload, or of one call, of an account."""

    def __init__(
        self,
        turns: Turns,
        account: str,
        rates: Mapping[str, tuple[Rate, ...]],
        waiter: Waiter,
        *,
        name: str | None,
    ) -> None:
        """`rates` are those of each operation that is counted, `name` is the account's."""
        self._turns = turns
        self._name = name
        self._account = account
        self._rates = rates
        self._waiter = waiter
        self._kept: tuple[str, Permit] | None = None
        self._late: str | None = None
        """The operation for which the lane was left, whichever of its flow's requests that is."""
        self.in_lane = False
        """Whether the upload holds what others wait for."""
        self.before_wait: Callable[[float], None] = lambda seconds: None

    @classmethod
    def of(
        cls,
        turns: Turns,
        settings: Settings,
        destination: Destination,
        transport: Transport,
        waiter: Waiter,
    ) -> Gate | None:
        """Return the gate of a destination, `None` where nothing is counted."""
        declared = transport.capabilities.rates
        if not declared:
            return None
        rates: dict[str, tuple[Rate, ...]] = {}
        for rate in settings.rates.of(transport.name, declared):
            rates[rate.operation] = (*rates.get(rate.operation, ()), rate)
        if not rates:
            return None
        account = whose(destination, transport)
        return cls(turns, account, rates, waiter, name=destination.account)

    def covers(self, operation: str | None) -> bool:
        return operation in self._rates

    async def ahead(self, flow: Callable[[], Flow[Any]]) -> None:
        """Wait for the turn of a flow's first request and keep it, while nothing is held.

        After `Later` it is the turn of the request that had to wait.
        """
        operation, self._late = self._late or _first_of(flow), None
        if self._kept is None and operation is not None and self.covers(operation):
            self._kept = operation, await self._take(operation)

    async def enter(self, operation: str) -> Permit | None:
        """Return the permit of a request that goes out now; `None` where it is not counted.

        Raises `Later` when it opens something and would have to wait in a lane.
        """
        if operation not in self._rates:
            return None
        while True:
            permit = self._own(operation) or await self._take(operation)
            if await self._use(permit, operation) <= 0:
                return permit
            if self._leaves_lane(operation):
                raise self._later(operation)

    async def block(self, operation: str, seconds: float) -> None:
        """Let no such request of the account out for so long: the server said so."""
        await self._turns.block(self._account, self._rates[operation], seconds)

    def outlasts(self, seconds: float) -> bool:
        """Whether a wait is longer than any request waits for its turn."""
        return seconds > self._turns.patience

    async def close(self) -> None:
        """Give back a turn that was not used."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept[1].give_back()

    def _own(self, operation: str) -> Permit | None:
        if self._kept is None or self._kept[0] != operation:
            return None
        permit, self._kept = self._kept[1], None
        return permit

    async def _use(self, permit: Permit, operation: str) -> float:
        try:
            return await permit.use()
        except LimitsError:
            if self._leaves_lane(operation):
                raise self._later(operation) from None
            raise

    async def _take(self, operation: str) -> Permit:
        rates, asked, told = self._rates[operation], self._turns.now(), False

        def heard(seconds: float, rate: Rate | None) -> None:
            nonlocal told
            if seconds <= 0:
                return
            self.before_wait(seconds)
            if not told and seconds > WORTH_TELLING:
                told = True
                self._waiter.held_back(
                    account=self._name,
                    operation=operation,
                    seconds=seconds,
                    limit=rate.words if rate is not None else "",
                    time=self._turns.time(),
                )

        leaves = self._leaves_lane(operation)
        try:
            return await self._turns.take(
                self._account,
                rates,
                heard=heard,
                patience=0.0 if leaves else None,
                urgent=self.in_lane and not leaves,
            )
        except (RateLimitedError, LimitsError):
            if not leaves:
                raise
        finally:
            waited = self._turns.now() - asked
            if told and waited > WORTH_TELLING:
                self._waiter.waited(operation, waited)
        raise self._later(operation)

    def _later(self, operation: str) -> Later:
        self._late = operation
        return Later()

    def _leaves_lane(self, operation: str) -> bool:
        return self.in_lane and any(rate.opens for rate in self._rates[operation])


def whose(destination: Destination, transport: Transport) -> str:
    """Return what names an account at a destination; a token that stands for one only as a digest.

    It is kept in memory and given to limiters, never shown.
    """
    place = f"{transport.name} {destination.origin}"
    if destination.account is not None:
        return f"{place} account {destination.account}"
    token = destination.access_token
    if token is None:
        return f"{place} unnamed"
    return f"{place} token {hashlib.sha256(Secret(token).reveal().encode()).hexdigest()}"


def _first_of(flow: Callable[[], Flow[Any]]) -> str | None:
    """Return the operation of the first request of a flow, which is a pure function."""
    try:
        asking = flow()
        try:
            return next(asking).operation
        finally:
            asking.close()
    except Exception:
        return None  # whatever is wrong with it is said when it is driven
