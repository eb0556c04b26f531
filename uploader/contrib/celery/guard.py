"""Refuses a worker whose settings would make it post late, twice or never.

Rule: before it takes the first message, in one sentence for each fault, with the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from celery import bootsteps

from uploader.contrib.celery.settings import Settings, settings_of
from uploader.errors import ConfigurationError

PATIENCE: Final = {"redis": 3600.0, "sqs": 1800.0}
"""The visibility timeout of kombu's transports where none is set, in seconds.
https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html"""
GREEN: Final = ("gevent", "eventlet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a worker is about to work with."""

    broker: str
    visibility_timeout: float | None
    consumer_timeout: float | None
    time_limit: float | None
    soft_time_limit: float | None
    pool: str
    prefetch_multiplier: int
    acks_late: bool
    reject_on_worker_lost: bool


def complaints(facts: Facts, settings: Settings) -> Iterator[str]:
    """Yield what would go wrong."""
    longest, margin = settings.longest, settings.margin
    takes = (
        f"a shift may take {longest:g} s ({settings.seconds:g} s, {settings.overtime:g} s to the"
        " end of its part, and a few)"
    )
    for patience, what in (
        (facts.visibility_timeout, f"the visibility_timeout of {facts.broker}"),
        (facts.consumer_timeout, "the consumer_timeout of RabbitMQ"),
    ):
        if patience is not None and longest + margin >= patience:
            yield (
                f"{takes}, and {margin:g} s more is not below {what}, {patience:g} s: its message"
                " would be handed out again meanwhile"
            )
    for limit, name in (
        (facts.time_limit, "time limit"),
        (facts.soft_time_limit, "soft time limit"),
    ):
        if limit is not None and limit < longest:
            yield f"{takes}, and tasks have a {name} of {limit:g} s"
    if any(name in facts.pool for name in GREEN):
        yield f"the pool {facts.pool} has no real threads, and the uploader needs some"
    if "solo" in facts.pool and facts.consumer_timeout is not None:
        yield "the pool solo answers no heartbeats of RabbitMQ while it works"
    if facts.prefetch_multiplier != 1:
        yield (
            f"worker_prefetch_multiplier is {facts.prefetch_multiplier}, and what a process"
            " reserves ages behind a shift: it must be 1"
        )
    if not facts.acks_late:
        yield "uploader.publish acknowledges early, and a killed worker would lose its uploads"
    if not facts.reject_on_worker_lost:
        yield (
            "uploader.publish does not reject_on_worker_lost, and a killed process would lose its"
            " upload"
        )


class Guard(bootsteps.Step):  # type: ignore[misc]  # celery has no types
    """Part of every worker of an application that `install` has prepared."""

    label = "UploaderGuard"

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        settings = settings_of(parent.app)
        found = list(complaints(facts_of(parent, settings), settings))
        if found:
            raise ConfigurationError("; ".join(found)).hint(
                "change what the worker is told, or the shift in install(app, …): docs/celery.md"
            )
        super().__init__(parent, **kwargs)


def facts_of(worker: Any, settings: Settings) -> Facts:
    """Read what a worker was told, by its configuration and its command line."""
    app = worker.app
    conf, publish = app.conf, app.tasks["uploader.publish"]
    driver = str(app.connection_for_read().transport.driver_type)
    options = conf.broker_transport_options or {}
    return Facts(
        broker=driver,
        visibility_timeout=float(options.get("visibility_timeout", PATIENCE[driver]))
        if driver in PATIENCE
        else None,
        consumer_timeout=_consumer_timeout(app, settings) if driver == "amqp" else None,
        time_limit=_limit(publish.time_limit, worker.time_limit),
        soft_time_limit=_limit(publish.soft_time_limit, worker.soft_time_limit),
        pool=f"{worker.pool_cls.__module__}",
        prefetch_multiplier=int(worker.prefetch_multiplier),
        acks_late=bool(publish.acks_late),
        reject_on_worker_lost=bool(publish.reject_on_worker_lost),
    )


def _limit(*limits: float | None) -> float | None:
    """Return the first limit that is set; a task's own comes before the worker's."""
    return next((float(limit) for limit in limits if limit), None)


def _consumer_timeout(app: Any, settings: Settings) -> float:
    """Return the least patience of the server and of the queues that this worker consumes."""
    return min([settings.consumer_timeout, *_of_queues(app.amqp.queues.consume_from.values())])


def _of_queues(queues: Iterable[Any]) -> Iterator[float]:
    for queue in queues:
        told = (queue.queue_arguments or {}).get("x-consumer-timeout")
        if told:
            yield float(told) / 1000
