"""The real server, and uploaders that end with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.tus.peer import TusPeer, installed, lacking
from uploader import Uploader

TOKEN = "token-of-the-contract"


@pytest.fixture(scope="session")
def tus_home() -> Path:
    """Install the real server, or skip by name."""
    reason = lacking()
    if reason is not None:
        pytest.skip(reason)
    return installed()


@pytest.fixture(scope="session")
def tus(tus_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TusPeer]:
    """Run one server for all tests that want nothing special of it."""
    yield from serve(tus_home, tmp_path_factory)


@pytest.fixture(scope="session")
def tus_signed(tus_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TusPeer]:
    """Run one server that wants the contract's token."""
    yield from serve(tus_home, tmp_path_factory, token=TOKEN)


def serve(home: Path, places: pytest.TempPathFactory, **options: str) -> Iterator[TusPeer]:
    """Run a server until the tests have ended."""
    peer = TusPeer(home, places.mktemp("tus") / "uploads", options)
    peer.directory.mkdir()
    try:
        yield peer.start()
    finally:
        peer.kill()


@pytest.fixture
def make_tus(tus_home: Path, tmp_path: Path) -> Iterator[Callable[..., TusPeer]]:
    """Run servers with options of their own."""
    made: list[TusPeer] = []

    def make(**options: Any) -> TusPeer:
        directory = tmp_path / f"tus-{len(made)}"
        directory.mkdir()
        made.append(TusPeer(tus_home, directory, options))
        return made[-1].start()

    yield make
    for peer in made:
        peer.kill()


@pytest.fixture
def make_uploader() -> Iterator[Callable[..., Uploader]]:
    """Make uploaders that wait for nothing in real time, and close them."""
    made: list[Uploader] = []

    def make(**settings: Any) -> Uploader:
        made.append(Uploader(**{"clock": FakeClock(), "metrics": False, **settings}))
        return made[-1]

    yield make
    for uploader in made:
        uploader.close()
