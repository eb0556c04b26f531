"""A sandbox, destinations on it, and uploaders that end with the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.engine.depot import Depot, serving
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox
from uploader import Uploader
from uploader.events import Event

Make = Callable[..., Any]


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
def post(sandbox: Sandbox) -> Make:
    """Make private posts on the sandbox."""

    def make(**fields: Any) -> DirectPost:
        given = {
            "account": "acme",
            "access_token": sandbox.access_token,
            "base_url": sandbox.base_url,
            **fields,
        }
        return DirectPost(privacy_level="SELF_ONLY", **given)

    return make


@pytest.fixture
def make_uploader(still: FakeClock) -> Iterator[Make]:
    """Make uploaders on the clock that stands still, and close them."""
    made: list[Uploader] = []

    def make(**settings: Any) -> Uploader:
        made.append(Uploader(**{"clock": still, "metrics": False, **settings}))
        return made[-1]

    yield make
    for uploader in made:
        uploader.close()


@pytest.fixture
def uploader(make_uploader: Make) -> Uploader:
    """Drive uploads on the clock that stands still."""
    made: Uploader = make_uploader()
    return made


@pytest.fixture
def seen() -> list[Event]:
    """Collect events: `subscribers=[seen.append]`."""
    return []


@pytest.fixture
def depot() -> Iterator[Depot]:
    """Serve a strict server of parts."""
    depot = Depot()
    with serving(depot) as depot.url:
        yield depot
