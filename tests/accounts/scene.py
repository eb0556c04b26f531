"""A sandbox with an account whose tokens are in a store."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transports.tiktok.accounts import TikTokAccounts
from transports.tiktok.sandbox import Sandbox
from uploader.accounts import FileTokenStore
from uploader.tokens import AccountTokens, TokenStore

ACCOUNT = "acme"


def kept(
    store: TokenStore, given: Mapping[str, Any], now: float, account: str = ACCOUNT
) -> AccountTokens:
    """Store what the sandbox's token endpoint answered at a moment."""
    found = store.get("tiktok", account)
    return store.save(
        AccountTokens(
            transport="tiktok",
            account=account,
            access_token=given["access_token"],
            refresh_token=given["refresh_token"],
            expires=now + given["expires_in"],
            refresh_expires=now + given["refresh_expires_in"],
            scopes=tuple(given["scope"].split(",")),
            subject=given["open_id"],
            updated=now,
            version=found.version if found is not None else 0,
        )
    )


def accounts_of(sandbox: Sandbox, store: TokenStore, **settings: Any) -> TikTokAccounts:
    """Make the accounts of a sandbox's client, without metrics, on the sandbox's clock."""
    usual: dict[str, Any] = {
        "base_url": sandbox.base_url,
        "clock": sandbox.clock.now,
        "metrics": False,
    }
    return TikTokAccounts(
        store, sandbox.oauth.client_key, sandbox.oauth.client_secret, **(usual | settings)
    )


def order(sandbox: Sandbox, store: FileTokenStore, film: Path) -> bytes:
    """Return what another process needs to know to upload for the account."""
    facts = {
        "store": str(store.path),
        "client_key": sandbox.oauth.client_key,
        "client_secret": sandbox.oauth.client_secret,
        "base_url": sandbox.base_url,
        "film": str(film),
    }
    return json.dumps(facts).encode()
