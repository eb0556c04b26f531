"""A strict sandbox, a video, an ear for Ctrl-C, and a logger that is left as it was found."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import VARIABLE, reap, video
from transports.tiktok.sandbox import Sandbox
from uploader.engine.settings import SystemClock


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Serve a sandbox whose token is in the environment; a violation fails the test."""
    with Sandbox() as sandbox:
        monkeypatch.setenv(VARIABLE, sandbox.access_token)
        yield sandbox


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Lend the small video."""
    return video(tmp_path)


@pytest.fixture
def journal_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name the journal."""
    path = tmp_path / "uploads.db"
    monkeypatch.setenv("UPLOADER_JOURNAL", str(path))
    return path


@pytest.fixture(autouse=True)
def _no_script_left() -> Iterator[None]:
    """Kill what a failed test left running."""
    yield
    reap()


@pytest.fixture(autouse=True)
def _hears_ctrl_c() -> Iterator[None]:
    """Undo what a shell does to its background jobs, and they to all that they start.

    The command keeps an ignored signal ignored; `make test &` would have it so for every test.
    """
    former = signal.getsignal(signal.SIGINT)
    if former is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture(autouse=True)
def _surroundings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    # No pause before a retry: its length is drawn from zero on.
    monkeypatch.setattr(SystemClock, "draw", lambda self: 0.0)
    monkeypatch.setenv("UPLOADER_JOURNAL", str(tmp_path_factory.mktemp("journal") / "uploads.db"))
    logger = logging.getLogger("uploader")
    handlers, filters = logger.handlers[:], logger.filters[:]
    level, propagate = logger.level, logger.propagate
    yield
    logger.handlers[:], logger.filters[:] = handlers, filters
    logger.setLevel(level)
    logger.propagate = propagate
