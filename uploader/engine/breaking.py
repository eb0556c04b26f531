"""The breaker: pauses a destination that refuses several accounts in the same words.

Rule: knows no destination; an error says by itself whether it meets everybody (`general`). Judged
from the journal, which all processes share, and only when such a refusal comes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Final

from uploader import events
from uploader.breaker import BREAKER, BreakerPolicy, Refusal, accounts_refused
from uploader.engine.pausing import Board, paused
from uploader.engine.settings import Clock
from uploader.engine.standing import Standing
from uploader.errors import JournalError, TransportError
from uploader.journal import Entry, Journal, Pause, State
from uploader.model import Outcome

LOOKED_AT: Final = 1000
"""Uploads that changed last, among which refusals and successes are looked for."""
_BEYOND: Final = (State.SENDING, State.COMMITTING, State.PROCESSING, State.DONE)


class Breaker:
    """Judge refusals. Lives on the engine's loop."""

    def __init__(
        self, policy: BreakerPolicy, clock: Clock, executor: Executor, board: Board
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._executor = executor
        self._board = board
        # Of several that are refused at one moment none is in the journal yet.
        self._recent: deque[Refusal] = deque(maxlen=LOOKED_AT)
        self._lock = threading.Lock()

    async def judged(
        self, standing: Standing, journal: Journal, entry: Entry, tell: Callable[..., None]
    ) -> Standing:
        """Return how a refused upload stands: it waits where everybody is refused."""
        error = standing.error
        if standing.outcome is not Outcome.FAILED or not isinstance(error, TransportError):
            return standing
        if not error.general or not self._policy.accounts:
            return standing
        refusal = Refusal(
            self._clock.time(),
            entry.upload_id,
            entry.transport,
            entry.account,
            error.operation or "",
            error.vendor_code or str(error.status),
        )
        self._recent.append(refusal)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._executor, self._look, journal, entry, refusal)
        except JournalError:
            return standing
        if found is None:
            return standing
        pause, accounts = found
        if accounts:
            self._board.forget()
            facts: dict[str, Any] = {"operation": refusal.operation, "vendor_code": refusal.word}
            tell(events.BreakerOpened, reason=pause.reason, accounts=accounts, **facts)
        why = paused(pause).hint(f"it was refused, too: {error.message}")
        return Standing(Outcome.SUSPENDED, fields=standing.fields, error=why)

    def _look(self, journal: Journal, entry: Entry, refusal: Refusal) -> tuple[Pause, int] | None:
        """Return the pause that stands, and of how many accounts when it was made just now."""
        with self._lock:
            for pause in journal.pauses():
                if pause.by == BREAKER and pause.covers(entry.transport, entry.account):
                    return pause, 0
            since = refusal.at - self._policy.window
            known = {each.upload_id: each for each in _refusals(journal, entry.transport, since)}
            known |= {each.upload_id: each for each in list(self._recent)}
            accounts = accounts_refused(
                self._policy,
                known.values(),
                like=refusal,
                succeeded=_succeeded(journal, entry, since),
            )
            if accounts is None:
                return None
            minutes = self._policy.window / 60
            pause = Pause(
                entry.transport,
                None,
                f"{refusal.operation} was refused with {refusal.word} for {accounts} accounts"
                f" within {minutes:g} minutes",
                since=refusal.at,
                by=BREAKER,
                trial=refusal.at + self._policy.again,
            )
            journal.pause(pause)
            return pause, accounts


def _refusals(journal: Journal, transport: str, since: float) -> Iterator[Refusal]:
    """Return what any process has recorded of refusals that meet everybody."""
    for entry in journal.latest(LOOKED_AT, states=[State.FAILED]):
        if entry.updated < since:
            return
        error = entry.error or {}
        if entry.transport == transport and error.get("general"):
            word = error.get("vendor_code") or str(error.get("status"))
            operation = str(error.get("operation") or "")
            yield Refusal(
                entry.updated, entry.upload_id, transport, entry.account, operation, str(word)
            )


def _succeeded(journal: Journal, refused: Entry, since: float) -> float | None:
    """Return when an upload got past the point where another one was refused last."""
    last: float | None = None
    for entry in journal.latest(LOOKED_AT, states=_BEYOND):
        if entry.updated < since:
            break
        if entry.transport != refused.transport or entry.upload_id == refused.upload_id:
            continue
        at: float | None = None
        if entry.session is None:
            at = entry.updated if entry.state is not State.SENDING else None
        elif refused.session is None:
            at = entry.session.created_at
        elif entry.confirmed:
            at = entry.updated
        if at is not None and (last is None or at > last):
            last = at
    return last
