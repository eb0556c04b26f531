"""Ours with nobody watching, and ours with everybody: what their difference is, watching costs.

Rule: the same upload in both. Unobserved, the engine has no subscriber at all; observed, metrics
are counted and log lines of the default level are written as JSON, to a device that takes all. What
that takes is read from the books of the thread that does it, and of the loop for handing events
over: the difference of two runs drowns in the noise of a machine.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.contender import Contender, Job
from benchmarks.ours import Ours
from uploader import Uploader, instruments
from uploader.engine.hub import EventHub
from uploader.journals import SqliteJournal
from uploader.logging import configure

JOURNAL: Final = ("claim", "take", "save", "renew", "release", "parts", "get")
"""What a run calls of its journal; none of them calls another."""


class Observed(Ours):
    """Metrics, logs and a journal in a file, as an application has them that looks at all."""

    def __init__(self, job: Job) -> None:
        self._journal = _timed(SqliteJournal, *JOURNAL)
        super().__init__(job)
        self._sink = Path(os.devnull).open("w")  # noqa: SIM115 - it lives as long as the process
        configure(format="json", stream=self._sink)
        self._handing_over = _timed(EventHub, "emit")

    def _settings(self) -> dict[str, Any]:
        self._folder = tempfile.TemporaryDirectory()
        return {"journal": Path(self._folder.name) / "bench.db"}

    def shares(self) -> dict[str, float]:
        """Return what the events' thread took with handing events to it, and the journal."""
        found = {"journal": self._journal()}
        for thread in threading.enumerate():
            if thread.name == "uploader-events" and thread.ident is not None:
                clock = time.pthread_getcpuclockid(thread.ident)
                found["watching"] = time.clock_gettime(clock) + self._handing_over()
        return found


def _timed(owner: type, *names: str) -> Callable[[], float]:
    """Time every call of these methods by its thread's clock; return what tells their sum."""
    spent, turn = [0.0], threading.Lock()

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return method(*given, **named)
            finally:
                took = time.thread_time() - began
                with turn:
                    spent[0] += took

        return call

    for name in names:
        setattr(owner, name, timed(getattr(owner, name)))
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
