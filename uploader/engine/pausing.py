"""What holds uploads back: the pauses of the journal, obeyed by every run.

Rule: a pause counts before anything is sent of an upload and at each boundary of its parts, never
in between. However many runs ask, the journal is read once in `PAUSES_EVERY` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Final

from uploader import events
from uploader.engine.settings import Clock
from uploader.errors import JournalError, PausedError
from uploader.journal import Journal, Pause, may_wait

PAUSES_EVERY: Final = 1.0
"""Seconds for which a reading of the pauses is believed."""


class Board:
    """The pauses that a process knows of. Lives on the engine's loop."""

    def __init__(self, clock: Clock, executor: Executor, again: float) -> None:
        """`again` is how many seconds pass between two trials of a pause."""
        self._clock = clock
        self._executor = executor
        self._again = again
        self._known: Sequence[Pause] = ()
        self._read_at: float | None = None
        self._forgotten = 0
        self._reading = asyncio.Lock()

    def forget(self) -> None:
        """Read the journal when somebody asks next."""
        self._read_at = None
        self._forgotten += 1

    async def standing(self, journal: Journal) -> Sequence[Pause]:
        """Return what is paused, as of at most `PAUSES_EVERY` seconds ago."""
        if self._is_fresh():
            return self._known
        async with self._reading:
            if not self._is_fresh():
                began, forgotten = self._clock.monotonic(), self._forgotten
                if may_wait(journal):
                    loop = asyncio.get_running_loop()
                    self._known = await loop.run_in_executor(self._executor, journal.pauses)
                else:
                    self._known = journal.pauses()
                if forgotten == self._forgotten:  # else it may be older than what is to be known
                    self._read_at = began
        return self._known

    def _is_fresh(self) -> bool:
        age = None if self._read_at is None else self._clock.monotonic() - self._read_at
        return age is not None and age < PAUSES_EVERY

    async def take_trial(self, journal: Journal, pause: Pause) -> bool:
        """Ask to be the one upload that is let through, if its moment has come."""
        now = self._clock.time()
        if pause.trial is None or pause.trial > now:
            return False
        loop, then = asyncio.get_running_loop(), now + self._again
        taken = await loop.run_in_executor(self._executor, journal.take_trial, pause, then)
        self.forget()
        return taken

    async def lift(self, journal: Journal, pause: Pause) -> int:
        """Lift a pause of which nobody else has made another one since."""

        def lifted() -> int:
            still = [each for each in journal.pauses() if is_same(each, pause)]
            if not still:
                return 0
            return journal.unpause(pause.transport, pause.account, by=pause.by)

        count = await asyncio.get_running_loop().run_in_executor(self._executor, lifted)
        self.forget()
        return count


class Hold:
    """What holds one upload back."""

    def __init__(
        self,
        board: Board,
        journal: Journal,
        transport: str,
        account: str | None,
        tell: Callable[..., None],
    ) -> None:
        self._board = board
        self._journal = journal
        self._transport = transport
        self._account = account
        self._tell = tell
        self.trial: Pause | None = None
        """The pause in spite of which this upload was let through."""

    async def check(self) -> PausedError | None:
        """Return why the upload may not go on now, if so."""
        pauses = [
            each
            for each in await self._board.standing(self._journal)
            if each.covers(self._transport, self._account)
            and not (self.trial is not None and is_same(each, self.trial))
        ]
        if not pauses:
            return None
        may_try = len(pauses) == 1 and self.trial is None
        if not may_try or not await self._board.take_trial(self._journal, pauses[0]):
            return paused(pauses[0])
        self.trial = pauses[0]
        self._tell(events.PauseTried, reason=pauses[0].reason)
        return None

    async def passed(self) -> None:
        """Lift the pause in spite of which the upload was let through: it got past the point."""
        pause = self.trial
        if pause is None:
            return
        try:
            lifted = await self._board.lift(self._journal, pause)
        except JournalError:
            return  # it stands until the next part, or the next upload that is let through
        self.trial = None
        if lifted:
            self._tell(events.PauseLifted, account=pause.account, by="the upload let through")


def is_same(one: Pause, other: Pause) -> bool:
    """Whether two readings are of one pause; only its trial may have moved."""
    return (one.transport, one.account, one.by, one.since) == (
        other.transport,
        other.account,
        other.by,
        other.since,
    )


def scope(transport: str | None, account: str | None) -> str:
    """Return in words what a pause is about."""
    what = "all uploads" if transport is None else f"uploads to {transport}"
    return what if account is None else f"{what} of the account {account}"


def paused(pause: Pause) -> PausedError:
    """Say who paused what, why, and since when."""
    since = f"{datetime.fromtimestamp(pause.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
    until = ""
    if pause.until is not None:
        until = f" until {datetime.fromtimestamp(pause.until, UTC):%Y-%m-%d %H:%M:%S} UTC"
    by = f" by {pause.by}" if pause.by else ""
    reason = pause.reason or "no reason was given"
    error = PausedError(
        f"{scope(pause.transport, pause.account)} are paused since {since}{until}{by}: {reason}",
        transport=pause.transport,
        account=pause.account,
        reason=pause.reason,
        since=pause.since,
        until=pause.until,
        by=pause.by,
    )
    options = "".join(
        f" --{name} {value}"
        for name, value in (("transport", pause.transport), ("account", pause.account))
        if value is not None
    )
    return error.hint(f"nothing is lost; it goes on after: uploader unpause{options}")
