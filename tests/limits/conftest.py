"""Limits that count, a sandbox that counts by the same clock, and a Redis of one's own."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.engine.files import make_clip
from tests.limits.server import RedisServer, redis_program
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox, SandboxClock
from uploader import Uploader
from uploader.events import Event

Make = Callable[..., Any]


class SwiftClock:
    """Time that stands still until `go`, and then passes `factor` times as fast as it does."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._went: float | None = None

    def go(self) -> None:
        """Let time pass from now on."""
        self._went = time.monotonic()

    def monotonic(self) -> float:
        """Return the seconds since an epoch of its own."""
        passed = 0.0 if self._went is None else time.monotonic() - self._went
        return 1_000.0 + passed * self._factor

    def time(self) -> float:
        """Return the wall clock's seconds."""
        return 1_790_000_000.0 + self.monotonic()

    def draw(self) -> float:
        """Return anything in [0, 1)."""
        return random.random()

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time has passed."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            loop = asyncio.get_running_loop()
            later: asyncio.Future[None] = loop.create_future()
            loop.call_later(min(left / self._factor, 0.02), _wake, later)
            await later


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count as a deployment does that has changed nothing."""
    monkeypatch.delenv("UPLOADER_RATES")


@pytest.fixture
def swift() -> SwiftClock:
    """Let a minute pass in half a second, once time passes."""
    return SwiftClock(120.0)


@pytest.fixture
def still() -> FakeClock:
    """Wait for nothing in real time."""
    return FakeClock()


@pytest.fixture
def sandbox(still: FakeClock) -> Iterator[Sandbox]:
    """Serve a strict TikTok that counts by the clock that stands still."""
    with Sandbox(clock=SandboxClock(still.time)) as sandbox:
        yield sandbox


@pytest.fixture
def seen() -> list[Event]:
    """Collect events."""
    return []


@pytest.fixture
def uploader(still: FakeClock, seen: list[Event]) -> Iterator[Uploader]:
    """Drive uploads on the clock that stands still."""
    with Uploader(clock=still, metrics=False, subscribers=[seen.append]) as uploader:
        yield uploader


def posts_on(sandbox: Sandbox) -> Make:
    """Return what makes private posts of any account, each with a token of its own."""
    tokens: dict[str, str] = {}

    def make(account: str = "acme", **fields: Any) -> DirectPost:
        if account not in tokens:
            tokens[account] = sandbox.issue_token(account=account)
        given = {"access_token": tokens[account], "base_url": sandbox.base_url, **fields}
        return DirectPost(account=account, privacy_level="SELF_ONLY", **given)

    return make


@pytest.fixture
def post(sandbox: Sandbox) -> Make:
    """Make posts on the sandbox."""
    return posts_on(sandbox)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A small video."""
    return make_clip(tmp_path / "clip.mp4", 1000)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a real Redis that nobody else talks to."""
    program = redis_program()
    if program is None:
        pytest.skip("there is no redis-server")
    with RedisServer(program, tmp_path) as server:
        yield server
