"""Real workers on real brokers: messages that come twice, workers that go, processes that die."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.fleet.brokers import needs_rabbitmq, until
from tests.fleet.conftest import MakeFleet
from tests.fleet.fleet import PART, Fleet, Worker, producer, send
from transports.tiktok.sandbox import Fault
from uploader.journal import State

SHORT = {"seconds": 1.0, "overtime": 1.0, "grace": 2.0, "margin": 1.0, "sweep_every": 3600.0}
"""A shift that ends within seven seconds."""
pytestmark = pytest.mark.timeout(150)  # on a machine that has much else to do
BROKERS = ["redis", pytest.param("rabbitmq", marks=needs_rabbitmq)]


def settled(worker: Worker, count: int, seconds: float = 90.0) -> None:
    """Wait until so many messages were worked on."""
    until(lambda: worker.said.count(" succeeded in ") >= count, seconds, f"{count} tasks")


def sent_parts(fleet: Fleet) -> int:
    """Return how often a part was sent."""
    return sum(request.operation == "put" for request in fleet.sandbox.requests)


def in_part(fleet: Fleet, number: int) -> None:
    """Wait until a part of the first upload is on its way."""
    fleet.sandbox.wait_for(lambda: fleet.sandbox.uploads[0].chunks[number - 1].received, 30)


def test_a_worker_publishes_and_a_second_message_sends_nothing(
    make_fleet: MakeFleet, redis: str
) -> None:
    """The id is all that the message carries; the worker leaves in a moment."""
    fleet = make_fleet()
    film = fleet.film()
    upload_id = fleet.enqueue(film)
    worker = fleet.start(redis)
    app = producer(redis)
    for _ in range(3):
        send(app, upload_id)
    settled(worker, 3)
    assert worker.stop() == 0

    assert fleet.is_done(upload_id)
    fleet.check_posted_once(film)
    fleet.check_nothing_left()
    assert sent_parts(fleet) == 1
    assert "'nothing: it is done'" in worker.said


@pytest.mark.slow
@pytest.mark.parametrize("kind", BROKERS)
def test_shift_after_shift_goes_through_the_queue(
    make_fleet: MakeFleet, kind: str, request: pytest.FixtureRequest
) -> None:
    """Each message is one shift; a worker is never occupied by one film."""
    fleet = make_fleet(install={**SHORT, "seconds": 0.3})
    film, small = fleet.film(6), fleet.film()
    fleet.sandbox.script(Fault("put", slow=10_000_000, times=6))
    ids = [fleet.enqueue(film), fleet.enqueue(small)]
    broker = request.getfixturevalue(kind)
    worker, app = fleet.start(broker), producer(broker)
    for upload_id in ids:
        send(app, upload_id, priority=3)
    until(lambda: fleet.entry(ids[0]).state is State.PROCESSING, 60, "the film is sent")
    worker.stop()

    assert worker.said.count("again: its shift is over") >= 4
    assert fleet.entry(ids[1]).updated < fleet.entry(ids[0]).updated
    fleet.check_posted_once(film)
    fleet.check_nothing_left()
    assert sent_parts(fleet) == 7


@pytest.mark.slow
@pytest.mark.parametrize("kind", BROKERS)
def test_a_killed_process_loses_nothing(
    make_fleet: MakeFleet, kind: str, request: pytest.FixtureRequest
) -> None:
    """Its message comes back at once, and the upload goes on at the part that was lost."""
    fleet = make_fleet(install=SHORT | {"seconds": 60.0})
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", nth=2, slow=2_000_000))
    broker = request.getfixturevalue(kind)
    worker, app = fleet.start(broker), producer(broker)
    send(app, upload_id)
    in_part(fleet, 2)
    worker.kill_child()
    until(lambda: fleet.entry(upload_id).state is State.PROCESSING, 60, "it went on")
    worker.stop()
    assert "WorkerLostError" in worker.said
    fleet.check_posted_once(film)
    fleet.check_nothing_left()
    assert sent_parts(fleet) == 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", BROKERS)
@pytest.mark.parametrize("slow", [4_000_000, 50_000])
def test_a_worker_that_has_to_go_hands_its_shift_over(
    make_fleet: MakeFleet, kind: str, slow: int, request: pytest.FixtureRequest
) -> None:
    """At the next boundary, or inside the part after the grace; another worker goes on."""
    fleet = make_fleet(install=SHORT | {"seconds": 600.0, "overtime": 600.0, "grace": 3.0})
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", nth=2, slow=slow))
    broker = request.getfixturevalue(kind)
    worker, app = fleet.start(broker), producer(broker)
    send(app, upload_id)
    in_part(fleet, 2)
    began = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - began < 12
    assert "again: the worker has to go" in worker.said
    at_boundary = slow > PART / 3
    assert fleet.entry(upload_id).confirmed == (2 if at_boundary else 1)
    assert fleet.entry(upload_id).holder is None

    other = fleet.start(broker)
    until(lambda: fleet.entry(upload_id).state is State.PROCESSING, 60, "another one went on")
    other.stop()
    fleet.check_posted_once(film)
    assert sent_parts(fleet) == (3 if at_boundary else 4)


@pytest.mark.slow
def test_a_message_that_is_handed_out_twice_finds_the_lease_held(
    make_fleet: MakeFleet, own_redis: str
) -> None:
    """A worker that is not heard of for longer than its message is waited for sends all the same.

    The guard refuses such a visibility timeout; here it is told of another one.
    """
    fleet = make_fleet(
        install=SHORT | {"seconds": 600.0, "overtime": 600.0},
        conf={"broker_transport_options": {"visibility_timeout": 3600}},
    )
    film = fleet.film(2)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", slow=700_000))
    first, app = fleet.start(own_redis), producer(own_redis)
    send(app, upload_id)
    in_part(fleet, 1)

    hasty = producer(own_redis)
    hasty.conf.broker_transport_options = {"visibility_timeout": 1}
    with hasty.connection_for_write() as connection:
        restore: Any = connection.default_channel.qos.restore_visible
        second = fleet.start(own_redis)

        def handed_out_again() -> bool:
            restore(interval=1)
            return "nothing: it is driven by" in second.said

        until(handed_out_again, 60, "the message comes a second time")
    assert fleet.entry(upload_id).holder is not None
    until(lambda: fleet.entry(upload_id).state is State.PROCESSING, 60, "the first one goes on")
    first.stop()
    second.stop()
    fleet.check_posted_once(film)
    assert sent_parts(fleet) == 2


@pytest.mark.slow
def test_what_an_emptied_broker_forgot_is_found_by_the_sweep(
    make_fleet: MakeFleet, own_redis: str
) -> None:
    """A worker is killed, Redis loses everything: the beat's sweep brings all of it back."""
    fleet = make_fleet(
        {"processing_seconds": 0.5},
        install=SHORT | {"seconds": 60.0, "sweep_every": 1.0, "watch_every": 1.0},
    )
    films = [fleet.film(2), fleet.film(), fleet.film()]
    ids = [fleet.enqueue(film) for film in films]
    fleet.sandbox.script(Fault("put", slow=2_000_000))
    worker, app = fleet.start(own_redis), producer(own_redis)
    for upload_id in ids:
        send(app, upload_id)
    in_part(fleet, 1)
    worker.kill()
    with app.connection_for_write() as connection:
        connection.default_channel.client.flushall()

    other = fleet.start(own_redis, "--beat", f"--schedule={fleet.folder / 'beat'}")
    until(lambda: all(map(fleet.is_done, ids)), 60, "all is published")
    other.stop()
    for film in films:
        fleet.check_posted_once(film)
    fleet.check_nothing_left()


@pytest.mark.slow
def test_a_soft_time_limit_suspends(make_fleet: MakeFleet, redis: str) -> None:
    """It strikes inside a part; the upload is free, and comes to its end in another shift."""
    fleet = make_fleet(install=SHORT | {"seconds": 60.0})
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", nth=2, slow=500_000))
    worker, app = fleet.start(redis), producer(redis)
    send(app, upload_id, soft_time_limit=3)
    until(lambda: fleet.entry(upload_id).state is State.PROCESSING, 60, "it is sent")
    worker.stop()
    assert "soft time limit has suspended" in worker.said
    fleet.check_posted_once(film)
    fleet.check_nothing_left()


@pytest.mark.slow
def test_what_a_killed_main_process_ran_does_not_go_on(make_fleet: MakeFleet, redis: str) -> None:
    """The child of a main process that was killed ends too, so that another worker goes on."""
    fleet = make_fleet(install=SHORT | {"seconds": 600.0, "overtime": 600.0})
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", nth=2, slow=100_000))
    worker, app = fleet.start(redis), producer(redis)
    send(app, upload_id)
    in_part(fleet, 2)
    children = worker.children()
    worker.process.kill()
    worker.process.wait()
    assert children
    until(lambda: fleet.entry(upload_id).holder is None, 15, "the lease is free")
    other = fleet.start(redis)
    send(app, upload_id)
    until(lambda: fleet.entry(upload_id).state is State.PROCESSING, 60, "another one goes on")
    other.stop()
    fleet.check_posted_once(film)


@pytest.mark.slow
def test_a_queue_for_each_transport(make_fleet: MakeFleet, redis: str) -> None:
    """The router looks the transport up; a worker of that queue alone takes the upload."""
    fleet = make_fleet(conf={"task_routes": ["tests.fleet.scene.route"]})
    film = fleet.film()
    upload_id = fleet.enqueue(film)
    worker = fleet.start(redis, "-Q", "uploader.tiktok")
    fleet.send_by_application(redis, upload_id)
    until(lambda: fleet.entry(upload_id).state is State.PROCESSING, 60, "it is sent")
    worker.stop()
    fleet.check_posted_once(film)


@pytest.mark.slow
def test_threads_share_one_uploader_and_leave_together(make_fleet: MakeFleet, redis: str) -> None:
    """A pool of threads is as good: two films at once, both handed over in time."""
    fleet = make_fleet(install=SHORT | {"seconds": 600.0, "overtime": 600.0, "grace": 1.0})
    films = [fleet.film(3), fleet.film(3)]
    ids = [fleet.enqueue(film) for film in films]
    fleet.sandbox.script(Fault("put", slow=300_000, times=2))
    worker, app = fleet.start(redis, "--pool=threads", "--concurrency=2"), producer(redis)
    for upload_id in ids:
        send(app, upload_id)
    fleet.sandbox.wait_for(
        lambda: (
            all(post.chunks[0].received for post in fleet.sandbox.uploads[:2])
            and len(fleet.sandbox.uploads) == 2
        ),
        30,
    )
    assert worker.stop() == 0
    assert worker.said.count("again: the worker has to go") == 2
    assert [fleet.entry(upload_id).holder for upload_id in ids] == [None, None]
    other = fleet.start(redis)
    until(
        lambda: all(fleet.entry(each).state is State.PROCESSING for each in ids), 60, "both went on"
    )
    other.stop()
    for film in films:
        fleet.check_posted_once(film)
