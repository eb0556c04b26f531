"""The relay delays and caps, and the model says what a chunk's size costs on such a line."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from urllib.parse import urlsplit

import pytest

from benchmarks import raw_stream
from benchmarks.contender import ENTRIES
from benchmarks.relay import Line, Relay
from benchmarks.sink_process import SinkProcess
from benchmarks.suites import wide
from benchmarks.workspace import Sample, Workspace
from tests.benchmarks.conftest import job


def test_a_line_books_one_piece_behind_the_other() -> None:
    """The rate is shared by all; an idle line begins now, not where it stood."""
    now = 10.0
    line = Line(1_000.0, lambda: now)
    assert line.book(500) == pytest.approx(10.5)
    assert line.book(1_000) == pytest.approx(11.5)
    now = 20.0
    assert line.book(100) == pytest.approx(20.1)


def test_a_stream_pays_the_round_trip_and_the_rate() -> None:
    """Nothing arrives early: bytes over rate, and the way there and back."""
    size, rate, trip = 400_000, 2_000_000.0, 0.05
    with (
        raw_stream.discarding(size) as port,
        Relay(port, round_trip=trip, rate=rate) as relay,
    ):
        began = perf_counter()
        seen = raw_stream.rate(relay.port, size, 2)
        took = perf_counter() - began
    assert took >= 2 * size / rate + trip
    assert 0 < seen <= rate


def test_an_upload_goes_through_the_relay_whole(workspace: Workspace, sample: Sample) -> None:
    """The upload URL names the relay too, so that no byte takes a short cut."""
    with (
        SinkProcess(verify=True) as sink,
        Relay(urlsplit(sink.origin).port or 0, round_trip=0.02, rate=1e9) as relay,
    ):
        origin = f"http://127.0.0.1:{relay.port}"
        asked = replace(job("naive", sink, workspace, sample.path), origin=origin)
        began = perf_counter()
        with ENTRIES["naive"].make(asked) as contender:
            contender.upload(sample.path, "bench")
        took = perf_counter() - began
        (upload,) = sink.report().uploads
    assert upload["sha256"] == sample.sha256
    assert took >= 0.02 * (2 + upload["parts"])


@pytest.mark.parametrize(("chunk", "share"), [(2_000_000, 0.5), (6_000_000, 0.75), (64e6, 0.97)])
def test_the_model_is_the_answers_that_are_waited_for(chunk: float, share: float) -> None:
    """A chunk as large as the line holds takes twice its time; 64 MB hide the wait."""
    assert wide.share(chunk) == pytest.approx(share, abs=0.001)


def test_one_alone_and_eight_together_have_bounds_of_their_own() -> None:
    """Together they fill each other's waits."""
    assert wide.limit(1, 0.92).verdict == "REACHED"
    assert wide.limit(8, 0.92).verdict == "NOT REACHED"
