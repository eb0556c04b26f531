"""Prefixes of parts that count: where the sending goes on, and when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Make
from tests.engine.depot import Depot, Fault
from tests.engine.files import make_clip
from tests.engine.parcel import PART, Parcel, limits
from uploader import Outcome
from uploader.transport import Moment, Order

IN_ORDER: dict[str, Any] = {"order": Order.SEQUENTIAL, "accepts_partial": True}
LAST = limits(**IN_ORDER, irreversible=Moment.LAST_PART)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write three parts."""
    return make_clip(tmp_path / "film.mp4", 3 * PART)


@pytest.mark.parametrize("moment", [Moment.LAST_PART, Moment.COMPLETE])
def test_a_server_that_takes_a_little_at_a_time_gets_all(
    make_uploader: Make, depot: Depot, film: Path, moment: Moment
) -> None:
    """Each prefix is progress, however many it takes."""
    depot.script("append", *[Fault(409, stored=PART // 5)] * 14)
    parcel = Parcel(depot.url, capabilities=limits(**IN_ORDER, irreversible=moment))
    result = make_uploader().upload(film, parcel)
    assert result.outcome is Outcome.DONE, result.error
    assert depot.uploads["1"].content == film.read_bytes()


def test_going_back_and_forth_is_no_progress(make_uploader: Make, depot: Depot, film: Path) -> None:
    """A server that forgets what it had confirmed is not asked for ever."""
    held: list[int] = []

    def act(operation: str, name: str, detail: str, body: bytes) -> tuple[int, Any]:
        if operation != "append":
            return Depot.act(depot, operation, name, detail, body)
        held.append(int(detail))
        assert len(held) < 50, "no end"
        return 409, {"offset": 100 if len(held) % 2 else 0}

    depot.act = act  # type: ignore[method-assign]
    result = make_uploader().upload(film, Parcel(depot.url, capabilities=LAST))
    assert result.outcome is Outcome.SUSPENDED
    assert len(held) < 10


@pytest.mark.parametrize("told", [10 * PART, -1])
def test_an_offset_that_cannot_be_is_asked_about(
    make_uploader: Make, depot: Depot, film: Path, told: int
) -> None:
    """What the server says when it is asked counts more than what it said in passing."""
    lies = [told]

    def act(operation: str, name: str, detail: str, body: bytes) -> tuple[int, Any]:
        if operation == "append" and lies:
            return 409, {"offset": lies.pop()}
        return Depot.act(depot, operation, name, detail, body)

    depot.act = act  # type: ignore[method-assign]
    result = make_uploader().upload(film, Parcel(depot.url, capabilities=LAST))
    assert result.outcome is Outcome.DONE, result.error
    assert depot.uploads["1"].content == film.read_bytes()


@pytest.mark.parametrize("stored", [0, 1, PART // 2, PART])
def test_a_last_part_whose_answer_was_lost_goes_on_where_the_server_is(
    make_uploader: Make, depot: Depot, film: Path, stored: int
) -> None:
    """Whatever of it was stored: it is asked, and sent what is missing."""
    depot.script("append", None, None, Fault(stored=stored))
    result = make_uploader().upload(film, Parcel(depot.url, capabilities=LAST))
    assert result.outcome is Outcome.DONE, result.error
    assert depot.uploads["1"].content == film.read_bytes()


def test_a_later_run_goes_on_within_a_part(make_uploader: Make, depot: Depot, film: Path) -> None:
    """By the server's word, and the journal's of the parts before."""
    depot.script("append", None, Fault(500, stored=1000), *[Fault(500)] * 9)
    up, parcel = make_uploader(), Parcel(depot.url, capabilities=LAST)
    assert up.upload(film, parcel).outcome is Outcome.SUSPENDED
    depot.forget_faults()
    result = up.upload(film, parcel)
    assert (result.outcome, result.resumed_from) == (Outcome.DONE, PART + 1000)
    assert depot.uploads["1"].content == film.read_bytes()
