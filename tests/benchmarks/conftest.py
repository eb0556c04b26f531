"""Sinks and small files that the tests of the frame share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.contender import Job
from benchmarks.sink_process import SinkProcess
from benchmarks.units import KIB
from benchmarks.workspace import Sample, Workspace

SIZE = 300 * KIB + 7
CHUNK = 64 * KIB


@pytest.fixture(scope="session")
def workspace() -> Iterator[Workspace]:
    """One temporary directory for all tests of the frame."""
    with Workspace() as made:
        yield made


@pytest.fixture(scope="session")
def sample(workspace: Workspace) -> Sample:
    """A file of four chunks, the last one longer."""
    return workspace.file(SIZE)


@pytest.fixture(scope="session", params=["plain", "TLS"])
def verifying_sink(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[SinkProcess]:
    """A sink that hashes what it receives."""
    certificate = workspace.certificates().server if request.param == "TLS" else None
    with SinkProcess(certificate=certificate, verify=True) as sink:
        yield sink


@pytest.fixture(scope="session")
def dropping_sink() -> Iterator[SinkProcess]:
    """A plain sink that lets the kernel drop the bodies."""
    with SinkProcess() as sink:
        yield sink


def job(contender: str, sink: SinkProcess, workspace: Workspace, *paths: Path) -> Job:
    """Return what a child is told to do."""
    tls = sink.origin.startswith("https:")
    return Job(
        contender=contender,
        origin=sink.origin,
        paths=tuple(str(path) for path in paths),
        chunk_size=CHUNK,
        concurrency=max(len(paths), 1),
        authority=str(workspace.certificates().authority) if tls else None,
    )
