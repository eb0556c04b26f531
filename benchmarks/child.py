"""Runs one contender once, in a fresh process, and reports JSON.

Rule: reads one job from stdin, says `ready` with its idle memory, waits for `go`, transfers, and
reports; everything else a library prints goes to stderr. The clock covers connecting, TLS, init,
every byte and the status call; imports and the start of threads lie before it, for all alike.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

from benchmarks.contender import ENTRIES, Contender, Job
from benchmarks.probes import Processor, forget_peak, memory_of, peak_bytes
from benchmarks.ticker import tick


@dataclass(frozen=True)
class Channel:
    """The line-wise conversation with the runner."""

    reports: IO[str]

    @classmethod
    def take_over(cls) -> Channel:
        """Keep stdout for reports and send whatever is printed to stderr."""
        reports = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        return cls(reports)

    def say(self, value: dict[str, Any]) -> None:
        """Write one line."""
        self.reports.write(json.dumps(value) + "\n")

    def wait(self) -> None:
        """Return when the runner says go; end if it is gone."""
        if sys.stdin.readline().strip() != "go":
            sys.exit("the runner is gone")


def transfer(contender: Contender, job: Job) -> None:
    """Upload what the job names, at once if it names several."""
    paths = [Path(path) for path in job.paths]
    if len(paths) > 1:
        contender.upload_many(paths)
    else:
        contender.upload(paths[0], "bench")


def measure(contender: Contender, job: Job) -> dict[str, Any]:
    """Transfer once and return wall and processor time, and the peak."""
    reset = forget_peak()
    before = contender.shares()
    spent = Processor.now()
    start = time.monotonic()
    transfer(contender, job)
    end = time.monotonic()
    spent = Processor.now().since(spent)
    shares = {name: now - before.get(name, 0.0) for name, now in contender.shares().items()}
    peak = peak_bytes()
    return {
        "start": start,
        "wall": end - start,
        "user": spent.user,
        "system": spent.system,
        "peak": peak,
        "peak_was_reset": reset,
        "shares": shares,
    }


async def measure_lateness(contender: Contender, job: Job) -> dict[str, Any]:
    """Tick on this loop alone, then while uploads repeat until enough ticks were taken."""
    idle = await tick(job.ticks)
    start, spent = time.monotonic(), Processor.now()
    ticking = asyncio.create_task(tick(job.ticks))
    for number in count(1):
        await contender.upload_async(Path(job.paths[0]), f"bench {number}")
        if ticking.done():
            break
    wall = time.monotonic() - start
    spent = Processor.now().since(spent)
    late = await ticking
    await contender.close_async()
    return {
        "start": start,
        "wall": wall,
        "user": spent.user,
        "system": spent.system,
        "repeats": number,
        "idle_lateness": idle,
        "lateness": late,
    }


def main() -> None:
    """Serve one job."""
    channel = Channel.take_over()
    job = Job(**json.loads(sys.stdin.readline()))
    with ENTRIES[job.contender].make(job) as contender:
        if job.warm_up:
            contender.upload(Path(job.warm_up), "warm-up")
        gc.collect()
        idle = memory_of()
        channel.say({"idle": idle.to_dict()})
        channel.wait()
        if job.ticks:
            result = asyncio.run(measure_lateness(contender, job))
        else:
            result = measure(contender, job)
        channel.say(result)


if __name__ == "__main__":
    main()
