"""A sandbox, a store, and an account in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.scene import accounts_of, kept
from tests.tiktok.boxes import movie
from transports.tiktok.accounts import TikTokAccounts
from transports.tiktok.sandbox import Sandbox
from uploader.accounts import FileTokenStore, MemoryTokenStore


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a strict TikTok that does not count requests per minute."""
    with Sandbox(rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def store(sandbox: Sandbox) -> MemoryTokenStore:
    """Hold the tokens of one account that has just consented."""
    made = MemoryTokenStore()
    kept(made, sandbox.oauth.consent("acme"), sandbox.clock.now())
    return made


@pytest.fixture
def file_store(tmp_path: Path) -> FileTokenStore:
    """Hold nothing yet."""
    return FileTokenStore(tmp_path / "accounts.db")


@pytest.fixture
def accounts(sandbox: Sandbox, store: MemoryTokenStore) -> TikTokAccounts:
    """Give out credentials on the sandbox's clock."""
    return accounts_of(sandbox, store)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Have a small video."""
    path = tmp_path / "film.mp4"
    path.write_bytes(movie() + bytes(range(256)) * 64)
    return path
