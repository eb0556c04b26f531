"""Drive uploads from the main thread: check all, start all, wait, stop when asked.

Rule: no byte goes out before every file has passed the check; whoever waits can be interrupted.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from uploader.api import Uploader, UploadHandle
from uploader.cli.exits import BadInput
from uploader.cli.progress import Display
from uploader.cli.stop import ANSWERS, Stop
from uploader.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    UploadCancelledError,
    UploaderError,
)
from uploader.model import Outcome, Plan, UploadResult, UploadSpec
from uploader.transport import Destination

LOG = logging.getLogger("uploader")


@dataclass(frozen=True, slots=True)
class Job:
    """One file on its way to one destination."""

    file: Path
    destination: Destination
    spec: UploadSpec

    @property
    def plan(self) -> Plan:
        return self.spec.plan


def checked(uploader: Uploader, files: Sequence[Path], destination: Destination) -> list[Job]:
    """Return a job per file, or raise `BadInput` with everything that is wrong."""
    jobs: list[Job] = []
    refused: list[tuple[str | None, UploaderError]] = []
    seen: set[Path] = set()
    for file in files:
        try:
            spec = uploader.check(file, destination)
            _refuse_twice(file, seen)
        except UploaderError as error:
            refused.append((str(file), error))
        else:
            jobs.append(Job(file, destination, spec))
    if refused:
        raise BadInput(refused)
    return jobs


def _refuse_twice(file: Path, seen: set[Path]) -> None:
    real = file.resolve()
    if real in seen:
        raise ConfigurationError(f"{file} is given twice").hint("it would be posted twice")
    seen.add(real)


def drive(
    uploader: Uploader, jobs: Sequence[Job], *, wait: bool, display: Display, stop: Stop
) -> list[UploadResult]:
    """Upload the jobs and return their results, in order.

    After a signal every upload is cancelled and gets a moment to find out how it stands; one that
    does not tell in time is UNKNOWN.
    """
    results: dict[int, UploadResult] = {}
    running: dict[int, UploadHandle] = {}
    for index, job in enumerate(jobs):
        if stop.asked:
            results[index] = _never_begun(job)
            continue
        try:
            handle = uploader.submit(job.file, job.destination, wait=wait)
        except UploaderError as error:
            results[index] = _failed(job, error)
            continue
        running[index] = handle
        display.watch(index, handle)
        handle.future.add_done_callback(partial(_tell, stop, index))
    _wait(running, results, jobs, display=display, stop=stop)
    return [results[index] for index in range(len(jobs))]


def _tell(stop: Stop, index: int, _: object) -> None:
    stop.inbox.put(index)


def _wait(
    running: dict[int, UploadHandle],
    results: dict[int, UploadResult],
    jobs: Sequence[Job],
    *,
    display: Display,
    stop: Stop,
) -> None:
    while running:
        try:
            index = stop.inbox.get(timeout=max(0.0, stop.left(ANSWERS)) if stop.asked else None)
        except queue.Empty:
            break
        if index is None:
            for handle in running.values():
                handle.cancel()
            continue
        results[index] = _result(running.pop(index), jobs[index])
        display.ended(index, results[index])
    for index in running:
        results[index] = _unknown(jobs[index], "it did not stop in time")


def _result(handle: UploadHandle, job: Job) -> UploadResult:
    try:
        return handle.result()
    except UploaderError as error:
        return _failed(job, error)
    except Exception as error:
        LOG.debug("the uploader itself failed", exc_info=True)
        # A crash may have come after the request that posts: nothing is promised about it.
        return _unknown(job, f"the uploader itself failed ({type(error).__name__})")


def _failed(job: Job, error: UploaderError) -> UploadResult:
    return _made(job, Outcome.FAILED, error)


def _unknown(job: Job, reason: str) -> UploadResult:
    return _made(job, Outcome.UNKNOWN, OutcomeUnknownError(reason))


def _never_begun(job: Job) -> UploadResult:
    return _made(job, Outcome.CANCELLED, UploadCancelledError("it had not begun"))


def _made(job: Job, outcome: Outcome, error: UploaderError) -> UploadResult:
    return UploadResult(
        outcome=outcome,
        upload_id=error.upload_id or "",
        transport=job.destination.transport().name,
        account=job.destination.account,
        error=error,
        size=job.plan.size,
        parts=job.plan.count,
    )
