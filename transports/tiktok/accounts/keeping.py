"""The accounts of an app: what signs for each, how one logs in, is revoked and is forgotten.

Rule: tokens are changed under the account's lease only; `refreshing` says how they are kept fresh.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from transports.tiktok import oauth
from transports.tiktok.accounts.calling import Caller
from transports.tiktok.accounts.credential import AccountCredential
from transports.tiktok.accounts.freshness import AHEAD, Freshness
from transports.tiktok.accounts.login import Login
from transports.tiktok.accounts.refreshing import NAME, Refresher, merged, unknown
from transports.tiktok.hosts import API_URL, check_base_url
from transports.tiktok.oauth import App, Grant
from uploader.errors import AccountRevokedError, ConfigurationError
from uploader.events import Subscriber, TokenRefreshed
from uploader.http import Timeouts
from uploader.secret import Secret
from uploader.tokens import NEW, AccountState, AccountTokens, TokenStore

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

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
        self._clock = clock
        self._subscribers = (*_standard(registry, metrics=metrics), *subscribers)
        self._freshness = Freshness(clock, ahead)
        self._refresher = Refresher(
            store,
            self._app,
            self._caller,
            self._freshness,
            clock=clock,
            lease_timeout=lease_timeout,
            told=self._tell,
        )
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
        tokens = self._refresher.current(account)
        return AccountCredential(tokens.access_token, lambda: self._freshness.refused(tokens))

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
        with self._refresher.lease(account):
            tokens = self.store.get(NAME, account)
            if tokens is None:
                raise unknown(account)
            asked = tokens.state is AccountState.ACTIVE
            if asked:
                self._revoke(tokens)
            self.store.remove(NAME, account)
            self._freshness.forget(account)
        return asked

    def remove(self, account: str) -> None:
        """Delete an account's tokens here; TikTok still holds its consent."""
        with self._refresher.lease(account):
            if not self.store.remove(NAME, account):
                raise unknown(account)
            self._freshness.forget(account)

    def withdrawn(self, subject: str, reason: str) -> str | None:
        """Record that TikTok's user `subject` (open_id) withdrew; return the account's name."""
        for tokens in self.store.list(NAME):
            if tokens.subject == subject and tokens.state is AccountState.ACTIVE:
                with self._refresher.lease(tokens.account):
                    found = self.store.get(NAME, tokens.account)
                    if found is not None and found.subject == subject:
                        self.store.save(found.revoked(reason, self._clock()))
                return tokens.account
        return None

    # How consents are kept and given back.

    def _keep(self, account: str, grant: Grant) -> AccountTokens:
        """Keep a new consent under a name, which stays with one TikTok user."""
        with self._refresher.lease(account):
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
            saved = self.store.save(merged(empty, grant, self._clock()))
            self._freshness.forget(account)
        return saved

    def _revoke(self, tokens: AccountTokens) -> None:
        if not self._freshness.is_good(tokens) and tokens.refresh_token is not None:
            try:
                tokens = self._refresher.refreshed(tokens)
            except AccountRevokedError:
                return
        self._caller.call(oauth.revoke(self._app, tokens.access_token))

    def _tell(self, account: str, outcome: str, seconds: float) -> None:
        event = TokenRefreshed(transport=NAME, account=account, outcome=outcome, seconds=seconds)
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:
                _LOG.exception("a subscriber failed on %s", type(event).__name__)


def _standard(registry: CollectorRegistry | None, *, metrics: bool) -> tuple[Subscriber, ...]:
    from uploader.instruments import standard_subscribers

    return standard_subscribers(registry, metrics=metrics)


def _state(tokens: AccountTokens, now: float) -> str:
    if tokens.state is AccountState.ACTIVE and (tokens.refresh_expires or now + 1) <= now:
        return "expired"
    return str(tokens.state)
