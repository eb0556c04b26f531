"""Ours with nobody watching, and ours with everybody: what their difference is, watching costs.

Rule: the same upload in both. Unobserved, the engine has no subscriber at all; observed, metrics
are counted and log lines of the default level are written as JSON, to a device that takes all. What
that takes is read from the books of the thread that does it, and of the loop for handing events
over: the difference of two runs drowns in the noise of a machine.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.contender import Contender, Job
from benchmarks.ours import Ours
from uploader import Uploader, instruments
from uploader.engine.hub import EventHub
from uploader.events import Event
from uploader.logging import configure


class Observed(Ours):
    """Metrics and logs as an application has them that looks at both."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._sink = Path(os.devnull).open("w")  # noqa: SIM115 - it lives as long as the process
        configure(format="json", stream=self._sink)
        self._handing_over = _timed_emit()

    def told(self) -> float | None:
        """Return what the events' thread took, and handing events to it."""
        for thread in threading.enumerate():
            if thread.name == "uploader-events" and thread.ident is not None:
                clock = time.pthread_getcpuclockid(thread.ident)
                return time.clock_gettime(clock) + self._handing_over()
        return None


def _timed_emit() -> Callable[[], float]:
    """Time every call of the hub's `emit`; return a function that tells their sum in seconds."""
    emit, spent = EventHub.emit, [0.0]

    def timed(hub: EventHub, event: Event) -> None:
        began = time.thread_time()
        emit(hub, event)
        spent[0] += time.thread_time() - began

    EventHub.emit = timed  # type: ignore[method-assign, assignment]
    return lambda: spent[0]


class Unobserved(Ours):
    """No metrics, no logs."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        # There is no such setting for users: the log subscriber costs next to nothing unheard.
        instruments.standard_subscribers = lambda registry, *, metrics: ()
        self._uploader = Uploader(metrics=False)


def make(job: Job) -> Contender:
    """Return the contender."""
    return Unobserved(job) if job.contender == "unobserved" else Observed(job)
