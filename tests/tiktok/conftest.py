"""A sandbox, and an uploader on a clock that stands still."""

from collections.abc import Iterator

import pytest

from tests.engine.clock import FakeClock
from transports.tiktok import TikTokPublishService
from transports.tiktok.sandbox import Sandbox
from uploader import Uploader


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a strict TikTok that does not count requests per minute."""
    with Sandbox(rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def still() -> FakeClock:
    """Wait for nothing in real time."""
    return FakeClock()


@pytest.fixture
def dropin(sandbox: Sandbox, still: FakeClock) -> Iterator[TikTokPublishService]:
    """The drop-in, pointed at the sandbox."""
    with (
        Uploader(clock=still, metrics=False) as uploader,
        TikTokPublishService(
            sandbox.access_token, base_url=sandbox.base_url, uploader=uploader
        ) as service,
    ):
        yield service
