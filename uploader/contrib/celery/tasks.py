"""The tasks: one publishes an upload, one asks about what servers work on, one finds what waits.

Rule: short, and safe to be run twice, late, or not at all. `publish` acknowledges when its shift is
over, so that what a killed process had comes back.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import OperationalError

from uploader.contrib import shifts
from uploader.contrib.celery import leaving
from uploader.contrib.celery.process import current_uploader
from uploader.contrib.celery.settings import settings_of

LOG = logging.getLogger("uploader")
LATE: Final[dict[str, Any]] = {
    "acks_late": True,
    "reject_on_worker_lost": True,
    "ignore_result": True,
}


@shared_task(bind=True, name="uploader.publish", **LATE)
def publish(self: Any, upload_id: str) -> str:
    """Drive an upload for one shift, and hand it to the next one."""
    settings = settings_of(self.app)
    try:
        done = shifts.run_shift(
            current_uploader(),
            upload_id,
            settings.seconds,
            overtime=settings.overtime,
            leaving=leaving.event(),
            grace=settings.grace,
            redelivered=bool((self.request.delivery_info or {}).get("redelivered")),
        )
    except SoftTimeLimitExceeded:
        LOG.warning("the task's soft time limit has suspended %s", upload_id)
        _again(self, upload_id)
        return str(shifts.Next.AGAIN)
    if done.next is shifts.Next.AGAIN:
        _again(self, upload_id)
    return f"{done.next}: {done.why}"


@shared_task(bind=True, name="uploader.watch", ignore_result=True)
def watch(self: Any) -> int:
    """Ask about each upload that a server works on and that is due."""
    settings = settings_of(self.app)
    # The next one goes on where this one ends, so that they never occupy several processes.
    seconds = min(settings.seconds, settings.watch_every)
    return shifts.watch(current_uploader(), seconds=seconds, leaving=leaving.event())


@shared_task(bind=True, name="uploader.sweep", ignore_result=True)
def sweep(self: Any) -> int:
    """Hand out what is due and has no message, or may have lost it."""
    settings = settings_of(self.app)

    def enqueue(upload_id: str) -> None:
        # Who does not come to it by then finds the next sweep's: they never pile up.
        publish.apply_async((upload_id,), expires=2 * settings.sweep_every)

    return shifts.sweep(current_uploader(), enqueue, limit=settings.sweep_limit, processing=False)


def _again(task: Any, upload_id: str) -> None:
    """Put an upload at the end of the queue that it came from."""
    if task.request.called_directly:
        return
    came = task.request.delivery_info or {}
    options = {name: came.get(name) for name in ("exchange", "routing_key", "priority")}
    try:
        task.apply_async((upload_id,), **options)
    except OperationalError as error:
        LOG.warning("%s waits for the next sweep: no broker (%s)", upload_id, error)
