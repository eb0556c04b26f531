"""Drive uploads: start all, wait, stop when asked.

Rule: the main thread only waits, so that whoever waits can be interrupted; what reads files and the
journal before an upload begins does so on a thread of its own.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from uploader.api import UploadHandle
from uploader.cli import complaints, screen
from uploader.cli.progress import Display
from uploader.cli.stop import ANSWERS, Stop
from uploader.errors import (
    JournalError,
    OutcomeUnknownError,
    PreflightError,
    UploadCancelledError,
    UploaderError,
)
from uploader.journal import ENDED, Entry
from uploader.model import Outcome, Plan, UploadResult

LOG = logging.getLogger("uploader")


@dataclass(frozen=True, slots=True)
class Job:
    """One upload that is to be driven; `begin` starts it and may block."""

    file: str
    transport: str
    account: str | None
    plan: Plan
    begin: Callable[[], UploadHandle]

    @property
    def name(self) -> str:
        return Path(self.file).name or self.file


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended. `refused` tells that nothing was sent for reasons that were found before."""

    job: Job
    result: UploadResult
    found: Entry | None = None
    refused: bool = False

    @property
    def recorded(self) -> bool:
        """Whether the journal had the result already, so that nothing was sent."""
        return self.found is not None and self.found.state in ENDED


def drive(
    jobs: Sequence[Job],
    *,
    display: Display,
    stop: Stop,
    brake: Callable[[UploadHandle], None] = UploadHandle.suspend,
) -> list[End]:
    """Upload the jobs and return how they ended, in order.

    After a signal every upload is braked and gets a moment to find out how it stands; one that does
    not tell in time is UNKNOWN.
    """
    driver = _Driver(jobs, display, stop, brake)
    threading.Thread(target=driver.begin_all, name="uploader-begin", daemon=True).start()
    return driver.wait()


class _Driver:
    """All but `begin_all` runs on the main thread, which reads `stop.inbox`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        display: Display,
        stop: Stop,
        brake: Callable[[UploadHandle], None],
    ) -> None:
        self._jobs = jobs
        self._display = display
        self._stop = stop
        self._brake = brake
        self._handles: dict[int, UploadHandle] = {}
        self._ends: dict[int, End] = {}
        self._beginning: int | None = None

    def begin_all(self) -> None:
        """Start one job after the other; each reports to the main thread."""
        for index, job in enumerate(self._jobs):
            if self._stop.asked:
                self._tell(partial(self._end, index, _never_begun(job), refused=True))
                continue
            self._beginning = index
            try:
                handle = job.begin()
            except UploaderError as error:
                self._tell(partial(self._refused, index, error))
            except Exception as error:
                self._tell(partial(self._end, index, _crashed(job, error)))
            else:
                self._tell(partial(self._begun, index, handle))
            self._beginning = None

    def wait(self) -> list[End]:
        stop = self._stop
        while len(self._ends) < len(self._jobs):
            limit = max(0.0, stop.left(ANSWERS)) if stop.asked else None
            try:
                message = stop.inbox.get(timeout=limit)
            except queue.Empty:
                self._give_up()
                break
            if message is not None:
                message()
                continue
            for index, handle in self._handles.items():
                if index not in self._ends:
                    self._brake(handle)
        return [self._ends[index] for index in range(len(self._jobs))]

    def _tell(self, message: Callable[[], None]) -> None:
        self._stop.inbox.put(message)

    def _begun(self, index: int, handle: UploadHandle) -> None:
        job, found = self._jobs[index], handle.found
        self._handles[index] = handle
        self._display.watch(index, handle)
        if found is not None and found.state not in ENDED:
            screen.remark(complaints.goes_on(job.name, found))
        handle.future.add_done_callback(lambda _: self._tell(partial(self._ended, index)))
        if self._stop.asked:
            self._brake(handle)

    def _ended(self, index: int) -> None:
        job, handle = self._jobs[index], self._handles[index]
        try:
            result = handle.result()
        except PreflightError as error:
            self._end(index, _made(job, Outcome.FAILED, error), found=handle.found, refused=True)
            return
        except UploaderError as error:
            result = _made(job, Outcome.FAILED, error)
        except Exception as error:
            result = _crashed(job, error)
        self._end(index, result, found=handle.found)

    def _refused(self, index: int, error: UploaderError) -> None:
        """Tell why a job did not begin; one that this run drives already ends with its twin."""
        twin = next(
            (
                (first, handle)
                for first, handle in self._handles.items()
                if error.upload_id and handle.upload_id == error.upload_id
            ),
            None,
        )
        if twin is not None and isinstance(error, JournalError):
            screen.remark(complaints.same(self._jobs[index].name, self._jobs[twin[0]].name))
            self._begun(index, twin[1])
            return
        outcome = Outcome.SUSPENDED if isinstance(error, JournalError) else Outcome.FAILED
        self._end(index, _made(self._jobs[index], outcome, error), refused=True)

    def _end(
        self,
        index: int,
        result: UploadResult,
        *,
        found: Entry | None = None,
        refused: bool = False,
    ) -> None:
        self._ends[index] = End(self._jobs[index], result, found, refused)
        self._display.ended(index, result)

    def _give_up(self) -> None:
        """Say of all that did not end in time what is known of them."""
        for index, job in enumerate(self._jobs):
            if index in self._ends:
                continue
            handle = self._handles.get(index)
            if handle is None and index != self._beginning:
                self._end(index, _never_begun(job), refused=True)
                continue
            error = OutcomeUnknownError(
                "it did not stop in time", upload_id=handle.upload_id if handle else None
            )
            self._end(index, _made(job, Outcome.UNKNOWN, error))


def _crashed(job: Job, error: Exception) -> UploadResult:
    LOG.debug("the uploader itself failed", exc_info=error)
    # A crash may have come after the request that posts: nothing is promised about it.
    reason = f"the uploader itself failed ({type(error).__name__})"
    return _made(job, Outcome.UNKNOWN, OutcomeUnknownError(reason))


def _never_begun(job: Job) -> UploadResult:
    return _made(job, Outcome.CANCELLED, UploadCancelledError("it had not begun"))


def _made(job: Job, outcome: Outcome, error: UploaderError) -> UploadResult:
    return UploadResult(
        outcome=outcome,
        upload_id=error.upload_id or "",
        transport=job.transport,
        account=job.account,
        error=error,
        size=job.plan.size,
        parts=job.plan.count,
    )
