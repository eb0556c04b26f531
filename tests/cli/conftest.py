"""A strict sandbox, a video, and a logger that is left as it was found."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import VARIABLE, video
from transports.tiktok.sandbox import Sandbox


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


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    logger = logging.getLogger("uploader")
    handlers, filters = logger.handlers[:], logger.filters[:]
    level, propagate = logger.level, logger.propagate
    yield
    logger.handlers[:], logger.filters[:] = handlers, filters
    logger.setLevel(level)
    logger.propagate = propagate
