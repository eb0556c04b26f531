"""Watches recorded uploads that servers still work on, hundreds of them by one task.

Rule: between two questions nothing is held: no lease, no lane, no file, no connection. So a
webhook, or another process, may end an upload meanwhile, which is found in the journal then without
a question. Of one account one question is out at a time; how often, its limits say.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from uploader.engine import Engine
from uploader.errors import ConfigurationError, JournalError
from uploader.journal import Entry
from uploader.model import Outcome, UploadResult
from uploader.pacing import PollPolicy

LOOKS: Final = 32
"""Questions that are out at once, over all accounts."""
Look = Callable[[str, float], Awaitable[UploadResult | None]]
"""`look(upload_id, since)`: ask once; `None` when another run drives it."""


@dataclass(slots=True)
class _Watched:
    """One upload that is watched, and what is known of it."""

    upload_id: str
    whose: tuple[str, str | None]
    waits: Iterator[float]
    since: float
    result: UploadResult | None = None
    give_up: Callable[[], None] = field(default=lambda: None)


class Watch:
    """Watch uploads until each has ended, or the policy's patience has. Made on the loop."""

    def __init__(self, engine: Engine, entries: Sequence[Entry], policy: PollPolicy, look: Look):
        self._engine = engine
        self._look = look
        now = engine.settings.clock.monotonic()
        self._all = [
            _Watched(entry.upload_id, (entry.transport, entry.account), policy.waits(), now)
            for entry in entries
        ]
        self._ready = deque(self._all)
        self._parked: dict[tuple[str, str | None], deque[_Watched]] = {}
        self._looks: dict[asyncio.Task[UploadResult | None], _Watched] = {}
        self._left = len(self._all)
        self._changed = asyncio.Event()

    async def run(self) -> list[UploadResult | None]:
        """Return how each stands in the end, in order; `None` where only others could tell."""
        try:
            while self._left:
                self._changed.clear()
                self._ask()
                await self._changed.wait()
                self._settle()
        finally:
            for each in self._all:
                each.give_up()
            for task in self._looks:
                task.cancel()
        return [each.result for each in self._all]

    def _ask(self) -> None:
        """Ask about those whose time has come, as far as there is room."""
        while self._ready and len(self._looks) < LOOKS:
            watched = self._ready.popleft()
            if watched.whose in self._parked:
                self._parked[watched.whose].append(watched)
                continue
            self._parked[watched.whose] = deque()
            task = asyncio.ensure_future(self._look(watched.upload_id, watched.since))
            self._looks[task] = watched
            task.add_done_callback(lambda _: self._changed.set())

    def _settle(self) -> None:
        """Take the answers that have come; who has not ended waits for another turn."""
        for task in [task for task in self._looks if task.done()]:
            watched = self._looks.pop(task)
            self._ready.extendleft(reversed(self._parked.pop(watched.whose)))
            watched.result = _answer(task) or watched.result
            result = watched.result
            pause = None
            if result is None or _goes_on(result):
                pause = next(watched.waits, None)
            if pause is None:
                self._left -= 1
                continue
            watched.give_up = self._engine.rounds.later(
                watched.upload_id,
                pause,
                lambda each=watched: self._due(each),  # type: ignore[misc]
            )

    def _due(self, watched: _Watched) -> None:
        self._ready.append(watched)
        self._changed.set()


def _goes_on(result: UploadResult) -> bool:
    """Whether asking again may tell more: what is the caller's to mend does not mend itself."""
    wrong = isinstance(result.error, ConfigurationError)
    return result.outcome is Outcome.PROCESSING and not wrong


def _answer(task: asyncio.Task[UploadResult | None]) -> UploadResult | None:
    """Return what a look has told; a journal that fails tells nothing, and may work next time."""
    try:
        return task.result()
    except JournalError:
        return None
