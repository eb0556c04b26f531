"""A sandbox and a client for every test that asks."""

from collections.abc import Iterator

import pytest

from tests.sandbox.client import Client
from transports.tiktok.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a sandbox that fails the test for a violation."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def lenient() -> Iterator[Sandbox]:
    """Serve a sandbox that only notes violations."""
    with Sandbox(strict=False) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """Talk to `sandbox`."""
    with Client(sandbox) as client:
        yield client
