"""How tokens are refreshed: by one process at a time, stored before anything is signed with them.

Rule: a rotated refresh token works once. Whoever waited for the lease reads again instead of
refreshing again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from transports.tiktok import oauth
from transports.tiktok.accounts.calling import Caller
from transports.tiktok.accounts.freshness import Freshness
from transports.tiktok.oauth import App, Grant
from uploader.errors import (
    AccountError,
    AccountRevokedError,
    TokensChangedError,
    TokenStoreError,
    TransportError,
)
from uploader.tokens import AccountState, AccountTokens, TokenStore

NAME: Final = "tiktok"
Told = Callable[[str, str, float], object]
"""`told(account, outcome, seconds)`: a refresh was answered, or was not."""


class Refresher:
    """Read an app's tokens from a store, and refresh what is due."""

    def __init__(
        self,
        store: TokenStore,
        app: App,
        caller: Caller,
        freshness: Freshness,
        *,
        clock: Callable[[], float],
        lease_timeout: float,
        told: Told,
    ) -> None:
        self._store = store
        self._app = app
        self._caller = caller
        self._freshness = freshness
        self._clock = clock
        self._lease_timeout = lease_timeout
        self._told = told

    def lease(self, account: str) -> AbstractContextManager[None]:
        """Be the only one, of all processes, who changes an account's tokens."""
        return self._store.lease(NAME, account, self._lease_timeout)

    def current(self, account: str) -> AccountTokens:
        """Return tokens that sign now."""
        tokens = self._read(account)
        if not self._freshness.is_due(tokens):
            return tokens
        try:
            with self.lease(account):
                tokens = self._read(account)
                return self.refreshed(tokens) if self._freshness.is_due(tokens) else tokens
        except (TransportError, TokenStoreError) as error:
            if isinstance(error, AccountError) or not self._freshness.is_good(tokens):
                raise
            # Early enough: the old one signs until it expires.
            self._freshness.failed(account)
            return tokens

    def refreshed(self, tokens: AccountTokens) -> AccountTokens:
        """Refresh under the lease, and store what came before anybody sees it."""
        if tokens.refresh_token is None:
            raise AccountError(
                f"the token of {tokens.account} has ended, and there is none to refresh it by"
            ).hint(_login_hint(tokens.account))
        began = time.monotonic()
        try:
            grant = self._caller.call(oauth.refresh(self._app, tokens.refresh_token))
        except TransportError as error:
            self._told(tokens.account, error.code, time.monotonic() - began)
            if not isinstance(error, AccountRevokedError):
                raise
            reason = error.vendor_code or error.code
        else:
            fresh = merged(tokens, grant, self._clock())
            self._freshness.hold(fresh)
            saved = self._save(fresh)
            self._told(tokens.account, "refreshed", time.monotonic() - began)
            return saved
        return self.ended(tokens, reason)

    def ended(self, tokens: AccountTokens, reason: str) -> AccountTokens:
        """Record that a consent has ended, unless somebody logged in meanwhile."""
        try:
            saved = self._store.save(tokens.revoked(reason, self._clock()))
        except TokensChangedError:
            return self._read(tokens.account)
        raise _revoked(saved)

    def _read(self, account: str) -> AccountTokens:
        """Return the stored tokens; those that could not be stored before are stored first."""
        waiting = self._freshness.unsaved(account)
        if waiting is not None:
            self._save(waiting)
        tokens = self._store.get(NAME, account)
        if tokens is None:
            raise unknown(account)
        if tokens.state is AccountState.REVOKED:
            raise _revoked(tokens)
        return tokens

    def _save(self, fresh: AccountTokens) -> AccountTokens:
        """Store what a refresh gave; what cannot be stored waits, and is stored first next time."""
        try:
            saved = self._store.save(fresh)
        except TokensChangedError:
            # Somebody logged in, or removed it: theirs is the newer consent.
            found = self._store.get(NAME, fresh.account)
            if found is None:
                self._freshness.forget(fresh.account)
                raise unknown(fresh.account) from None
            saved = found
        self._freshness.forget(fresh.account)
        return saved


def merged(tokens: AccountTokens, grant: Grant, now: float) -> AccountTokens:
    """Return an account's tokens with what was granted at a moment; the rest stays."""
    return replace(
        tokens,
        access_token=grant.access_token,
        # "may differ" before November 2026: the old one stays where none came.
        refresh_token=grant.refresh_token or tokens.refresh_token,
        expires=_end(now, grant.expires_in),
        refresh_expires=_end(now, grant.refresh_expires_in) or tokens.refresh_expires,
        scopes=grant.scopes or tokens.scopes,
        subject=grant.open_id or tokens.subject,
        state=AccountState.ACTIVE,
        reason="",
        updated=now,
    )


def unknown(account: str) -> AccountError:
    """Return the error of an account without tokens."""
    return AccountError(f"there are no tokens of the account {account}").hint(_login_hint(account))


def _end(now: float, lifetime: float | None) -> float | None:
    return None if lifetime is None else now + lifetime


def _login_hint(account: str) -> str:
    return f"log it in again: uploader account login {account}"


def _revoked(tokens: AccountTokens) -> AccountRevokedError:
    return AccountRevokedError(
        f"the consent of {tokens.account} has ended: {tokens.reason}",
        vendor_code=tokens.reason or None,
    ).hint(f"its uploads wait; {_login_hint(tokens.account)}")
