"""Runs contenders in fresh processes, one at a time and in turn, and joins what each side saw.

Rule: nothing of this process may disturb the measured one but a sampler that reads its books
from outside every few milliseconds, and that only when memory is the question.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from threading import Event, Thread, Timer
from typing import Any

from benchmarks.cgroup import MemoryCgroup
from benchmarks.contender import Entry, Job
from benchmarks.probes import Crowd, Memory, crowd_of, memory_of
from benchmarks.sink_process import ROOT, SinkProcess, SinkReport

_SAMPLE_EVERY = 0.004
_COUNT_EVERY = 5  # samples: a thousand descriptors take longer to list than memory to read
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_UNREACHED = ",".join(
    f"tiktok.{name}=9999999" for name in ("video_init", "posts_a_day", "creator_info", "status")
)


class RunFailedError(RuntimeError):
    """A child ended without a result; its stderr is on the screen."""


class MemoryWatch:
    """Samples pages, descriptors and threads of a process and keeps the highest of each."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self.anon = 0
        self.file = 0
        self.samples = 0
        self.crowd = Crowd()

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more samples."""
        self._stop.set()
        self._thread.join()

    def anon_over(self, idle: Memory) -> int | None:
        """Return how far anonymous pages rose above idle; None if nothing was sampled."""
        if not self.samples or idle.anon is None:
            return None
        return max(self.anon - idle.anon, 0)

    def file_over(self, idle: Memory) -> int | None:
        """Return how far pages of files and shared memory rose above idle."""
        if not self.samples or idle.file is None:
            return None
        return max(self.file - idle.file - (idle.shmem or 0), 0)

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_EVERY):
            seen = memory_of(self._pid)
            if seen.total is None:
                return
            self.samples += 1
            if self.samples % _COUNT_EVERY == 1:
                self.crowd = self.crowd.most(crowd_of(self._pid))
            self.anon = max(self.anon, seen.anon or 0)
            self.file = max(self.file, (seen.file or 0) + (seen.shmem or 0))


@dataclass(frozen=True)
class Run:
    """One run of one contender: what its process and the sink report. Seconds and bytes."""

    contender: str
    size: int
    start: float
    wall: float
    user: float
    system: float
    idle: Memory
    sink: SinkReport
    peak: int | None = None
    peak_was_reset: bool = False
    peak_anon: int | None = None
    peak_file: int | None = None
    shares: dict[str, float] = field(default_factory=dict)
    """Processor seconds of parts of the work, where they were counted."""
    repeats: int = 1
    crowd: Crowd = field(default_factory=Crowd)
    """Most descriptors and threads that were seen at once, if memory was watched."""
    idle_lateness: list[float] = field(default_factory=list, repr=False)
    lateness: list[float] = field(default_factory=list, repr=False)

    @property
    def rate(self) -> float:
        """Bytes per second of wall time."""
        return self.size / self.wall

    @property
    def cpu_per_gb(self) -> float:
        """Processor seconds of the contender per 10**9 bytes."""
        return (self.user + self.system) / (self.size / 1e9)

    @property
    def sink_cpu_per_gb(self) -> float:
        """Processor seconds of the sink per 10**9 bytes."""
        return (self.sink.user + self.sink.system) / (self.size / 1e9)

    @property
    def over_idle(self) -> int | None:
        """Peak resident bytes above the idle process, by the kernel's high-water mark."""
        if self.peak is None or self.idle.total is None:
            return None
        return max(self.peak - self.idle.total, 0)

    @property
    def finishing_rates(self) -> list[float]:
        """Bytes per second of each upload, from the common start to its last byte at the sink."""
        return [
            upload["size"] / (upload["done_at"] - self.start)
            for upload in self.sink.uploads
            if upload["done_at"] is not None and upload["done_at"] > self.start
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure as JSON."""
        return asdict(self) | {
            "rate": self.rate,
            "cpu_per_gb": self.cpu_per_gb,
            "over_idle": self.over_idle,
        }


def child_environment(authority: str | None) -> dict[str, str]:
    """Return an environment without proxies, in which the throw-away authority is trusted.

    A sink stands for one account that posts thousands of files: the destination's limits are
    counted as always, and never reached.
    """
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
    kept["UPLOADER_RATES"] = _UNREACHED
    if authority:
        kept["SSL_CERT_FILE"] = authority
    return kept


def run(
    job: Job,
    sink: SinkProcess,
    *,
    watch: bool = False,
    timeout: float = 900,
    inside: MemoryCgroup | None = None,
) -> Run:
    """Run the job's contender once in a fresh process, in a cgroup of its own if one is given."""
    command = [sys.executable, "-m", "benchmarks.child"]
    process = subprocess.Popen(
        inside.around(command) if inside is not None else command,
        cwd=ROOT,
        env=child_environment(job.authority),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,  # Ctrl-C is the command's, which then ends this one
    )
    guard = Timer(timeout, process.kill)
    guard.start()
    try:
        return _converse(process, job, sink, watch=watch)
    finally:
        guard.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()


def _converse(process: subprocess.Popen[str], job: Job, sink: SinkProcess, *, watch: bool) -> Run:
    _say(process, json.dumps(asdict(job)))
    idle = Memory(**_hear(process, job)["idle"])
    sink.reset()
    memory = MemoryWatch(process.pid)
    if watch:
        memory.start()
    _say(process, "go")
    result = _hear(process, job)
    if watch:
        memory.stop()
    report = sink.report()
    process.wait()
    return Run(
        contender=job.contender,
        size=report.received,
        idle=idle,
        sink=report,
        peak_anon=memory.anon_over(idle),
        peak_file=memory.file_over(idle),
        crowd=memory.crowd,
        **result,
    )


def _say(process: subprocess.Popen[str], line: str) -> None:
    if process.stdin is None:
        raise RunFailedError("the child has no stdin")
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise RunFailedError("the child ended before it was told to start") from None


def _hear(process: subprocess.Popen[str], job: Job) -> dict[str, Any]:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RunFailedError(f"{job.contender} ended without a result, see its traceback above")
    answer: dict[str, Any] = json.loads(line)
    return answer


def in_turn(
    entries: Sequence[Entry], rounds: int, once: Callable[[Entry], Run]
) -> dict[str, list[Run]]:
    """Run all entries `rounds` times, A B A B…; every other round backwards, so that no one
    always runs first."""
    runs: dict[str, list[Run]] = {entry.name: [] for entry in entries}
    for number in range(rounds):
        order = entries if number % 2 == 0 else tuple(reversed(entries))
        for entry in order:
            runs[entry.name].append(once(entry))
    return runs
