"""A film, a nursery, and sandboxes with and without TLS."""

import random
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.resume.nursery import nursery
from tests.resume.stage import SIZE, Stage
from transports.tiktok.sandbox import Sandbox
from uploader.testing.nursery import Nursery


@pytest.fixture(scope="session")
def content() -> bytes:
    """Bytes of three parts that repeat nowhere."""
    return random.Random(2027).randbytes(SIZE)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> Path:
    """Write a film of three parts; who changes it takes `own_film`."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    path.write_bytes(content)
    return path


@pytest.fixture
def own_film(tmp_path: Path, content: bytes) -> Path:
    """Write a film that the test may change."""
    path = tmp_path / "own.mp4"
    path.write_bytes(content)
    return path


@pytest.fixture(scope="session")
def children() -> Iterator[Nursery]:
    """Start processes from a warm interpreter."""
    with nursery() as started:
        yield started


@pytest.fixture
def set_stage(tmp_path: Path, film: Path) -> Iterator[Callable[..., Stage]]:
    """Open sandboxes, each with a journal's place; those of a test end with it."""
    open_ones: list[Sandbox] = []

    def make(
        server: ssl.SSLContext | None = None, client: ssl.SSLContext | None = None, **options: Any
    ) -> Stage:
        sandbox = Sandbox(rate_limits=False, ssl_context=server, **options).start()
        open_ones.append(sandbox)
        return Stage(sandbox, tmp_path / f"journal-{len(open_ones)}.db", film, client)

    yield make
    for sandbox in open_ones:
        sandbox.stop()


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """Serve a sandbox over plain HTTP, with a journal's place."""
    return set_stage()


@pytest.fixture
def tls_stage(
    set_stage: Callable[..., Stage],
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> Stage:
    """Serve a sandbox over TLS, with a journal's place."""
    return set_stage(tls_server_context, tls_client_context)
