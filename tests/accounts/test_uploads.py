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
from uploader.errors import AccountError, TokenStoreError, TransportError
from uploader.journals import MemoryJournal
from uploader.testing.clock import StillClock
from uploader.tokens import AccountTokens
from uploader.transport import Credential


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
    began = sandbox.clock.now()
    clock = sandbox.clock.now if seen_by == "both clocks" else lambda: began
    accounts = accounts_of(sandbox, store, clock=clock)
    asked: list[str] = []

    def credentials(transport: str, account: str | None) -> Credential:
        asked.append(transport)
        if len(asked) == 2:
            sandbox.clock.advance(7200)
        return accounts(transport, account)

    result = uploaded(accounts, long_film, post(sandbox), credentials=credentials)

    assert result.outcome is Outcome.DONE
    assert sandbox.oauth.refreshes == ["acme"]
    refused = [record.operation for record in sandbox.requests if record.status == 401]
    assert refused == ([] if seen_by == "both clocks" else ["status"])
    sandbox.assert_posted_once(long_film)


def test_the_uploads_of_a_revoked_account_wait_for_its_login(
    sandbox: Sandbox, store: MemoryTokenStore, accounts: TikTokAccounts, film: Path
) -> None:
    """They are suspended and say why; after a login the same call, or a resume, ends them."""
    sandbox.oauth.revoke_account("acme")
    journal = MemoryJournal()

    suspended = uploaded(accounts, film, post(sandbox), journal=journal)

    assert suspended.outcome is Outcome.SUSPENDED
    assert isinstance(suspended.error, AccountRevokedError)
    assert suspended.error.vendor_code == "invalid_grant"
    assert not sandbox.uploads

    kept(store, sandbox.oauth.consent("acme"), sandbox.clock.now())
    with Uploader(
        clock=StillClock(), metrics=False, credentials=accounts, journal=journal
    ) as uploader:
        resumed = uploader.resume(suspended.upload_id)
    assert resumed.outcome is Outcome.DONE
    sandbox.assert_posted_once(film)


def test_an_upload_of_an_account_that_never_logged_in_waits(
    sandbox: Sandbox, accounts: TikTokAccounts, film: Path
) -> None:
    """It says which account, and how to log it in."""
    result = uploaded(accounts, film, post(sandbox, account="nobody"))

    assert result.outcome is Outcome.SUSPENDED
    assert isinstance(result.error, AccountError)
    assert "uploader account login nobody" in result.error.hints[0]


def test_an_upload_waits_when_the_token_store_fails(sandbox: Sandbox, film: Path) -> None:
    """A full disk is no reason to give a post up."""

    class Broken(MemoryTokenStore):
        def get(self, transport: str, account: str) -> AccountTokens | None:
            raise TokenStoreError("the disk is gone")

    result = uploaded(accounts_of(sandbox, Broken()), film, post(sandbox))

    assert result.outcome is Outcome.SUSPENDED
    assert isinstance(result.error, TokenStoreError)


def test_an_outage_of_the_token_endpoint_is_waited_out(
    sandbox: Sandbox, accounts: TikTokAccounts, film: Path
) -> None:
    """Nothing was posted by asking for a token: the init goes out once there is one."""
    sandbox.clock.advance(7200)
    sandbox.script(Fault("token", status=503), Fault("token", lose_request=True))

    assert uploaded(accounts, film, post(sandbox)).outcome is Outcome.DONE
    sandbox.assert_posted_once(film)


def test_no_token_is_ever_printed(
    sandbox: Sandbox,
    store: MemoryTokenStore,
    accounts: TikTokAccounts,
    film: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In no log line, result, error, traceback or repr: of refreshing, failing, being revoked."""
    caplog.set_level(logging.DEBUG)
    said: list[object] = [accounts, accounts("tiktok", "acme"), store.list()]
    sandbox.clock.advance(7200)
    sandbox.script(Fault("token", status=503, body=b'{"error":"act.sandbox.x"}'))
    with pytest.raises(TransportError) as failed:
        accounts("tiktok", "acme")
    said += [uploaded(accounts, film, post(sandbox)).to_dict(), store.list()]
    sandbox.oauth.revoke_account("acme")
    sandbox.clock.advance(7200)
    said += [uploaded(accounts, film, post(sandbox, title="second")).to_dict(), store.list()]

    printed = "".join(traceback.format_exception(failed.value))
    printed += "".join(f"{each!r} {each}" for each in said) + caplog.text
    for mark in ("act.sandbox", "rft.sandbox", sandbox.oauth.client_secret):
        assert mark not in printed
    frame = failed.tb
    while frame is not None:
        shown = (
            repr(frame.tb_frame.f_locals)
            if "tests" not in frame.tb_frame.f_code.co_filename
            else ""
        )
        assert "act.sandbox" not in shown
        assert sandbox.oauth.client_secret not in shown
        frame = frame.tb_next  # type: ignore[assignment]
