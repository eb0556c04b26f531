"""What every suite needs: the options, the contenders that can run, sinks and verified runs.

Rule: suites decide what is measured, this room how; nothing here prints but progress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.cgroup import MemoryCgroup
from benchmarks.contender import ENTRIES, OURS, Entry, Job
from benchmarks.report import Report
from benchmarks.runner import Run, run
from benchmarks.sink_process import SinkProcess
from benchmarks.units import KIB
from benchmarks.workspace import Sample, Workspace

Mode = Literal["plain", "TLS"]
CHUNK_SIZE = 64_000_000
"""TikTok's largest chunk that is inside both readings of "64 MB"."""

_WARM_UP = 64 * KIB


class VerifyError(RuntimeError):
    """A contender did not deliver the file's bytes; its figures would mean nothing."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; None means the suite's own choice."""

    size: int | None = None
    pairs: int | None = None
    quick: bool = False
    modes: tuple[Mode, ...] = ("plain", "TLS")
    rivals: tuple[str, ...] | None = None


class Bench:
    """One suite's run: options, workspace, and where progress is told."""

    def __init__(self, options: Options, workspace: Workspace, tell: Callable[[str], None]) -> None:
        self.options = options
        self.workspace = workspace
        self.tell = tell

    def entries(self, report: Report, *rivals: str) -> list[Entry]:
        """Return ours and the chosen rivals that can run; the others are named in the report."""
        return self.able(report, OURS, *(ENTRIES[name] for name in rivals))

    def able(self, report: Report, mine: Entry, *rivals: Entry) -> list[Entry]:
        """Return `mine` and the chosen rivals that can run; the others are named in the report."""
        chosen = self.options.rivals
        wanted = [mine, *(each for each in rivals if chosen is None or each.name in chosen)]
        able = []
        for entry in wanted:
            missing = entry.missing()
            if missing:
                report.missing[entry.name] = missing
            else:
                able.append(entry)
        return able

    def sink(self, mode: Mode, *, verify: bool = False) -> SinkProcess:
        """Return a sink that is not yet started."""
        certificate = self.workspace.certificates().server if mode == "TLS" else None
        return SinkProcess(certificate=certificate, verify=verify)

    def job(
        self,
        entry: Entry,
        sink: SinkProcess,
        samples: Sequence[Sample],
        *,
        warm: bool = False,
        ticks: int = 0,
        chunk_size: int = CHUNK_SIZE,
        concurrency: int | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Job:
        """Return what the child is to do; `warm` publishes one small file before the clock.

        All samples go at once unless `concurrency` says how many.
        """
        tls = sink.origin.startswith("https:")
        return Job(
            contender=entry.name,
            origin=sink.origin,
            paths=tuple(str(sample.path) for sample in samples),
            chunk_size=chunk_size,
            concurrency=concurrency or len(samples),
            authority=str(self.workspace.certificates().authority) if tls else None,
            warm_up=str(self.workspace.file(_WARM_UP).path) if warm else None,
            ticks=ticks,
            settings=settings or {},
        )

    def measure(
        self,
        job: Job,
        sink: SinkProcess,
        *,
        watch: bool = False,
        inside: MemoryCgroup | None = None,
    ) -> Run:
        """Run the job and refuse a run in which anything is missing at the sink."""
        mode = "TLS" if job.tls else "plain"
        what = Path(job.paths[0]).stat().st_size * len(job.paths)
        self.tell(f"{job.contender}, {mode}, {what:,} bytes")
        result = run(job, sink, watch=watch, inside=inside)
        if result.sink.complete != len(job.paths) * result.repeats:
            raise VerifyError(f"{job.contender}: {result.sink.complete} uploads arrived whole")
        return result

    def verify(self, entry: Entry, mode: Mode, samples: Sequence[Sample]) -> bool:
        """Send once to a sink that hashes, and compare; False for what sends no file."""
        if not entry.sends_the_file:
            return False
        with self.sink(mode, verify=True) as sink:
            result = self.measure(self.job(entry, sink, samples), sink)
        got = sorted(upload["sha256"] for upload in result.sink.uploads)
        if got != sorted(sample.sha256 for sample in samples):
            raise VerifyError(f"{entry.name} delivered other bytes than the file holds ({mode})")
        return True
