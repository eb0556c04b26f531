"""Uploads as work for any queue: one shift at a time, short enough for every broker.

A queue hands the same message out twice when it is not acknowledged in time, loses it, or keeps it
for an hour. So the journal alone says what is to be done: a message is only a reason to look.

Rule: a shift takes the lease or sends nothing, ends within `longest`, never sleeps on a server's
status, and leaves the upload where any other process goes on. When something is due stands in the
journal as `not_before`, never in a broker. Knows no queue.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from uploader.api import Uploader, UploadHandle
from uploader.contrib import deferring
from uploader.errors import (
    ConfigurationError,
    LeaseHeldError,
    PausedError,
    SourceError,
    UploadCancelledError,
    UploaderError,
)
from uploader.journal import ENDED, PAUSABLE, Entry, State
from uploader.model import Outcome, UploadResult
from uploader.pacing import PollPolicy

LOG = logging.getLogger("uploader")

SECONDS: Final = 300.0
"""After so long a shift ends at the next part's boundary."""
OVERTIME: Final = 120.0
"""After so long again it ends inside the part, which is sent anew then: 64 MB at 0.5 MB/s."""
LAST_WORDS: Final = 5.0
"""For a suspended run to ask about its last part and to write down how it stands."""
GRACE: Final = 10.0
"""For a part to end when the worker has to go."""
LOOK_EVERY: Final = 0.2
"""Seconds between looks at whether the worker has to go."""

SWEPT: Final = 500
"""How many uploads one sweep hands out."""


class Next(StrEnum):
    """What is to be done with an upload after a shift."""

    AGAIN = "again"
    """Another shift, at once: hand its id to the queue."""
    LATER = "later"
    """Nothing now: the journal has it, and `sweep` or `watch` takes it up when it is due."""
    NOTHING = "nothing"
    """It has ended, or somebody else drives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftResult:
    """What came of a shift.

    `at` is when the upload is due again, in seconds since the epoch. `result` is `None` when
    nothing was sent or asked; `why` says so in words.
    """

    upload_id: str
    next: Next
    why: str
    at: float | None = None
    result: UploadResult | None = None


def longest(seconds: float = SECONDS, overtime: float = OVERTIME) -> float:
    """Return how long a shift may take; whoever waits for its message has to wait longer."""
    return seconds + overtime + LAST_WORDS


def run_shift(
    uploader: Uploader,
    upload_id: str,
    seconds: float = SECONDS,
    *,
    overtime: float = OVERTIME,
    leaving: threading.Event | None = None,
    grace: float = GRACE,
    redelivered: bool = False,
) -> ShiftResult:
    """Drive a recorded upload for a while and say what is to be done next.

    It ends at the first part's boundary after `seconds`, and `overtime` seconds later inside the
    part. Once `leaving` is set, it ends at the next boundary, and after `grace` seconds inside the
    part. What has ended, is driven elsewhere, paused or not due is left alone. What the server
    works on is asked about once. An exception thrown into this thread suspends the upload.
    `redelivered` tells that a process had the message before and ended with it: whoever brings down
    a third one without a new part waits, as after a failure.

    Raises `JournalError` when the journal fails, and nothing about the upload itself.
    """
    if leaving is not None and leaving.is_set():
        return ShiftResult(upload_id=upload_id, next=Next.AGAIN, why="the worker has to go")
    journal, began = uploader.journal, time.monotonic()
    before = journal.get(upload_id)
    if before is None:
        return ShiftResult(upload_id=upload_id, next=Next.NOTHING, why="the journal has it no more")
    refusal = _not_now(uploader, before)
    if refusal is not None:
        return refusal
    if redelivered and before.state in PAUSABLE:
        before = deferring.bereft(uploader, before)
        if _is_future(uploader, before):
            return _later(before, None, "processes that drove it have died")
    asks = before.state is State.PROCESSING
    result: UploadResult | None = None
    error: UploaderError | None = None
    try:
        handle = uploader.take_up(
            upload_id, wait=asks, poll=PollPolicy(attempts=1), time_limit=seconds
        )
        result = _worked(handle, seconds + overtime, leaving, grace)
        error = result.error
    except LeaseHeldError as held:
        return ShiftResult(
            upload_id=upload_id, next=Next.NOTHING, why=f"it is driven by {held.holder}"
        )
    except (ConfigurationError, SourceError) as refused:
        error = refused
    after = journal.get(upload_id) or before
    if after.state in ENDED:
        return ShiftResult(
            upload_id=upload_id, next=Next.NOTHING, why=f"it is {after.state}", result=result
        )
    if after.state is State.PROCESSING and not asks:
        # The server was not asked yet: whoever watches does so next.
        why = "every byte is confirmed"
        return ShiftResult(upload_id=upload_id, next=Next.LATER, why=why, result=result)
    if _is_future(uploader, after):
        return _later(after, result, error.message if error is not None else "it is due later")
    if isinstance(error, PausedError):
        # Nothing to write down: what is paused is not due, and at once when the pause is lifted.
        return ShiftResult(
            upload_id=upload_id, next=Next.LATER, why=error.message, at=error.until, result=result
        )
    took = time.monotonic() - began
    goes = leaving is not None and leaving.is_set()
    suspended = result is not None and result.outcome is Outcome.SUSPENDED
    if suspended and isinstance(error, UploadCancelledError | None) and (goes or took >= seconds):
        if after.confirmed == before.confirmed and not goes:
            LOG.warning(
                "no part of %s was confirmed in a shift of %.1f s: make shifts longer, or parts"
                " smaller",
                upload_id,
                took,
            )
        why = "the worker has to go" if goes else "its shift is over"
        return ShiftResult(upload_id=upload_id, next=Next.AGAIN, why=why, result=result)
    why = error.message if error is not None else f"it is {after.state}"
    at = deferring.defer(uploader, before, after, error)
    return ShiftResult(upload_id=upload_id, next=Next.LATER, why=why, at=at, result=result)


def watch(
    uploader: Uploader,
    *,
    seconds: float = 60.0,
    concurrency: int = 8,
    leaving: threading.Event | None = None,
) -> int:
    """Ask once about each upload that a server works on and that is due; return how many.

    Begins no further question after `seconds`; what is left over is first in line next time.
    """
    end = time.monotonic() + seconds

    def one(upload_id: str) -> bool:
        if time.monotonic() >= end or (leaving is not None and leaving.is_set()):
            return False
        try:
            return run_shift(uploader, upload_id, seconds).result is not None
        except Exception:  # the others are asked about all the same
            LOG.exception("%s was not asked about", upload_id)
            return False

    due = uploader.journal.due(uploader.now(), states=[State.PROCESSING])
    with ThreadPoolExecutor(concurrency) as pool:
        return sum(pool.map(one, due))


def sweep(
    uploader: Uploader,
    enqueue: Callable[[str], Any],
    *,
    limit: int = SWEPT,
    processing: bool = True,
) -> int:
    """Hand out up to `limit` uploads that are due and that nobody drives; return how many.

    No broker is asked what it holds: a second message of an upload costs a look into the journal
    and sends nothing. So that they do not pile up, `enqueue` gives them a life of about the time
    between two sweeps. `processing=False` leaves to `watch` what servers work on.
    """
    states = frozenset(State) - ({State.PROCESSING} if not processing else set())
    due = uploader.journal.due(uploader.now(), limit, states=states)
    for upload_id in due:
        enqueue(upload_id)
    return len(due)


# How it is done.


def _not_now(uploader: Uploader, entry: Entry) -> ShiftResult | None:
    """Say why nothing is to be done with an upload now, without taking its lease."""
    upload_id = entry.upload_id
    if entry.state in ENDED:
        return ShiftResult(upload_id=upload_id, next=Next.NOTHING, why=f"it is {entry.state}")
    if entry.holder is not None:
        return ShiftResult(
            upload_id=upload_id, next=Next.NOTHING, why=f"it is driven by {entry.holder}"
        )
    if _is_future(uploader, entry):
        return _later(entry, None, "it is not due yet")
    return None


def _is_future(uploader: Uploader, entry: Entry) -> bool:
    return entry.not_before is not None and entry.not_before > uploader.now()


def _later(entry: Entry, result: UploadResult | None, why: str) -> ShiftResult:
    return ShiftResult(
        upload_id=entry.upload_id, next=Next.LATER, why=why, at=entry.not_before, result=result
    )


def _worked(
    handle: UploadHandle, hard: float, leaving: threading.Event | None, grace: float
) -> UploadResult:
    """Wait for the run, and brake it in time; raise what its result raises."""
    end, left = time.monotonic() + hard, False
    try:
        while not handle.done():
            now = time.monotonic()
            if leaving is not None and leaving.is_set() and not left:
                handle.hand_over()
                end, left = min(end, now + grace), True
            if now >= end:
                handle.suspend()
                return handle.result(LAST_WORDS)
            look = end - now if leaving is None or left else min(LOOK_EVERY, end - now)
            concurrent.futures.wait([handle.future], timeout=look)
        return handle.result()
    except TimeoutError:
        raise UploaderError(
            f"the run did not end within {LAST_WORDS:g} s of its suspension",
            upload_id=handle.upload_id,
        ) from None
    except BaseException:
        if not handle.done():  # such as a task's soft time limit
            handle.suspend()
            concurrent.futures.wait([handle.future], timeout=LAST_WORDS)
        raise
