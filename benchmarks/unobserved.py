"""Ours with nobody watching, and ours with everybody: what their difference is, watching costs.

Rule: the same upload in both. Unobserved, the engine has no subscriber at all; observed, metrics
are counted and log lines of the default level are written as JSON, to a device that takes all.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.contender import Contender, Job
from benchmarks.ours import Ours
from uploader import Uploader, instruments
from uploader.logging import configure


class Observed(Ours):
    """Metrics and logs as an application has them that looks at both."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._sink = Path(os.devnull).open("w")  # noqa: SIM115 - it lives as long as the process
        configure(format="json", stream=self._sink)


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
