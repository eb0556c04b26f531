"""Why and how a run is stopped from outside.

Rule: the first reason counts; stopping cancels the run's task, which then says how the upload
stands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NoReturn

from uploader.engine.pausing import Hold
from uploader.engine.settings import Clock
from uploader.errors import LeaseLostError, SourceError, UploadCancelledError, UploaderError
from uploader.source import Source

GUARD_EVERY = 0.5
"""Seconds between looks at the file: who wants to change it waits about this long for us."""


class StopReason(Enum):
    """Why a run is stopped."""

    CANCELLED = "cancelled"
    SUSPENDED = "suspended"
    LEASE_LOST = "lease lost"
    SOURCE_LOST = "source lost"
    HANDED_OVER = "handed over"
    """At the next part's boundary, as if the time were up."""


class Suspended(UploadCancelledError):
    """The run's time was up at a part's boundary."""


class Stop:
    """The brake of one run."""

    def __init__(self, clock: Clock, time_limit: float | None) -> None:
        self._clock = clock
        self._until = None if time_limit is None else clock.monotonic() + time_limit
        self.hold: Hold | None = None
        """What may hold the upload back at a boundary."""
        self.task: asyncio.Task[Any] | None = None
        self.reason: StopReason | None = None
        self.error: UploaderError | None = None

    def now(self, reason: StopReason, error: UploaderError | None = None) -> None:
        """Stop the run as soon as it can be, or HANDED_OVER."""
        if reason is StopReason.HANDED_OVER:
            self._until = self._clock.monotonic()
            return
        if self.reason is not None:
            return
        self.reason = reason
        self.error = error
        if reason is StopReason.LEASE_LOST and error is None:
            self.error = LeaseLostError("another run may drive this upload now")
        if self.task is not None:
            self.task.cancel()

    def consume(self) -> None:
        """Take the cancellation: the run goes on to say how things stand."""
        if self.task is not None and self.task.cancelling():
            self.task.uncancel()

    async def over(self) -> None:
        """Let nothing stop the run any more: how it ended is known, and has to be recorded."""
        task, self.task = self.task, None
        if self.reason is not None and task is not None and task.cancelling():
            # It came too late. Untaken, it would strike at the next wait.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            task.uncancel()

    async def at_boundary(self) -> None:
        """Raise when the time is up, or the upload was paused."""
        if self.outlasts(0.0):
            self._suspend(Suspended("the time limit was reached"))
        held = await self.hold.check() if self.hold is not None else None
        if held is not None:
            self._suspend(held)

    async def passed(self) -> None:
        """Note that a part of the upload is stored."""
        if self.hold is not None:
            await self.hold.passed()

    def outlasts(self, seconds: float) -> bool:
        """Whether a wait of so many seconds would end after the time is up."""
        return self._until is not None and self._clock.monotonic() + seconds >= self._until

    def before_wait(self, seconds: float) -> None:
        """Raise at once when the time would be up before the wait is over."""
        if self.outlasts(seconds):
            self._suspend(Suspended("the time limit would pass while waiting to try again"))

    @contextlib.contextmanager
    def guarding(self, source: Source, spent: Callable[[], bool]) -> Iterator[None]:
        """Stop the run, also while it waits, when its file changes or is about to.

        `spent` tells that every byte of it has left: whatever becomes of the file then, the answer
        counts.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal timer
            try:
                if not spent():
                    source.check()
            except SourceError as error:
                self.now(StopReason.SOURCE_LOST, error)
                return
            timer = loop.call_later(GUARD_EVERY, look)

        # A timer: most uploads are over before it, and a task would cost each of them two turns.
        timer = loop.call_later(GUARD_EVERY, look)
        try:
            yield
        finally:
            timer.cancel()

    def _suspend(self, error: UploaderError) -> NoReturn:
        # Not `now`: a task that cancels itself would be cancelled once more at its next wait.
        if self.reason is None:
            self.reason, self.error = StopReason.SUSPENDED, error
        raise asyncio.CancelledError
