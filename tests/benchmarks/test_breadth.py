"""What the suites scale, startup, limits and growth say of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench import Bench, Options
from benchmarks.contender import BARE_FRESH, BARE_REQUESTS, ENTRIES, MMAP_SENDALL, NAIVE, OURS
from benchmarks.probes import Crowd, crowd_of
from benchmarks.report import Report
from benchmarks.runner import Run, run
from benchmarks.sink_process import SinkProcess, SinkReport
from benchmarks.stats import slope
from benchmarks.suites import growth, latency, limits, scale, startup
from benchmarks.workspace import Sample, Workspace, cool
from tests.benchmarks.conftest import job
from tests.benchmarks.test_report import a_run


@pytest.fixture
def bench(workspace: Workspace) -> Bench:
    """A bench that tells nobody."""
    return Bench(Options(), workspace, lambda _: None)


def of_files(contender: str, number: int, cpu: float) -> Run:
    """Return a run of so many files that took so many processor seconds."""
    sink = SinkReport(0, 0, [{"size": 1, "received": 1, "done_at": 1.0}] * number)
    return replace(a_run(contender, 1.0), user=cpu, system=0.0, sink=sink)


def test_the_engines_own_cost_is_ours_beyond_the_bare_requests() -> None:
    """Pair by pair, in milliseconds a file."""
    runs = {
        OURS.name: [of_files(OURS.name, 100, 0.5)] * 3,
        BARE_REQUESTS.name: [of_files(BARE_REQUESTS.name, 100, 0.2)] * 3,
    }
    limit = scale.engine_limit(OURS.name, runs, BARE_REQUESTS.name)
    assert limit.value == pytest.approx(3.0)
    assert limit.verdict == "NOT REACHED"
    assert scale.engine_limit(OURS.name, {}, BARE_REQUESTS.name).verdict == "NOT MEASURED"


@pytest.mark.parametrize("name", [BARE_REQUESTS.name, BARE_FRESH.name])
def test_bare_requests_publish_the_file(
    name: str, verifying_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """What ours is compared with must do the same work."""
    verifying_sink.reset()
    asked = job(name, verifying_sink, workspace, sample.path, sample.path)
    with ENTRIES[name].make(asked) as contender:
        contender.upload_many([sample.path, sample.path])
    uploads = verifying_sink.report().uploads
    assert [upload["sha256"] for upload in uploads] == [sample.sha256] * 2


def test_the_slope_is_what_each_upload_adds() -> None:
    """Beyond 64 at once nothing is promised; one point has no slope."""
    peaks = [(1.0, 5.0), (32.0, 36.0), (64.0, 68.0), (128.0, 1_000.0)]
    assert growth.slope_limit(peaks).value == pytest.approx(1.0)
    assert growth.slope_limit(peaks[:1]).verdict == "NOT MEASURED"
    with pytest.raises(ValueError, match="slope"):
        slope([(1, 2), (1, 3)])


def test_lateness_counts_above_the_idle_ticker_and_with_enough_samples() -> None:
    """A noisy machine is noisy idle too; a p99.9 of few samples is a guess."""
    late = [0.001] * 9_980 + [0.012] * 20
    mine = a_run("ours", 1.0, idle_lateness=[0.004] * 10_000, lateness=late)
    limit = latency._limit("plain", "ours", [mine])
    assert limit.value == pytest.approx(8.0)
    assert limit.verdict == "REACHED"
    few = a_run("ours", 1.0, idle_lateness=[0.0] * 100, lateness=[0.0] * 100)
    assert latency._limit("plain", "ours", [few]).verdict == "NOT MEASURED"


def test_the_fall_back_is_compared_with_the_naive_loop() -> None:
    """Run by run, by rate."""
    runs = {"ours": [a_run("ours", 1.0)] * 3, NAIVE.name: [a_run("naive", 2.0)] * 3}
    assert limits.fallback_limit("plain", runs).value == pytest.approx(2.0)
    assert limits.fallback_limit("plain", {}).verdict == "NOT MEASURED"


def test_settings_reach_the_uploader(
    dropping_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """A bandwidth limit that never arrived would be held by accident."""
    asked = job("ours", dropping_sink, workspace, sample.path)
    with pytest.raises(Exception, match="bandwidth is -1"):
        ENTRIES["ours"].make(replace(asked, settings={"bandwidth": -1}))


def test_a_first_upload_is_timed_in_an_interpreter_that_loaded_nothing(
    bench: Bench, dropping_sink: SinkProcess, sample: Sample
) -> None:
    """The steps lie inside the process, and the file arrives."""
    first = startup.first_upload(bench, MMAP_SENDALL, dropping_sink, sample)
    assert 0 < first.uploaded < first.process
    assert first.ready + first.uploaded < first.process


def test_an_import_is_timed() -> None:
    """A module that does not exist is an error, not a fast import."""
    assert 0 < startup.import_seconds("json") < 30
    with pytest.raises(RuntimeError, match="ended with an error"):
        startup.import_seconds("no_such_package")


def test_descriptors_and_threads_are_counted(
    dropping_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """The kernel's books of the child; a process that is gone has none."""
    here = crowd_of()
    assert here.descriptors > 2
    assert here.threads >= 1
    assert crowd_of(0) == Crowd()
    assert Crowd(1, 5).most(Crowd(3, 2)) == Crowd(3, 5)
    asked = replace(job("mmap_sendall", dropping_sink, workspace, sample.path), ticks=30)
    assert run(asked, dropping_sink, watch=True).crowd.threads >= 1


def test_the_lanes_of_s3_are_measured(workspace: Workspace) -> None:
    """In their smallest form: one row for each number of lanes."""
    options = Options(size=96 * 1024, pairs=1, quick=True, rivals=())
    report = Report("scale", "?")
    scale._lanes(Bench(options, workspace, lambda _: None), report)
    (section,) = report.sections
    assert [row[:2] for row in section.rows] == [
        ("s3_ours", "1"),
        ("s3_ours", "4"),
        ("s3_ours", "32"),
    ]
    assert report.charts[0].lines["s3_ours"][0][0] == 1


def test_a_file_is_dropped_from_the_page_cache(tmp_path: Path) -> None:
    """The advice is given and the bytes stay."""
    file = tmp_path / "clip"
    file.write_bytes(b"x" * 8192)
    assert cool(file)
    assert file.read_bytes() == b"x" * 8192
