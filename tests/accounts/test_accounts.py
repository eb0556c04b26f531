"""Tokens are fresh when they are used, rotated ones are stored first, and what ended is said."""

import threading
from dataclasses import replace

import pytest

from tests.accounts.scene import accounts_of, kept
from transports.tiktok.accounts import TikTokAccounts
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.accounts import MemoryTokenStore
from uploader.errors import (
    AccountError,
    AccountRevokedError,
    ConfigurationError,
    NetworkError,
    ServerError,
    TokenStoreError,
)
from uploader.events import Event, TokenRefreshed
from uploader.http import Request, Response
from uploader.tokens import AccountState, AccountTokens

REQUEST = Request("status", "POST", "https://open.example/", auth="bearer")
UNAUTHORISED = Response(401, {}, b'{"data":{},"error":{"code":"access_token_invalid"}}')


class BrokenStore(MemoryTokenStore):
    """A store whose disk is full for so many saves."""

    full = 0

    def save(self, tokens: AccountTokens) -> AccountTokens:
        if self.full:
            self.full -= 1
            raise TokenStoreError("the disk is full")
        return super().save(tokens)


def signature(accounts: TikTokAccounts, account: str = "acme") -> str:
    """Return the header that a request of the account gets."""
    value = accounts("tiktok", account).sign(REQUEST)["Authorization"]
    assert not isinstance(value, str)
    return value.reveal()


def stored(store: MemoryTokenStore) -> AccountTokens:
    """Return the account's tokens."""
    found = store.get("tiktok", "acme")
    assert found is not None
    return found


def test_a_fresh_token_is_used_as_it_is(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """Nobody is asked."""
    assert signature(accounts) == f"Bearer {stored(store).access_token.reveal()}"
    assert sandbox.requests == []


@pytest.mark.parametrize("left", [600, 60, 0, -1, -86_400])
def test_a_token_near_its_end_is_refreshed_before_it_signs(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore, left: int
) -> None:
    """By the lifetime that came with it, and once."""
    before = stored(store)
    sandbox.clock.advance(7200 - left)

    signatures = {signature(accounts) for _ in range(3)}

    after = stored(store)
    assert signatures == {f"Bearer {after.access_token.reveal()}"}
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    assert after.expires == pytest.approx(sandbox.clock.now() + 7200, abs=5)
    assert sandbox.oauth.refreshes == ["acme"]


def test_a_token_of_another_life_is_refreshed_by_that(
    sandbox: Sandbox, store: MemoryTokenStore, accounts: TikTokAccounts
) -> None:
    """A token of 24 hours serves for 23, one of a minute for most of it."""
    for life, serves in ((86_400.0, 82_000.0), (60.0, 50.0)):
        sandbox.oauth.switches.access_seconds = life
        kept(store, sandbox.oauth.consent("acme"), sandbox.clock.now())
        known = signature(accounts)
        sandbox.clock.advance(serves)
        assert signature(accounts) == known
        sandbox.clock.advance(life - serves)
        assert signature(accounts) != known


def test_the_rotated_token_is_stored_before_it_signs(
    sandbox: Sandbox,
) -> None:
    """What cannot be stored does not sign, and is stored first when the disk is free again."""
    store = BrokenStore()
    kept(store, sandbox.oauth.consent("acme"), sandbox.clock.now() - 7200)
    accounts = accounts_of(sandbox, store)
    store.full = 2

    for _ in range(2):
        with pytest.raises(TokenStoreError):
            accounts("tiktok", "acme")

    assert signature(accounts) == f"Bearer {stored(store).access_token.reveal()}"
    assert sandbox.oauth.refreshes == ["acme"]


def test_threads_refresh_once(sandbox: Sandbox, accounts: TikTokAccounts) -> None:
    """Sixteen that ask at once get one token."""
    sandbox.clock.advance(7200)
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(signature(accounts))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 16
    assert len(set(got)) == 1
    assert sandbox.oauth.refreshes == ["acme"]


def test_a_refused_token_is_refreshed_once(sandbox: Sandbox, accounts: TikTokAccounts) -> None:
    """However many requests it was refused for."""
    credentials = [accounts("tiktok", "acme") for _ in range(3)]
    for credential in credentials:
        credential.learn(UNAUTHORISED)

    renewed = signature(accounts)
    credentials[0].learn(UNAUTHORISED)  # late: it was about the token of before

    assert signature(accounts) == renewed
    assert sandbox.oauth.refreshes == ["acme"]


@pytest.mark.parametrize(
    "answer",
    [
        Response(401, {}, b'{"error":{"code":"scope_not_authorized"}}'),
        Response(403, {}, b'{"error":{"code":"spam_risk_too_many_posts"}}'),
    ],
)
def test_what_no_refresh_heals_is_not_refreshed(
    sandbox: Sandbox, accounts: TikTokAccounts, answer: Response
) -> None:
    """A missing scope stays missing."""
    accounts("tiktok", "acme").learn(answer)
    signature(accounts)
    assert sandbox.oauth.refreshes == []


def test_a_revoked_account_is_said_to_be_one(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """With what to do about it; it is asked for once, and its tokens are gone."""
    sandbox.oauth.revoke_account("acme")
    accounts("tiktok", "acme").learn(UNAUTHORISED)

    for _ in range(3):
        with pytest.raises(AccountRevokedError, match="acme") as told:
            accounts("tiktok", "acme")
        assert told.value.vendor_code == "invalid_grant"
        assert "uploader account login acme" in told.value.hints[0]
    assert [record.operation for record in sandbox.requests] == ["token"]
    assert stored(store).state is AccountState.REVOKED
    assert stored(store).refresh_token is None
    assert accounts.states() == {"active": 0, "expired": 0, "revoked": 1}


def test_a_login_meanwhile_wins_over_a_refusal(sandbox: Sandbox, store: MemoryTokenStore) -> None:
    """What somebody else stored while the refresh was refused is used, not thrown away."""
    accounts = accounts_of(sandbox, store)
    sandbox.oauth.revoke_account("acme")
    stale = stored(store)
    kept(store, sandbox.oauth.consent("acme"), sandbox.clock.now())

    assert accounts._refresher.ended(stale, "invalid_grant") == stored(store)
    assert stored(store).state is AccountState.ACTIVE


@pytest.mark.parametrize("fault", [{"status": 503}, {"lose_request": True}, {"status": 429}])
def test_a_refresh_that_fails_early_harms_nothing(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore, fault: dict[str, object]
) -> None:
    """The old token signs as long as it lives, and the server is left alone for a while."""
    sandbox.clock.advance(7000)
    sandbox.script(Fault("token", **fault))  # type: ignore[arg-type]

    assert {signature(accounts) for _ in range(3)} == {
        f"Bearer {stored(store).access_token.reveal()}"
    }
    assert len(sandbox.requests) == 1

    sandbox.clock.advance(31)
    signature(accounts)
    assert sandbox.oauth.refreshes == ["acme"]


@pytest.mark.parametrize(
    ("fault", "kind"), [({"status": 503}, ServerError), ({"lose_request": True}, NetworkError)]
)
def test_a_refresh_that_fails_late_is_an_error_that_proves_nothing_was_posted(
    sandbox: Sandbox,
    accounts: TikTokAccounts,
    fault: dict[str, object],
    kind: type[ServerError | NetworkError],
) -> None:
    """The engine may try again whatever the request was that it should have signed."""
    sandbox.clock.advance(7200)
    sandbox.script(Fault("token", **fault))  # type: ignore[arg-type]

    with pytest.raises(kind) as told:
        accounts("tiktok", "acme")

    assert not told.value.ambiguous
    signature(accounts)


def test_a_lost_answer_is_survived_in_the_grace(sandbox: Sandbox, accounts: TikTokAccounts) -> None:
    """Where the rotated token works on for a while, asking again heals."""
    sandbox.oauth.switches.grace_seconds = 60.0
    sandbox.clock.advance(7200)
    sandbox.script(Fault("token", lose_answer=True))

    with pytest.raises(NetworkError):
        accounts("tiktok", "acme")

    signature(accounts)


def test_a_lost_answer_without_a_grace_ends_the_consent(
    sandbox: Sandbox, accounts: TikTokAccounts
) -> None:
    """Nobody has the new token: it is said, not tried for ever."""
    sandbox.clock.advance(7200)
    sandbox.script(Fault("token", lose_answer=True))
    with pytest.raises(NetworkError):
        accounts("tiktok", "acme")

    with pytest.raises(AccountRevokedError):
        accounts("tiktok", "acme")


def test_a_wrong_client_secret_revokes_nobody(sandbox: Sandbox, store: MemoryTokenStore) -> None:
    """It is the operator's mistake: the account stays as it is."""
    accounts = accounts_of(sandbox, store)
    sandbox.oauth.client_secret = "another"
    sandbox.clock.advance(7200)

    with pytest.raises(AccountError, match="invalid_client") as told:
        accounts("tiktok", "acme")

    assert not isinstance(told.value, AccountRevokedError)
    assert stored(store).state is AccountState.ACTIVE


def test_without_rotation_the_refresh_token_stays(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """As it was before November 2026."""
    sandbox.oauth.switches.rotation = "never"
    before = stored(store)
    sandbox.clock.advance(7200)
    signature(accounts)
    assert stored(store).refresh_token == before.refresh_token


def test_who_is_unknown_is_told_to_log_in(accounts: TikTokAccounts) -> None:
    """By name; and no name, or another transport, is the caller's mistake."""
    with pytest.raises(AccountError, match="nobody") as told:
        accounts("tiktok", "nobody")
    assert "login nobody" in told.value.hints[0]
    with pytest.raises(ConfigurationError):
        accounts("tiktok", None)
    with pytest.raises(ConfigurationError):
        accounts("elsewhere", "acme")


def test_refreshes_are_told_as_events(sandbox: Sandbox, store: MemoryTokenStore) -> None:
    """Good and bad ones; a subscriber that fails changes nothing."""
    seen: list[Event] = []

    def fails(event: Event) -> None:
        raise ZeroDivisionError

    accounts = accounts_of(sandbox, store, subscribers=[fails, seen.append])
    sandbox.clock.advance(7200)
    signature(accounts)
    sandbox.oauth.revoke_account("acme")
    sandbox.clock.advance(7200)
    with pytest.raises(AccountRevokedError):
        accounts("tiktok", "acme")

    assert [type(event) for event in seen] == [TokenRefreshed, TokenRefreshed]
    assert [getattr(event, "outcome", None) for event in seen] == ["refreshed", "account_revoked"]


def test_a_withdrawn_consent_is_recorded(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """By TikTok's own id of the user, as webhooks tell it."""
    assert accounts.withdrawn(stored(store).subject, "authorization.removed") == "acme"
    assert accounts.withdrawn("-000nobody", "authorization.removed") is None
    with pytest.raises(AccountRevokedError):
        accounts("tiktok", "acme")


def test_an_account_is_taken_over_by_its_refresh_token(sandbox: Sandbox) -> None:
    """Whoever had the token before can no longer use it, and a name stays with one user."""
    store = MemoryTokenStore()
    accounts = accounts_of(sandbox, store)
    given = str(sandbox.oauth.consent("acme")["refresh_token"])

    saved = accounts.add("acme", given)

    assert saved.subject == sandbox.oauth.open_id("acme")
    assert signature(accounts)
    with pytest.raises(AccountRevokedError):
        accounts.add("acme", given)
    with pytest.raises(ConfigurationError, match="another TikTok user"):
        accounts.add("acme", str(sandbox.oauth.consent("other")["refresh_token"]))


def test_revoking_gives_the_consent_back(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """TikTok takes none of its tokens any more, and none is kept."""
    token = stored(store).access_token.reveal()

    assert accounts.revoke("acme")

    assert store.get("tiktok", "acme") is None
    assert sandbox._book.token(token) is None


def test_an_expired_account_is_revoked_after_a_refresh(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """An access token that has expired revokes nothing."""
    sandbox.clock.advance(7200)
    assert accounts.revoke("acme")
    assert [record.operation for record in sandbox.requests] == ["token", "revoke"]
    assert store.get("tiktok", "acme") is None


def test_what_could_not_be_revoked_is_kept(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """Else nobody could give the consent back any more."""
    sandbox.script(Fault("revoke", status=503))
    with pytest.raises(ServerError):
        accounts.revoke("acme")
    assert store.get("tiktok", "acme") is not None


def test_a_lapsed_consent_counts_as_expired(
    sandbox: Sandbox, accounts: TikTokAccounts, store: MemoryTokenStore
) -> None:
    """Half a year without a refresh."""
    store.save(replace(stored(store), refresh_expires=sandbox.clock.now() - 1))
    assert accounts.states() == {"active": 0, "expired": 1, "revoked": 0}
