"""Asks a destination, before anything is sent, whether it would take an upload.

Rule: of many uploads that want the same answer at once one asks; an answer is believed for as long
as the destination says, a refusal never.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Executor
from typing import Any

from uploader.engine.settings import Clock
from uploader.source import SourceInput
from uploader.transport import Flow, Preflight

LOG = logging.getLogger("uploader")
MANY = 1024
"""Answers that are kept before those whose time is over are thrown away."""
Ask = Callable[[Callable[[], Flow[Any]]], Awaitable[Any]]


class Preflights:
    """The questions and answers of one engine."""

    def __init__(self, clock: Clock, executor: Executor) -> None:
        self._clock = clock
        self._executor = executor
        self._answers: dict[Hashable, tuple[Any, float]] = {}
        self._turns: dict[Hashable, asyncio.Lock] = {}

    async def check(self, preflight: Preflight, source: SourceInput | None, ask: Ask) -> Any:
        """Return what the upload was checked against; raise `PreflightError` when it is hopeless.

        `ask` drives the question. What keeps it from being answered is raised as it is.
        """
        answer = None
        if preflight.key is not None:
            answer = await self._answer(preflight, preflight.key, ask)
        found = await asyncio.get_running_loop().run_in_executor(
            self._executor, preflight.judge, answer, source
        )
        for remark in getattr(found, "remarks", ()):
            LOG.warning("%s", remark)
        return found

    async def _answer(self, preflight: Preflight, key: Hashable, ask: Ask) -> Any:
        async with self._turns.setdefault(key, asyncio.Lock()):
            answer, since = self._answers.get(key, (None, 0.0))
            if answer is not None and 0 <= self._clock.time() - since < preflight.life:
                return answer
            answer = await ask(preflight.ask)
            self._answers.pop(key, None)
            if not isinstance(answer, Exception):
                self._make_room(preflight.life)
                self._answers[key] = answer, self._clock.time()
            return answer

    def _make_room(self, life: float) -> None:
        if len(self._answers) < MANY:
            return
        now = self._clock.time()
        for key in [key for key, (_, since) in self._answers.items() if now - since >= life]:
            del self._answers[key]
            if not self._turns[key].locked():
                del self._turns[key]
