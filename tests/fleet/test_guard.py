"""A worker that would post late, twice or never is refused when it starts, with the numbers."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery

from tests.fleet.conftest import MakeFleet
from uploader import Uploader
from uploader.contrib.celery import install
from uploader.contrib.celery.guard import Facts, complaints, facts_of
from uploader.contrib.celery.settings import Settings, settings_of
from uploader.errors import ConfigurationError

GOOD = Facts(
    broker="redis",
    visibility_timeout=3600.0,
    consumer_timeout=None,
    time_limit=None,
    soft_time_limit=None,
    pool="celery.concurrency.prefork",
    prefetch_multiplier=1,
    acks_late=True,
    reject_on_worker_lost=True,
)
RABBIT = {"broker": "amqp", "visibility_timeout": None, "consumer_timeout": 1800.0}


@pytest.mark.parametrize(
    ("facts", "settings", "told"),
    [
        ({"visibility_timeout": 485.0}, {}, ["425 s", "60 s more", "redis, 485 s"]),
        ({"visibility_timeout": 300.0}, {"margin": 0}, ["425 s", "redis, 300 s"]),
        (RABBIT, {"seconds": 1700}, ["1825 s", "consumer_timeout of RabbitMQ, 1800 s"]),
        ({"time_limit": 300.0}, {}, ["425 s", "a time limit of 300 s"]),
        ({"soft_time_limit": 424.0}, {}, ["425 s", "a soft time limit of 424 s"]),
        ({"pool": "celery.concurrency.gevent"}, {}, ["gevent", "no real threads"]),
        ({"pool": "celery.concurrency.eventlet"}, {}, ["eventlet"]),
        ({**RABBIT, "pool": "celery.concurrency.solo"}, {}, ["solo answers no heartbeats"]),
        ({"prefetch_multiplier": 4}, {}, ["worker_prefetch_multiplier is 4"]),
        ({"prefetch_multiplier": 0}, {}, ["worker_prefetch_multiplier is 0"]),
        ({"acks_late": False}, {}, ["acknowledges early"]),
        ({"reject_on_worker_lost": False}, {}, ["reject_on_worker_lost"]),
    ],
)
def test_each_fault_is_one_sentence_with_its_numbers(
    facts: dict[str, Any], settings: dict[str, Any], told: list[str]
) -> None:
    """And nothing else is said."""
    (sentence,) = complaints(replace(GOOD, **facts), Settings(**settings))
    for each in told:
        assert each in sentence


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"visibility_timeout": 485.1},
        RABBIT,
        {"pool": "celery.concurrency.thread"},
        {"pool": "celery.concurrency.solo"},
        {"time_limit": 425.0, "soft_time_limit": 425.0},
    ],
)
def test_what_works_is_not_refused(facts: dict[str, Any]) -> None:
    """Limits that a shift keeps are nobody's business."""
    assert list(complaints(replace(GOOD, **facts), Settings())) == []


def application(broker: str, settings: dict[str, Any], **told: Any) -> Any:
    """Return an application as somebody has configured it."""
    app = Celery("shop", broker=broker, set_as_current=False)
    app.conf.update(settings)
    install(app, uploader=Uploader, **told)
    return app


@pytest.mark.parametrize(
    ("broker", "settings", "options", "told"),
    [
        (
            "redis://127.0.0.1:1/0",
            {"broker_transport_options": {"visibility_timeout": 300}},
            {},
            "the visibility_timeout of redis, 300 s",
        ),
        ("redis://127.0.0.1:1/0", {"task_time_limit": 60}, {}, "a time limit of 60 s"),
        ("redis://127.0.0.1:1/0", {}, {"time_limit": 70}, "a time limit of 70 s"),
        ("redis://127.0.0.1:1/0", {}, {"soft_time_limit": 70}, "a soft time limit of 70 s"),
        (
            "redis://127.0.0.1:1/0",
            {"task_annotations": {"uploader.publish": {"acks_late": False}}},
            {},
            "acknowledges early",
        ),
        ("redis://127.0.0.1:1/0", {"worker_prefetch_multiplier": 8}, {}, "multiplier is 8"),
        ("amqp://127.0.0.1:1//", {}, {"pool": "solo"}, "solo answers no heartbeats"),
    ],
)
def test_the_worker_itself_is_not_made(
    broker: str, settings: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    """Celery's own settings and options are what is looked at, before any connection."""
    app = application(broker, settings)
    with pytest.raises(ConfigurationError, match=told) as refused:
        app.WorkController(hostname="w@here", **options)
    assert "docs/celery.md" in refused.value.hints[0]


def test_a_queue_of_less_patience_counts() -> None:
    """RabbitMQ knows a consumer timeout for each queue, too."""
    queue: Any = importlib.import_module("kombu").Queue
    patience = {"x-consumer-timeout": 400_000}
    app = application(
        "amqp://127.0.0.1:1//", {"task_queues": [queue("films", queue_arguments=patience)]}
    )
    with pytest.raises(ConfigurationError, match="consumer_timeout of RabbitMQ, 400 s"):
        app.WorkController(hostname="w@here")


def test_defaults_of_celery_are_good_enough_but_for_the_prefetch() -> None:
    """`install` alone makes a worker that is not refused; the guard reads what it set."""
    app = application("redis://127.0.0.1:1/0", {})
    facts = facts_of(app.WorkController(hostname="w@here"), settings_of(app))
    assert facts == replace(GOOD, visibility_timeout=3600.0)


def test_an_application_that_was_not_prepared_is_told_so() -> None:
    """The tasks are shared, so any application has them."""
    with pytest.raises(ConfigurationError, match="'stray' has not been prepared"):
        settings_of(Celery("stray", set_as_current=False))


@pytest.mark.parametrize(
    ("told", "match"), [({"seconds": 0}, "seconds is 0"), ({"grace": -1}, "grace is -1")]
)
def test_times_that_cannot_be_are_refused(told: dict[str, Any], match: str) -> None:
    """Where they are given, not in the first shift."""
    with pytest.raises(ConfigurationError, match=match):
        install(Celery("shop", set_as_current=False), **told)


def test_the_command_ends_with_the_reason(make_fleet: MakeFleet) -> None:
    """`celery worker` exits, before it connects to anything, and says why."""
    options = {"visibility_timeout": 300}
    fleet = make_fleet(conf={"broker_transport_options": options})
    worker = fleet.start("redis://127.0.0.1:1/0", ready=False)
    assert worker.process.wait(30) == 1
    assert "the visibility_timeout of redis, 300 s" in worker.said
    assert "Connected" not in worker.said
