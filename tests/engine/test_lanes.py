"""Several parts on their way at once: how lanes begin, end, fail and stop together."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Make
from tests.engine.depot import PATIENCE, Depot, Fault
from tests.engine.files import make_clip
from tests.engine.parcel import PART, AtOnce, Bare, Parcel, limits
from uploader import Outcome, RetryPolicy, Uploader
from uploader.engine.core import Engine
from uploader.journals import MemoryJournal
from uploader.model import Session


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write twelve parts."""
    return make_clip(tmp_path / "film.mp4", 12 * PART - 7)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Collect the engines that are made."""
    made: list[Engine] = []
    original = Engine.__init__

    def init(self: Engine, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        made.append(self)

    monkeypatch.setattr(Engine, "__init__", init)
    return made


def few_lanes(up: Uploader, count: int) -> Uploader:
    """Leave so many lanes beyond the uploads' first."""
    up._settings = replace(up._settings, max_extra_lanes=count)
    return up


def free(engine: Engine) -> tuple[int, int, int]:
    """Return what is in use of the budget: bytes, windows, and who has a share."""
    budget = engine.budget
    return budget.used, budget.windows, budget.active


def test_every_lane_gives_its_share_back(
    make_uploader: Make, depot: Depot, tmp_path: Path, engines: list[Engine]
) -> None:
    """Also when several end in the same turn of the loop."""
    up = make_uploader()
    for number in range(12):
        film = make_clip(tmp_path / f"{number}.mp4", 8 * PART, seed=number)
        result = up.upload(film, Parcel(depot.url, capabilities=limits(max_lanes=8)))
        assert result.outcome is Outcome.DONE
    assert free(engines[0]) == (0, 0, 0)


@pytest.mark.parametrize("stopped", ["cancel", "suspend"])
def test_stopped_lanes_leave_nothing(
    make_uploader: Make, depot: Depot, film: Path, engines: list[Engine], stopped: str
) -> None:
    """No task, no window, no share; what was stored before is kept for a later run."""
    held = threading.Event()
    depot.script("put", None, *[Fault(200, acted=True, hold=held)] * 4)
    handle = make_uploader().submit(film, Parcel(depot.url))
    depot.wait_for("put", 5)
    getattr(handle, stopped)()
    result = handle.result(PATIENCE)
    held.set()
    outcome, aborts = (Outcome.CANCELLED, 1) if stopped == "cancel" else (Outcome.SUSPENDED, 0)
    assert (result.outcome, depot.count("abort")) == (outcome, aborts)
    assert free(engines[0]) == (0, 0, 0)


def test_lanes_that_fail_together_are_all_heard(
    make_uploader: Make, depot: Depot, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One failure is told; asyncio has none to complain of."""
    with caplog.at_level(logging.ERROR, "asyncio"):
        for number in range(8):
            held = threading.Event()
            depot.script("put", *[Fault(400, hold=held)] * 4)
            handle = make_uploader(metrics=False).submit(
                film, Parcel(depot.url, account=str(number))
            )
            depot.wait_for("put", 4 * number + 4)
            held.set()
            assert handle.result(PATIENCE).outcome is Outcome.FAILED
    assert [each.message for each in caplog.records if each.name == "asyncio"] == []


def test_the_time_limit_waits_for_no_lane(
    make_uploader: Make, depot: Depot, tmp_path: Path, film: Path
) -> None:
    """An upload whose time is up ends at its part's boundary, whoever holds the other lanes."""
    up = few_lanes(make_uploader(), 1)
    held = threading.Event()
    depot.script("put", *[Fault(200, acted=True, hold=held)] * 2)
    other = make_clip(tmp_path / "other.mp4", 3 * PART)
    first = up.submit(other, Parcel(depot.url, capabilities=limits(max_lanes=2)))
    depot.wait_for("put", 2)
    try:
        second = up.submit(film, Parcel(depot.url), time_limit=0.0)
        assert second.result(PATIENCE).outcome is Outcome.SUSPENDED
    finally:
        held.set()
    assert first.result(PATIENCE).outcome is Outcome.DONE


def test_many_uploads_share_few_lanes_and_windows(
    make_uploader: Make, depot: Depot, tmp_path: Path, engines: list[Engine]
) -> None:
    """None waits for another for ever, and their numbers never fall or pass the total."""
    up = few_lanes(make_uploader(window_bytes=PART), 3)
    films = [make_clip(tmp_path / f"{n}.mp4", 6 * PART + n, seed=n) for n in range(10)]
    handles = [up.submit(film, Parcel(depot.url)) for film in films]
    seen: list[list[tuple[int, int]]] = [[] for _ in films]
    while concurrent.futures.wait([each.future for each in handles], timeout=0.005).not_done:
        for handle, numbers in zip(handles, seen, strict=True):
            numbers.append((handle.progress.sent, handle.progress.confirmed))
    assert [handle.result().outcome for handle in handles] == [Outcome.DONE] * len(films)
    assert sorted(depot.posts) == sorted(film.read_bytes() for film in films)
    for film, numbers in zip(films, seen, strict=True):
        for column in zip(*numbers, strict=True):
            assert list(column) == sorted(column)
            assert column[-1] <= film.stat().st_size
    assert free(engines[0]) == (0, 0, 0)


def test_parts_of_an_expired_session_are_sent_again(
    make_uploader: Make, depot: Depot, film: Path, still: Any
) -> None:
    """Where nobody can be asked, the journal's receipts are of the session that they came from."""
    journal = MemoryJournal(clock=still.time)
    parcel = Parcel(depot.url, Bare, limits(session_lifetime=60.0))
    depot.script("put", *[None] * 5, *[Fault(500)] * 12)
    first = make_uploader(journal=journal, retry=RetryPolicy(attempts=1)).upload(film, parcel)
    assert first.outcome is Outcome.SUSPENDED
    still.now += 3600
    depot.forget_faults()
    result = make_uploader(journal=journal).upload(film, parcel)
    assert result.outcome is Outcome.DONE, result.error
    assert depot.posts == [film.read_bytes()]


@pytest.mark.parametrize("wrong", ["lacks", "length", "sum"])
def test_a_part_that_is_listed_otherwise_is_sent_again(
    make_uploader: Make, depot: Depot, film: Path, wrong: str
) -> None:
    """What the server says of a part must be what was recorded of it."""
    up = make_uploader(retry=RetryPolicy(attempts=1))
    parcel = Parcel(depot.url, capabilities=limits(max_lanes=1))
    depot.script("put", *[None] * 5, *[Fault(500)] * 12)
    assert up.upload(film, parcel).outcome is Outcome.SUSPENDED
    depot.forget_faults()

    def lie(told: dict[str, Any]) -> dict[str, Any]:
        first = min(told["parts"])
        if wrong == "lacks":
            del told["parts"][first]
        else:
            told["parts"][first][wrong] = 1 if wrong == "length" else "other"
        return told

    depot.lists = lie
    before = depot.count("put")
    assert up.upload(film, parcel).outcome is Outcome.DONE
    assert depot.posts == [film.read_bytes()]
    assert depot.count("put") - before == 12 - 5 + 1


def test_another_cut_of_another_session_proves_nothing(
    make_uploader: Make, depot: Depot, film: Path, still: Any
) -> None:
    """The parts of a session that died were of its own cut: the content is not said to differ."""
    journal = MemoryJournal(clock=still.time)
    journal.wants_digests = True
    parcel = Parcel(depot.url, capabilities=limits(session_lifetime=60.0))
    size = film.stat().st_size
    for cut, stored in ((2 * PART, 5), (3 * PART, 0)):
        depot.cut = (cut, -(-size // cut))
        depot.forget_faults()
        depot.script("put", *[None] * stored, *[Fault(500)] * 12)
        up = make_uploader(journal=journal, retry=RetryPolicy(attempts=1))
        assert up.upload(film, parcel).outcome is Outcome.SUSPENDED
        still.now += 3600
    depot.forget_faults()
    depot.cut = None
    assert make_uploader(journal=journal).upload(film, parcel).outcome is Outcome.DONE
    assert depot.posts == [film.read_bytes()]


def test_a_dictated_cut_goes_on(make_uploader: Make, depot: Depot, film: Path) -> None:
    """The server's own cut is recorded, and a later run keeps to it."""
    depot.cut = (5 * PART, 3)
    up = make_uploader(retry=RetryPolicy(attempts=1))
    depot.script("put", None, *[Fault(500)] * 2)
    assert up.upload(film, Parcel(depot.url)).outcome is Outcome.SUSPENDED
    depot.forget_faults()
    result = up.upload(film, Parcel(depot.url))
    assert (result.outcome, result.parts) == (Outcome.DONE, 3)
    assert depot.posts == [film.read_bytes()]


def test_an_opened_session_is_gone_on_with(
    make_uploader: Make, depot: Depot, tmp_path: Path
) -> None:
    """Also with content so small that it could go without one."""
    film = make_clip(tmp_path / "small.mp4", 100)
    opened, _ = depot.act("create", "", "", b"")
    assert opened == 201
    session = Session({"id": "1", "size": 100}, {})
    up = make_uploader()
    result = up.submit(film, Parcel(depot.url, AtOnce), session=session).result(PATIENCE)
    assert result.outcome is Outcome.DONE
    assert (depot.posts, depot.objects) == ([film.read_bytes()], {})
