"""Turns: who may ask a destination next, where an account may ask only so often.

Rule: the requests of one account go in the order of asking, and each account has a line of its own,
so that hundreds of one account delay nobody else's. Whoever waits here holds nothing. What this
process sends is counted here in any case; a limiter that processes share is asked on top of that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from uploader.engine.settings import Clock
from uploader.errors import LimitsError, RateLimitedError, Recovery
from uploader.limits import Limiter, MovingWindow, Rate

FRESH: Final = 1.0
"""Seconds for which a count of the shared limiter stands before its request goes out."""
ASK_AGAIN: Final = 1.0
"""Seconds between questions to a shared limiter that cannot be reached."""
MANY: Final = 4096
"""So many lines are kept before idle ones are dropped."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Something that an account opened at a moment of the wall clock, counted under a rate."""

    account: str
    rate: str
    moment: float


Heard = Callable[[float, Rate | None], None]


@dataclass(slots=True)
class _Line:
    """Who waits for one kind of request of one account."""

    account: str
    rates: tuple[Rate, ...]
    windows: tuple[MovingWindow, ...]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    urgent: int = 0
    blocked_until: float = float("-inf")

    @property
    def operation(self) -> str:
        return self.rates[0].operation

    @property
    def opens(self) -> bool:
        return any(rate.opens for rate in self.rates)

    def rate_of(self, wait: float) -> Rate:
        """Return the shortest rate that a shared limiter's wait can be for."""
        able = [rate for rate in self.rates if wait <= rate.window + FRESH] or self.rates
        return min(able, key=lambda rate: rate.window)

    def wait(self, now: float, ahead: int) -> tuple[float, Rate | None]:
        """Return the seconds until there is room, and for which rate; `None`: the server said."""
        longest, rate = max(0.0, self.blocked_until - now), None
        for each, window in zip(self.rates, self.windows, strict=True):
            wait = window.wait(each, now, ahead)
            if wait > longest:
                longest, rate = wait, each
        return longest, rate

    def is_idle(self, now: float) -> bool:
        if self.waiting or self.urgent or self.turn.locked() or self.blocked_until > now:
            return False
        pairs = zip(self.rates, self.windows, strict=True)
        return all(window.is_empty(rate, now) for rate, window in pairs)


class Permit:
    """One request's place in its account's windows. It is used once, or given back."""

    def __init__(self, turns: Turns, line: _Line, *, counted: bool, now: float) -> None:
        self._turns = turns
        self._line = line
        self._counted = counted
        self._since = now
        self._open = True
        for window in line.windows:
            window.hold()

    async def use(self) -> float:
        """Say that the request goes out now; return 0.0, or the seconds to wait.

        In these cases the permit was given back: since it was given the server has said no, or
        others have been counted.
        """
        turns, line = self._turns, self._line
        blocked = line.blocked_until - turns.now()
        if blocked > 0:
            await self.give_back()
            return blocked
        if not self._counted or turns.now() - self._since <= FRESH:
            return 0.0
        self._counted = False
        try:
            await turns.uncount(line, self._since)
            wait = await turns.count(line)
        except LimitsError:
            if not line.opens:
                return 0.0
            self._close()
            raise
        except BaseException:
            self._close()
            raise
        if wait > 0:
            self._close()
            return wait
        self._counted, self._since = True, turns.now()
        return 0.0

    def over(self) -> None:
        """Note that the request was answered, or will not be."""
        if self._open:
            self._open = False
            now = self._turns.now()
            for window in self._line.windows:
                window.stamp(now)

    async def give_back(self) -> None:
        """Note that the request did not go out."""
        if self._open:
            self._close()
            if self._counted:
                await self._turns.uncount(self._line, self._since)

    def _close(self) -> None:
        self._open = False
        for window in self._line.windows:
            window.give_back()
        self._line.changed.set()


class Turns:
    """The lines of all accounts that an engine asks for. Lives on its loop."""

    def __init__(
        self,
        clock: Clock,
        limiter: Limiter | None,
        patience: float,
        recall: Callable[[], Awaitable[Iterable[Opened]]] | None = None,
    ) -> None:
        """`patience` is how many seconds a request waits for its turn at most.

        `recall` is asked once, before something is opened, what was opened before this process.
        """
        self._clock = clock
        self._limiter = limiter
        self.patience = patience
        self._lines: dict[tuple[str, tuple[str, ...]], _Line] = {}
        self._windows: dict[tuple[str, str], MovingWindow] = {}
        self._recall = recall
        self._recalling = asyncio.Lock()
        # Apart from the others: a limiter that hangs must stop neither files, journal nor tokens.
        self._executor = (
            ThreadPoolExecutor(8, thread_name_prefix="uploader-limits") if limiter else None
        )

    def now(self) -> float:
        return self._clock.monotonic()

    def time(self) -> float:
        return self._clock.time()

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def take(
        self,
        account: str,
        rates: tuple[Rate, ...],
        *,
        heard: Heard,
        patience: float | None = None,
        urgent: bool = False,
    ) -> Permit:
        """Wait for a turn, for `patience` seconds at most, and return the permit.

        `heard(seconds, rate)` is told of a wait before it begins, and may end it. Who is `urgent`
        does not queue. Raises `RateLimitedError` as soon as it is clear that the wait is too long,
        and `LimitsError` when what opens something cannot be counted.
        """
        if self._recall is not None and any(rate.opens for rate in rates):
            await self._remember()
        line = self._line(account, rates)
        deadline = self.now() + (self.patience if patience is None else patience)
        if urgent:
            line.urgent += 1
            try:
                return await self._first(line, deadline, heard, urgent=True)
            finally:
                line.urgent -= 1
        if line.turn.locked():
            heard(*self._checked(line, line.waiting + line.urgent, deadline))
        line.waiting += 1
        try:
            async with line.turn:
                return await self._first(line, deadline, heard)
        finally:
            line.waiting -= 1

    async def _remember(self) -> None:
        """Count what was opened before; who comes meanwhile waits for it."""
        async with self._recalling:
            if self._recall is None:
                return
            ago = self.now() - self._clock.time()
            for each in await self._recall():
                window = self._windows.setdefault((each.account, each.rate), MovingWindow())
                window.stamps.append(min(self.now(), each.moment + ago))
            self._recall = None

    async def _first(
        self, line: _Line, deadline: float, heard: Heard, *, urgent: bool = False
    ) -> Permit:
        """Wait at the head of a line."""
        while True:
            wait, rate = self._checked(line, 0 if urgent else line.urgent, deadline)
            if wait > 0:
                heard(wait, rate)
                await self._pause(line, wait)
                continue
            if self._limiter is None:
                return Permit(self, line, counted=False, now=self.now())
            # Held meanwhile: who is urgent does not wait for this turn.
            permit = Permit(self, line, counted=False, now=self.now())
            try:
                counted = await self._counted(line, deadline, heard)
            except BaseException:
                permit._close()
                raise
            if counted is None:
                permit._close()
                continue
            permit._counted, permit._since = counted, self.now()
            return permit

    async def _counted(self, line: _Line, deadline: float, heard: Heard) -> bool | None:
        """Let the shared limiter count; `None` after a wait, for another try."""
        try:
            wait, failure = await self.count(line), None
        except LimitsError as error:
            if not line.opens:
                return False  # it only asks: what this process counts is enough
            wait, failure = ASK_AGAIN, error
        if wait <= 0:
            return True
        if self.now() + wait > deadline:
            raise failure or too_long(line.operation, wait, line.rate_of(wait))
        heard(wait, None if failure is not None else line.rate_of(wait))
        await self._pause(line, wait)
        return None

    async def count(self, line: _Line) -> float:
        """Ask the shared limiter; return 0.0, or the seconds to wait."""
        assert self._limiter is not None
        limiter, loop, rates = self._limiter, asyncio.get_running_loop(), line.rates
        taking = loop.run_in_executor(self._executor, limiter.take, line.account, rates)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(lambda taken: self._unwanted(taken, line.account, rates))
            raise

    def _unwanted(
        self, taken: asyncio.Future[float], account: str, rates: tuple[Rate, ...]
    ) -> None:
        """Give back what was counted for who went away meanwhile."""
        limiter, executor = self._limiter, self._executor
        if taken.cancelled() or taken.exception() or taken.result() > 0:
            return
        if limiter is not None and executor is not None:
            with contextlib.suppress(RuntimeError):  # closed: it counts until its window is over
                executor.submit(limiter.give_back, account, rates)

    async def uncount(self, line: _Line, since: float) -> None:
        """Give back what the shared limiter counted at `since`, where that counts still.

        A limiter that is gone has nothing to give.
        """
        assert self._limiter is not None
        limiter, loop, age = self._limiter, asyncio.get_running_loop(), self.now() - since
        rates = tuple(rate for rate in line.rates if age < rate.window)
        if not rates:
            return  # the oldest that is counted is another's by now
        try:
            await loop.run_in_executor(self._executor, limiter.give_back, line.account, rates)
        except LimitsError:
            return

    async def block(self, account: str, rates: tuple[Rate, ...], seconds: float) -> None:
        """Let no such request of the account out for so long: the server said so."""
        line = self._line(account, rates)
        line.blocked_until = max(line.blocked_until, self.now() + seconds)
        line.changed.set()
        if self._limiter is not None:
            limiter, loop = self._limiter, asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._executor, limiter.block, account, rates, seconds)
            except LimitsError:
                return  # it stays blocked here, and who cannot count opens nothing

    def _checked(self, line: _Line, ahead: int, deadline: float) -> tuple[float, Rate | None]:
        now = self.now()
        wait, rate = line.wait(now, ahead)
        if wait > 0 and now + wait > deadline:
            raise too_long(line.operation, wait, rate)
        return wait, rate

    async def _pause(self, line: _Line, seconds: float) -> None:
        """Sleep, unless a place is given back or the line is blocked meanwhile."""
        line.changed.clear()
        tasks = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(line.changed.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _line(self, account: str, rates: tuple[Rate, ...]) -> _Line:
        key = account, tuple(rate.name for rate in rates)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= MANY:
                self._drop_idle()
            windows = (
                self._windows.setdefault((account, rate.name), MovingWindow()) for rate in rates
            )
            line = self._lines[key] = _Line(account, rates, tuple(windows))
        line.rates = rates  # two destinations of an account may be set to other amounts
        return line

    def _drop_idle(self) -> None:
        now = self.now()
        self._lines = {key: line for key, line in self._lines.items() if not line.is_idle(now)}
        used = {id(window) for line in self._lines.values() for window in line.windows}
        # What was recalled of an account counts before its first line, too.
        self._windows = {
            key: each for key, each in self._windows.items() if each.stamps or id(each) in used
        }


def too_long(operation: str, seconds: float, rate: Rate | None) -> RateLimitedError:
    """Say that a limit holds a request back for longer than it may wait."""
    cause = f"the account's limit of {rate.words}" if rate is not None else "the server's word"
    return RateLimitedError(
        f"{operation}: held back by {cause} for another {seconds:,.0f} s",
        operation=operation,
        retry_after=seconds,
        recovery=Recovery.NONE,
    ).hint("nothing was sent; it can go on when that time is over")
