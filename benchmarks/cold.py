"""Uploads one file in a process that has loaded nothing yet, and reports how long each step took.

Rule: the clock starts before the contender's own imports; the interpreter's start is the caller's
to measure.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.contender import ENTRIES, Job


def main() -> None:
    """Serve the job on stdin."""
    job = Job(**json.load(sys.stdin))
    began = time.perf_counter()
    with ENTRIES[job.contender].make(job) as contender:
        ready = time.perf_counter()
        contender.upload(Path(job.paths[0]), "first")
        done = time.perf_counter()
    print(json.dumps({"ready": ready - began, "uploaded": done - ready}))


if __name__ == "__main__":
    main()
