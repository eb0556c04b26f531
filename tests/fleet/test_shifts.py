"""A shift ends in time, sends nothing that another one sends, and leaves word when to go on."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engine.clock import FakeClock
from tests.engine.files import make_clip
from tests.fleet.conftest import MakeFleet
from tests.fleet.fleet import Fleet
from transports.tiktok import DirectPost, TikTokLimits
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import Uploader
from uploader.contrib import deferring, shifts
from uploader.contrib.shifts import Next, run_shift, sweep, watch
from uploader.journal import State
from uploader.journals import MemoryJournal


def seen(fleet: Fleet, operation: str) -> int:
    """Return how many requests of a kind the sandbox had."""
    return sum(request.operation == operation for request in fleet.sandbox.requests)


def passed(fleet: Fleet, upload_id: str) -> None:
    """Let the moment have passed that an upload waits for."""
    _, lease = fleet.journal.take(upload_id, 5)
    fleet.journal.save(lease, {"not_before": None})
    fleet.journal.release(lease)


def test_shifts_send_a_part_each_and_then_ask(make_fleet: MakeFleet) -> None:
    """Each one hands over at a boundary; nothing is sent twice, the last word is asked for."""
    fleet = make_fleet({"processing_seconds": 0.0})
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", delay=0.3, times=3))

    done = [run_shift(fleet.uploader, upload_id, 0.25)]
    while done[-1].next is Next.AGAIN and len(done) < 20:
        done.append(run_shift(fleet.uploader, upload_id, 0.25))
    assert len(done) >= 3  # none is long enough for a second part
    assert done[-1].next is Next.LATER
    assert seen(fleet, "put") == 3
    assert fleet.entry(upload_id).state is State.PROCESSING

    last = run_shift(fleet.uploader, upload_id)
    assert (last.next, last.why) == (Next.NOTHING, "it is done")
    fleet.check_posted_once(film)
    fleet.check_nothing_left()

    asked = len(fleet.sandbox.requests)
    again = run_shift(fleet.uploader, upload_id)
    assert (again.next, again.result) == (Next.NOTHING, None)
    assert len(fleet.sandbox.requests) == asked


def test_a_part_that_does_not_end_is_left_in_time(make_fleet: MakeFleet) -> None:
    """A shift is never longer than it may be, and the next one sends the part anew."""
    fleet = make_fleet()
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", nth=2, stall_after=1_000_000))

    began = time.monotonic()
    done = run_shift(fleet.uploader, upload_id, 1.0, overtime=0.3)
    assert time.monotonic() - began < shifts.longest(1.0, 0.3)
    assert done.next is Next.AGAIN
    assert fleet.entry(upload_id).confirmed == 1
    assert fleet.entry(upload_id).holder is None

    assert run_shift(fleet.uploader, upload_id).next is Next.LATER
    fleet.check_posted_once(film)


def test_who_is_told_nothing_of_a_part_for_a_whole_shift_says_so(
    make_fleet: MakeFleet, caplog: pytest.LogCaptureFixture
) -> None:
    """Shifts that can never end a part would go on for ever."""
    fleet = make_fleet()
    upload_id = fleet.enqueue(fleet.film(1))
    fleet.sandbox.script(Fault("put", stall_after=100_000))
    assert run_shift(fleet.uploader, upload_id, 0.1, overtime=0.3).next is Next.AGAIN
    assert "no part of" in caplog.text


@pytest.mark.parametrize("grace", [30.0, 0.3])
def test_a_worker_that_has_to_go_ends_its_shift(make_fleet: MakeFleet, grace: float) -> None:
    """At the next boundary where it comes in time, else inside the part."""
    fleet = make_fleet()
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)
    fault = Fault("put", nth=2, slow=9_000_000) if grace > 1 else Fault("put", nth=2, stall_after=9)
    fleet.sandbox.script(fault)
    leaving = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_shift, fleet.uploader, upload_id, leaving=leaving, grace=grace)
        fleet.sandbox.wait_for(lambda: fleet.sandbox.uploads[0].chunks[1].received or grace < 1)
        fleet.sandbox.wait_for(lambda: len(fleet.sandbox.uploads[0].chunks) == 2)
        leaving.set()
        done = running.result(20)
    assert done.next is Next.AGAIN
    assert fleet.entry(upload_id).confirmed == (2 if grace > 1 else 1)

    asked = len(fleet.sandbox.requests)
    assert run_shift(fleet.uploader, upload_id, leaving=leaving).next is Next.AGAIN
    assert len(fleet.sandbox.requests) == asked
    assert run_shift(fleet.uploader, upload_id).next is Next.LATER
    fleet.check_posted_once(film)


def test_a_second_message_sends_nothing(make_fleet: MakeFleet) -> None:
    """Not while the first one's shift runs, though it is an uploader of another process."""
    fleet = make_fleet()
    upload_id = fleet.enqueue(fleet.film(1))
    fleet.sandbox.script(Fault("put", stall_after=9))
    leaving = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_shift, fleet.uploader, upload_id, leaving=leaving, grace=0.0)
        fleet.sandbox.wait_for(lambda: fleet.sandbox.uploads[0].chunks)
        asked = len(fleet.sandbox.requests)
        second = run_shift(fleet.uploader, upload_id)
        assert second.next is Next.NOTHING
        assert "it is driven by" in second.why
        assert len(fleet.sandbox.requests) == asked
        handed: list[str] = []
        assert sweep(fleet.uploader, handed.append) == 0
        leaving.set()
        assert running.result(20).next is Next.AGAIN
    assert sweep(fleet.uploader, handed.append) == 1
    assert handed == [upload_id]


def test_what_is_not_due_waits_in_the_journal(make_fleet: MakeFleet) -> None:
    """A message that comes too early does nothing; the sweep knows the time."""
    fleet = make_fleet()
    when = fleet.uploader.now() + 3600
    upload_id = fleet.enqueue(fleet.film(), not_before=when)
    done = run_shift(fleet.uploader, upload_id)
    assert (done.next, done.at, done.result) == (Next.LATER, when, None)
    assert fleet.sandbox.requests == []
    assert sweep(fleet.uploader, lambda _: pytest.fail("it is not due")) == 0


def test_an_upload_that_cannot_begin_is_tried_ever_later(make_fleet: MakeFleet) -> None:
    """A file on a share that is not mounted must not occupy workers, and may come back."""
    fleet = make_fleet()
    film = fleet.film()
    upload_id = fleet.enqueue(film)
    away = film.rename(film.with_suffix(".away"))
    delays = []
    for _ in range(3):
        done = run_shift(fleet.uploader, upload_id)
        assert done.next is Next.LATER
        assert done.at == fleet.entry(upload_id).not_before
        delays.append(round((done.at or 0) - fleet.uploader.now()))
        passed(fleet, upload_id)
    assert delays == [30, 60, 120]
    assert fleet.sandbox.requests == []

    away.rename(film)
    assert run_shift(fleet.uploader, upload_id).next is Next.LATER
    assert run_shift(fleet.uploader, upload_id).why == "it is done"
    fleet.check_posted_once(film)
    assert fleet.entry(upload_id).error is None


def test_what_the_server_works_on_is_asked_about_once_and_later_again(
    make_fleet: MakeFleet,
) -> None:
    """Nobody sleeps on a status, and nobody asks without a pause."""
    fleet = make_fleet({"processing_seconds": 1e9})
    ids = [fleet.enqueue(fleet.film()) for _ in range(3)]
    for upload_id in ids:
        assert run_shift(fleet.uploader, upload_id).next is Next.LATER
    handed: list[str] = []
    assert sweep(fleet.uploader, handed.append, processing=False) == 0
    assert sweep(fleet.uploader, handed.append) == 3

    asked = seen(fleet, "status")
    assert watch(fleet.uploader) == 3
    assert seen(fleet, "status") == asked + 3
    assert watch(fleet.uploader) == 0
    assert seen(fleet, "status") == asked + 3
    assert sweep(fleet.uploader, handed.append) == 0
    for upload_id in ids:
        wait = (fleet.entry(upload_id).not_before or 0) - fleet.uploader.now()
        assert 4 < wait <= deferring.SOONEST_QUESTION


def test_a_sweep_is_bounded_and_takes_what_waited_longest(make_fleet: MakeFleet) -> None:
    """Only so many are handed out at once, the oldest first, as often as they are still due."""
    fleet = make_fleet()
    ids = [fleet.enqueue(fleet.film(0.001)) for _ in range(5)]
    handed: list[str] = []
    assert sweep(fleet.uploader, handed.append, limit=2) == 2
    assert sweep(fleet.uploader, handed.append, limit=2) == 2
    assert handed == [*ids[:2], *ids[:2]]


def test_a_long_queue_keeps_nobody_from_asking(make_fleet: MakeFleet) -> None:
    """What servers work on is found behind more waiting uploads than a journal names at once."""
    fleet = make_fleet({"processing_seconds": 0.0})
    fleet.enqueue(fleet.film(0.001))
    with sqlite3.connect(fleet.folder / "uploads.db") as db:
        names = [name for _, name, *_ in db.execute("PRAGMA table_info(uploads)")]
        values = ["'w' || n" if name in ("upload_id", "identity") else name for name in names]
        db.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers"  # noqa: S608
            f" WHERE n < 1100) INSERT INTO uploads ({', '.join(names)})"
            f" SELECT {', '.join(values)} FROM uploads, numbers"
        )
    db.close()
    film = fleet.film()
    upload_id = fleet.enqueue(film)
    assert run_shift(fleet.uploader, upload_id).next is Next.LATER

    assert watch(fleet.uploader) == 1
    assert fleet.is_done(upload_id)
    handed: list[str] = []
    assert sweep(fleet.uploader, handed.append, limit=2_000, processing=False) == 1_101
    fleet.check_posted_once(film)


def test_a_damaged_entry_holds_up_nobody_else(
    make_fleet: MakeFleet, caplog: pytest.LogCaptureFixture
) -> None:
    """It is first in every line, since nothing is ever written to it."""
    fleet = make_fleet({"processing_seconds": 0.0})
    ids = [fleet.enqueue(fleet.film(0.001)) for _ in range(12)]
    for upload_id in ids:
        assert run_shift(fleet.uploader, upload_id).next is Next.LATER
    late = fleet.enqueue(fleet.film(0.001))
    with sqlite3.connect(fleet.folder / "uploads.db") as db:
        db.execute("UPDATE uploads SET fields = '{' WHERE upload_id = ?", (ids[0],))
    db.close()

    assert watch(fleet.uploader, concurrency=1) == 11
    assert all(map(fleet.is_done, ids[1:]))
    assert "was not asked about" in caplog.text
    assert ids[0] in caplog.text
    handed: list[str] = []
    assert sweep(fleet.uploader, handed.append, processing=False) == 1
    assert handed == [late]


def test_an_exception_thrown_into_the_shift_suspends_it(make_fleet: MakeFleet) -> None:
    """A task's soft time limit leaves an upload that goes on elsewhere."""
    fleet = make_fleet()
    film = fleet.film(2)
    upload_id = fleet.enqueue(film)
    fleet.sandbox.script(Fault("put", nth=2, stall_after=9))

    class SoftLimit(Exception):
        pass

    class Strikes(threading.Event):
        def is_set(self) -> bool:
            uploads = fleet.sandbox.uploads
            if uploads and len(uploads[0].chunks) == 2:
                raise SoftLimit
            return False

    with pytest.raises(SoftLimit):
        run_shift(fleet.uploader, upload_id, leaving=Strikes())
    assert fleet.entry(upload_id).holder is None
    assert fleet.entry(upload_id).confirmed == 1
    assert run_shift(fleet.uploader, upload_id).next is Next.LATER
    fleet.check_posted_once(film)


def test_a_film_at_which_processes_die_waits_from_the_third_on(make_fleet: MakeFleet) -> None:
    """Two deaths may be anybody's; a part that is confirmed meanwhile makes them forgotten."""
    fleet = make_fleet()
    film = fleet.film(3)
    upload_id = fleet.enqueue(film)

    def dies() -> shifts.ShiftResult:
        """Have the message of a process that died; this one's shift is too short for a part."""
        return run_shift(fleet.uploader, upload_id, 0.0, redelivered=True)

    deaths = [dies() for _ in range(4)]
    assert [each.next for each in deaths] == [Next.AGAIN] * 2 + [Next.LATER] * 2
    assert "died" in deaths[2].why
    wait = (fleet.entry(upload_id).not_before or 0) - fleet.uploader.now()
    assert 28 < wait <= 30

    passed(fleet, upload_id)
    fleet.sandbox.script(Fault("put", nth=2, stall_after=9))
    assert run_shift(fleet.uploader, upload_id, 0.5, overtime=0.5).next is Next.AGAIN
    assert fleet.entry(upload_id).confirmed == 1
    assert dies().next is Next.AGAIN
    assert run_shift(fleet.uploader, upload_id).next is Next.LATER
    fleet.check_posted_once(film)


@pytest.mark.parametrize("lifetime", [3600.0, 7200.0])
def test_what_may_have_been_opened_is_waited_for_as_long_as_it_lives(
    tmp_path: Path, lifetime: float
) -> None:
    """Once: to write down that it waits is no reason to wait anew."""
    still = FakeClock()
    journal = MemoryJournal(clock=still.time)
    with (
        Sandbox(rate_limits=False) as sandbox,
        Uploader(
            journal=journal, clock=still, metrics=False, credentials=lambda *_: sandbox.access_token
        ) as uploader,
    ):
        post = DirectPost(
            account="acme",
            privacy_level="SELF_ONLY",
            base_url=sandbox.base_url,
            credentials=lambda *_: sandbox.access_token,
            limits=TikTokLimits(url_lifetime=lifetime),
        )
        upload_id = uploader.enqueue(make_clip(tmp_path / "clip.mp4", 1000), post)
        _, lease = journal.take(upload_id, 5)
        journal.save(lease, {"state": State.OPENING})
        journal.release(lease)

        told = run_shift(uploader, upload_id)
        assert (told.next, sandbox.requests) == (Next.LATER, [])
        assert told.at is not None
        assert lifetime <= told.at - still.time() < lifetime + 60
        still.now += told.at - still.time()
        run_shift(uploader, upload_id)
        assert [each.operation for each in sandbox.requests][:2] == ["init", "put"]
