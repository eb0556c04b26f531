"""The tus row compares two clients that deliver the same bytes to the same sink."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.contender import ENTRIES
from benchmarks.sink_process import SinkProcess
from benchmarks.workspace import Sample, Workspace
from tests.benchmarks.conftest import job


@pytest.fixture
def tus_sink() -> Iterator[SinkProcess]:
    """Run the sink that hashes."""
    with SinkProcess(verify=True, module="benchmarks.tus_sink") as sink:
        yield sink


@pytest.mark.parametrize("name", ["ours_tus", "tus_py_client"])
def test_bytes_arrive_equal(
    name: str, tus_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """In chunks, to an upload of its own."""
    with ENTRIES[name].make(job(name, tus_sink, workspace, sample.path)) as contender:
        contender.upload(sample.path, "bench")
    report = tus_sink.report()
    assert [upload["sha256"] for upload in report.uploads] == [sample.sha256]
    assert (report.complete, report.received) == (1, sample.path.stat().st_size)
