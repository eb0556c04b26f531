"""The tokens of many accounts, refreshed before they expire, by one process at a time.

Rule: what a refresh gave is stored before anything is signed with it, because a rotated refresh
token works once. Whoever waited for the lease reads again instead of refreshing again.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from transports.tiktok import oauth
from transports.tiktok.accounts.calling import Caller
from transports.tiktok.accounts.credential import AccountCredential
from transports.tiktok.accounts.login import Login
from transports.tiktok.hosts import API_URL, check_base_url
from transports.tiktok.oauth import App, Grant
from uploader.errors import (
    AccountError,
    AccountRevokedError,
    ConfigurationError,
    TokensChangedError,
    TokenStoreError,
    TransportError,
)
from uploader.events import Subscriber, TokenRefreshed
from uploader.http import Timeouts
from uploader.secret import Secret
from uploader.tokens import NEW, AccountState, AccountTokens, TokenStore

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

NAME: Final = "tiktok"
AHEAD: Final = 600.0
"""Seconds before its end in which a token is refreshed already."""
SHARE: Final = 0.1
"""Or this share of its life, when that is shorter."""
PAUSE: Final = 30.0
"""Seconds without another try after a refresh failed whose old token is good still."""
LEASE_TIMEOUT: Final = 120.0
"""Seconds to wait for another process's refresh: connecting and answering may take 75."""

_LOG = logging.getLogger("uploader")


class TikTokAccounts:
    """Credentials for every account of a store: `Uploader(credentials=TikTokAccounts(...))`.

    `base_url` may name a sandbox. `clock` returns seconds since the epoch. `ahead` is how many
    seconds before its end a token is refreshed. Events go to `subscribers`, to the log and, unless
    `metrics` is false, to the metrics of `registry`. Thread-safe, and good in forked children.
    """

    def __init__(
        self,
        store: TokenStore,
        client_key: str,
        client_secret: Secret | str,
        *,
        base_url: str = API_URL,
        ahead: float = AHEAD,
        lease_timeout: float = LEASE_TIMEOUT,
        clock: Callable[[], float] = time.time,
        timeouts: Timeouts | None = None,
        ssl_context: ssl.SSLContext | None = None,
        subscribers: Sequence[Subscriber] = (),
        registry: CollectorRegistry | None = None,
        metrics: bool = True,
    ) -> None:
        self.store = store
        self._app = App(
            client_key=client_key,
            client_secret=Secret(client_secret),
            base_url=check_base_url(base_url),
        )
        self._caller = Caller(timeouts=timeouts or Timeouts(), ssl_context=ssl_context)
        self._ahead = ahead
        self._lease_timeout = lease_timeout
        self._clock = clock
        self._subscribers = (*_standard(registry, metrics=metrics), *subscribers)
        self._lock = threading.Lock()
        self._refused: dict[str, int] = {}
        self._unsaved: dict[str, AccountTokens] = {}
        self._paused: dict[str, float] = {}
        if metrics:
            from uploader.instruments.metrics import watch_accounts

            watch_accounts(self.states, registry)

    # What the engine asks for.

    def __call__(self, transport: str, account: str | None) -> AccountCredential:
        """Return what signs for an account now; refresh it first when it is due.

        Raises `AccountRevokedError`, another `AccountError` when it has no tokens,
        `TokenStoreError`, and what kept a refresh from being answered.
        """
        if transport != NAME:
            raise ConfigurationError(f"these are accounts of {NAME}, not of {transport}")
        if account is None:
            raise ConfigurationError("no account is named").hint("give the destination account=...")
        tokens = self._current(account)
        return AccountCredential(tokens.access_token, lambda: self._was_refused(tokens))

    def states(self) -> Mapping[str, int]:
        """Return how many accounts are in each state: active, expired, revoked."""
        now = self._clock()
        counts = Counter({"active": 0, "expired": 0, "revoked": 0})
        for tokens in self.store.list(NAME):
            counts[_state(tokens, now)] += 1
        return dict(counts)

    # What the command asks for.

    def login(
        self,
        account: str,
        *,
        show: Callable[[str], object],
        scopes: Sequence[str] = oauth.SCOPES,
        host: str = "127.0.0.1",
        port: int = 0,
        timeout: float = 300.0,
    ) -> AccountTokens:
        """Let a user consent in a browser, and keep the tokens under the name `account`.

        `show` is given the address of TikTok's page. The callback `http://host:port/callback/` must
        be registered with the app; `port` 0 takes a free one. Waits at most `timeout` seconds.
        """
        with Login(self._app, scopes, host=host, port=port) as login:
            show(login.page)
            code = login.wait(timeout)
            grant = self._caller.call(
                oauth.exchange(
                    self._app, code=code, verifier=login.verifier, redirect_uri=login.redirect_uri
                )
            )
        return self._keep(account, grant)

    def add(self, account: str, refresh_token: Secret | str) -> AccountTokens:
        """Take over a consent that was given elsewhere, by its refresh token.

        It is refreshed at once, so that whoever had it before can no longer use it.
        """
        return self._keep(
            account, self._caller.call(oauth.refresh(self._app, Secret(refresh_token)))
        )

    def revoke(self, account: str) -> bool:
        """Give an account's consent back to TikTok and delete its tokens.

        Tells whether TikTok was asked: what was revoked there before needs no asking. Nothing is
        deleted when TikTok could not be reached.
        """
        with self._lease(account):
            tokens = self.store.get(NAME, account)
            if tokens is None:
                raise _unknown(account)
            asked = tokens.state is AccountState.ACTIVE
            if asked:
                self._revoke(tokens)
            self.store.remove(NAME, account)
            self._forget(account)
        return asked

    def remove(self, account: str) -> None:
        """Delete an account's tokens here; TikTok still holds its consent."""
        with self._lease(account):
            if not self.store.remove(NAME, account):
                raise _unknown(account)
            self._forget(account)

    def withdrawn(self, subject: str, reason: str) -> str | None:
        """Record that TikTok's user `subject` (open_id) withdrew; return the account's name."""
        for tokens in self.store.list(NAME):
            if tokens.subject == subject and tokens.state is AccountState.ACTIVE:
                with self._lease(tokens.account):
                    found = self.store.get(NAME, tokens.account)
                    if found is not None and found.subject == subject:
                        self.store.save(found.revoked(reason, self._clock()))
                return tokens.account
        return None

    # How tokens are kept fresh.

    def _current(self, account: str) -> AccountTokens:
        tokens = self._read(account)
        if not self._is_due(tokens):
            return tokens
        try:
            with self._lease(account):
                tokens = self._read(account)
                return self._refreshed(tokens) if self._is_due(tokens) else tokens
        except (TransportError, TokenStoreError) as error:
            if isinstance(error, AccountError) or not self._is_good(tokens):
                raise
            # Early enough: the old one signs until it expires, and nobody tries again at once.
            with self._lock:
                self._paused[account] = self._clock() + PAUSE
            return tokens

    def _read(self, account: str) -> AccountTokens:
        """Return the stored tokens; those that could not be stored before are stored first."""
        with self._lock:
            waiting = self._unsaved.get(account)
        if waiting is not None:
            self._save(waiting)
        tokens = self.store.get(NAME, account)
        if tokens is None:
            raise _unknown(account)
        if tokens.state is AccountState.REVOKED:
            raise _revoked(tokens)
        return tokens

    def _is_due(self, tokens: AccountTokens) -> bool:
        with self._lock:
            if self._refused.get(tokens.account) == tokens.version:
                return True
            paused = self._paused.get(tokens.account, 0.0)
        if tokens.expires is None:
            return False
        now = self._clock()
        ahead = min(self._ahead, SHARE * (tokens.expires - tokens.updated))
        return now >= tokens.expires or (now >= tokens.expires - ahead and now >= paused)

    def _is_good(self, tokens: AccountTokens) -> bool:
        """Tell whether a token signs still, as far as is known."""
        with self._lock:
            refused = self._refused.get(tokens.account) == tokens.version
        return not refused and (tokens.expires is None or self._clock() < tokens.expires)

    def _refreshed(self, tokens: AccountTokens) -> AccountTokens:
        """Refresh under the lease, and store what came before anybody sees it."""
        if tokens.refresh_token is None:
            raise AccountError(
                f"the token of {tokens.account} has ended, and there is none to refresh it by"
            ).hint(_login_hint(tokens.account))
        began = time.monotonic()
        try:
            grant = self._caller.call(oauth.refresh(self._app, tokens.refresh_token))
        except TransportError as error:
            self._tell(tokens.account, error.code, began)
            if not isinstance(error, AccountRevokedError):
                raise
            reason = error.vendor_code or error.code
        else:
            fresh = self._merged(tokens, grant)
            with self._lock:
                self._unsaved[tokens.account] = fresh
            saved = self._save(fresh)
            self._tell(tokens.account, "refreshed", began)
            return saved
        return self._ended(tokens, reason)

    def _ended(self, tokens: AccountTokens, reason: str) -> AccountTokens:
        """Record that a consent has ended, unless somebody logged in meanwhile."""
        try:
            saved = self.store.save(tokens.revoked(reason, self._clock()))
        except TokensChangedError:
            return self._read(tokens.account)
        raise _revoked(saved)

    def _save(self, fresh: AccountTokens) -> AccountTokens:
        """Store what a refresh gave; what cannot be stored waits, and is stored first next time."""
        try:
            saved = self.store.save(fresh)
        except TokensChangedError:
            # Somebody logged in, or removed it: theirs is the newer consent.
            found = self.store.get(NAME, fresh.account)
            if found is None:
                self._forget(fresh.account)
                raise _unknown(fresh.account) from None
            saved = found
        self._forget(fresh.account)
        return saved

    def _merged(self, tokens: AccountTokens, grant: Grant) -> AccountTokens:
        now = self._clock()
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

    def _keep(self, account: str, grant: Grant) -> AccountTokens:
        """Keep a new consent under a name, which stays with one TikTok user."""
        with self._lease(account):
            found = self.store.get(NAME, account)
            if found is not None and found.subject not in ("", grant.open_id):
                raise ConfigurationError(
                    f"{account} is the name of another TikTok user already"
                ).hint("choose another name, or remove that account first")
            empty = AccountTokens(
                transport=NAME,
                account=account,
                access_token=grant.access_token,
                version=found.version if found is not None else NEW,
                fields={"base_url": self._app.base_url},
            )
            saved = self.store.save(self._merged(empty, grant))
            self._forget(account)
        return saved

    def _revoke(self, tokens: AccountTokens) -> None:
        if not self._is_good(tokens) and tokens.refresh_token is not None:
            try:
                tokens = self._refreshed(tokens)
            except AccountRevokedError:
                return
        self._caller.call(oauth.revoke(self._app, tokens.access_token))

    # Small things.

    def _lease(self, account: str) -> AbstractContextManager[None]:
        return self.store.lease(NAME, account, self._lease_timeout)

    def _was_refused(self, tokens: AccountTokens) -> None:
        with self._lock:
            self._refused[tokens.account] = tokens.version

    def _forget(self, account: str) -> None:
        with self._lock:
            for kept in (self._refused, self._unsaved, self._paused):
                kept.pop(account, None)

    def _tell(self, account: str, outcome: str, began: float) -> None:
        event = TokenRefreshed(
            transport=NAME, account=account, outcome=outcome, seconds=time.monotonic() - began
        )
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:
                _LOG.exception("a subscriber failed on %s", type(event).__name__)


def _standard(registry: CollectorRegistry | None, *, metrics: bool) -> tuple[Subscriber, ...]:
    from uploader.instruments import standard_subscribers

    return standard_subscribers(registry, metrics=metrics)


def _end(now: float, lifetime: float | None) -> float | None:
    return None if lifetime is None else now + lifetime


def _state(tokens: AccountTokens, now: float) -> str:
    if tokens.state is AccountState.ACTIVE and (tokens.refresh_expires or now + 1) <= now:
        return "expired"
    return str(tokens.state)


def _login_hint(account: str) -> str:
    return f"log it in again: uploader account login {account}"


def _unknown(account: str) -> AccountError:
    return AccountError(f"there are no tokens of the account {account}").hint(_login_hint(account))


def _revoked(tokens: AccountTokens) -> AccountRevokedError:
    return AccountRevokedError(
        f"the consent of {tokens.account} has ended: {tokens.reason}",
        vendor_code=tokens.reason or None,
    ).hint(f"its uploads wait; {_login_hint(tokens.account)}")
