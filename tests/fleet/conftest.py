"""Fleets, and the brokers that several tests share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import brokers
from tests.fleet.fleet import Fleet, fleet
from transports.tiktok.sandbox import Sandbox

MakeFleet = Callable[..., Fleet]


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[MakeFleet]:
    """Make fleets with a sandbox each, which end with the test."""
    with ExitStack() as stack:

        def make(sandbox: dict[str, Any] | None = None, **settings: Any) -> Fleet:
            served = stack.enter_context(
                Sandbox(**{"rate_limits": False, "strict": False, **(sandbox or {})})
            )
            return stack.enter_context(fleet(tmp_path, served, **settings))

        yield make


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a Redis for all tests of this process."""
    with brokers.redis(tmp_path_factory.mktemp("redis")) as address:
        yield address


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a RabbitMQ for all tests of this process."""
    with brokers.rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as address:
        yield address


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    """Serve a Redis that the test may empty or fill."""
    with brokers.redis(tmp_path) as address:
        yield address
