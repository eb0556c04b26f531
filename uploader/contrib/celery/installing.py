"""Prepares a Celery application for uploads.

Rule: what the application's own configuration says is never overwritten, only refused by the guard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uploader.api import Uploader
from uploader.contrib import shifts
from uploader.contrib.celery import leaving, process, tasks
from uploader.contrib.celery.guard import Guard
from uploader.contrib.celery.settings import CONSUMER_TIMEOUT, MARGIN, Settings, keep


def install(
    app: Any,
    *,
    uploader: Callable[[], Uploader] | None = None,
    seconds: float = shifts.SECONDS,
    overtime: float = shifts.OVERTIME,
    grace: float = shifts.GRACE,
    margin: float = MARGIN,
    consumer_timeout: float = CONSUMER_TIMEOUT,
    sweep_every: float = 30.0,
    watch_every: float = 15.0,
    sweep_limit: int = shifts.SWEPT,
) -> None:
    """Let a Celery application publish, watch and sweep uploads.

    `uploader()` makes what a process drives its uploads with; without it Django's is taken where
    Django is configured, else one of the journal that `UPLOADER_JOURNAL` names. A shift ends at the
    first part's boundary after `seconds`, and inside the part after `overtime` more. A worker that
    has to go ends it at the next boundary, or after `grace` seconds. `margin` is kept between the
    longest shift and the broker's patience; of RabbitMQ's that is `consumer_timeout`, as its server
    has it. `sweep` and `watch` are put into the beat's schedule.
    """
    settings = Settings(
        uploader=uploader,
        seconds=seconds,
        overtime=overtime,
        grace=grace,
        margin=margin,
        consumer_timeout=consumer_timeout,
        sweep_every=sweep_every,
        watch_every=watch_every,
        sweep_limit=sweep_limit,
    )
    keep(app, settings)
    # A process that reserves more would let messages wait behind a shift, and age.
    app.add_defaults({"worker_prefetch_multiplier": 1})
    app.steps["worker"].add(Guard)
    app.on_after_finalize.connect(_schedule, weak=False)
    leaving.connect()
    process.connect()


def _schedule(sender: Any, **_: Any) -> None:
    """Enter what the beat sends. One that was not worked on in time is dropped for the next."""
    from uploader.contrib.celery.settings import settings_of

    settings = settings_of(sender)
    for task, every in (
        (tasks.sweep, settings.sweep_every),
        (tasks.watch, settings.watch_every),
    ):
        sender.add_periodic_task(every, task.s(), name=task.name, expires=every)
