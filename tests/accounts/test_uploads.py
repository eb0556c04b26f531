"""Uploads whose token ends on the way, and uploads of accounts that ended."""

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from tests.accounts.scene import accounts_of, kept
from transports.tiktok import DirectPost
from transports.tiktok.accounts import TikTokAccounts
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import AccountRevokedError, Outcome, Uploader, UploadResult
from uploader.accounts import MemoryTokenStore
from uploader.errors import AccountError, TokenStoreError
from uploader.journals import MemoryJournal
from uploader.testing.clock import StillClock
from uploader.tokens import AccountTokens

CHUNK = 6_000_000


@pytest.fixture
def long_film(tmp_path: Path) -> Path:
    """Have a video of several chunks."""
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(64_000_001)
    return path


def post(sandbox: Sandbox, **fields: Any) -> DirectPost:
    """Make a private post of the account, without a token of its own."""
    given = {"account": "acme", "privacy_level": "SELF_ONLY", "base_url": sandbox.base_url}
    return DirectPost(**(given | fields))


def uploaded(
    accounts: TikTokAccounts, film: Path, destination: DirectPost, **settings: Any
) -> UploadResult:
    """Upload with the accounts' credentials, on a clock that stands still."""
    usual: dict[str, Any] = {"clock": StillClock(), "metrics": False, "credentials": accounts}
    with Uploader(**(usual | settings)) as uploader:
        return uploader.upload(film, destination)


@pytest.mark.parametrize("seen_by", ["both clocks", "the server alone"])
def test_a_token_that_expires_in_the_middle_ends_done(
    sandbox: Sandbox, store: MemoryTokenStore, long_film: Path, seen_by: str
) -> None:
    """It was good for the init; two hours later the status is asked with another one."""
    ours = sandbox.clock.now() if seen_by == "the server alone" else None
    accounts = accounts_of(sandbox, store, clock=sandbox.clock.now if ours is None else lambda: ours)
    sandbox.switches = sandbox._book.switches
    moved = []

    def expires(event: object) -> None:
        if type(event).__name__ == "PartConfirmed" and not moved:
            moved.append(event)

    first = store.list()[0].access_token

    class Moving(TikTokAccounts):
        """Let the token's life end once the upload is open."""

    asked: list[str] = []

    def credentials(transport: str, account: str | None) -> Any:
        asked.append(transport)
        if len(asked) == 2:
            sandbox.clock.advance(7200)
        return accounts(transport, account)

    result = uploaded(accounts, long_film, post(sandbox), credentials=credentials)

    assert result.outcome is Outcome.DONE
    assert sandbox.oauth.refreshes == ["acme"]
    assert store.list()[0].access_token != first
    sandbox.assert_posted_once(long_film)
