"""Every test of the wire runs on uvloop and on asyncio's own loop."""

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

SIZE = 16 << 20
"""More than the buffers of two sockets hold."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name the loops."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file that no socket takes whole."""
    path = tmp_path_factory.mktemp("wire") / "film.mp4"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    return path


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without the proxies of whoever runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
