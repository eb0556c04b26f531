"""What the benchmark compares on S3 delivers the same bytes, and what cannot run is named."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.bench import Bench, Options
from benchmarks.contender import S3_AWS, S3_ENTRIES, S3_OURS, Job
from benchmarks.report import Report
from benchmarks.runner import run
from benchmarks.sink_process import SinkProcess
from benchmarks.suites.destinations import S3_SINK, measure
from benchmarks.units import MIB
from benchmarks.workspace import Workspace

PART = 5 * MIB
SIZE = 2 * PART + 1


@pytest.fixture(scope="module")
def sink() -> Iterator[SinkProcess]:
    """Serve S3's answers, and hash."""
    with SinkProcess(module=S3_SINK, verify=True) as sink:
        yield sink


@pytest.mark.parametrize("entry", S3_ENTRIES[:3], ids=lambda entry: entry.name)
def test_bytes_arrive_equal(entry: object, sink: SinkProcess, tmp_path: Path) -> None:
    """In parts of the size asked for, several at once, in a process of its own."""
    content = os.urandom(SIZE)
    path = tmp_path / "clip"
    path.write_bytes(content)
    name = getattr(entry, "name", "")
    seen = run(Job(name, sink.origin, (str(path),), PART, lanes=3), sink)
    (upload,) = seen.sink.uploads
    expected = [content[start : start + PART] for start in range(0, SIZE, PART)]
    assert [tuple(part) for part in upload["parts"]] == [
        (len(each), hashlib.sha256(each).hexdigest()) for each in expected
    ]
    assert upload["done_at"] is not None


def test_a_command_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The others run without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert S3_AWS.missing() == ["the command aws"]


@pytest.mark.slow
def test_the_suite_tells_every_row(tmp_path: Path) -> None:
    """Wall, processor, peak and whether the memory's limit is reached, for whoever could run."""
    options = Options(size=20 * MIB, pairs=1, rivals=("s3_boto3",))
    with Workspace(tmp_path) as workspace:
        report: Report = measure(Bench(options, workspace, lambda what: None))
    assert [row[0] for row in report.sections[0].rows] == [S3_OURS.name, "s3_boto3"]
    assert report.limits[-1].reached is not None
