"""The login: a page, a browser that comes back to a local port, tokens in the store."""

import hashlib
import http.client
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.accounts.scene import accounts_of
from transports.tiktok.accounts import TikTokAccounts
from transports.tiktok.oauth import challenge
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.accounts import MemoryTokenStore
from uploader.errors import AccountError, AccountRevokedError, ConfigurationError, ServerError
from uploader.secret import Secret


def get(url: str) -> tuple[int, str]:
    """Fetch an address and return status and Location, as a browser sees them."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Location", "")
    finally:
        connection.close()


def browser(*before: Callable[[str], object]) -> Callable[[str], None]:
    """Return what shows a page: it consents, does some things first, and comes back."""

    def visit(page: str) -> None:
        _, back = get(page)
        for step in before:
            step(back)
        get(back)

    return lambda page: threading.Thread(target=visit, args=(page,)).start()


@pytest.fixture
def fresh(sandbox: Sandbox) -> TikTokAccounts:
    """Have no account yet."""
    sandbox.oauth.switches.account = "acme"
    return accounts_of(sandbox, MemoryTokenStore())


def test_a_login_ends_with_tokens_that_work(sandbox: Sandbox, fresh: TikTokAccounts) -> None:
    """The sandbox is strict about challenge, state, redirect and verifier."""
    saved = fresh.login("acme", show=browser(), timeout=20)

    assert saved.subject == sandbox.oauth.open_id("acme")
    assert saved.scopes == ("video.publish", "video.upload")
    assert sandbox._book.token(saved.access_token.reveal())
    assert fresh.store.get("tiktok", "acme") == saved


def test_the_challenge_is_hex() -> None:
    """TikTok's desktop rule; RFC 7636 says base64url."""
    assert challenge(Secret("abc")) == hashlib.sha256(b"abc").hexdigest()


def test_strangers_at_the_port_change_nothing(fresh: TikTokAccounts) -> None:
    """Neither a wrong state, nor another path, nor one that says nothing ends the login."""
    answers: list[int] = []

    def knock(back: str) -> None:
        parts = urlsplit(back)
        origin = f"{parts.scheme}://{parts.netloc}"
        targets = (
            f"{origin}/favicon.ico",
            f"{origin}/callback/?{urlencode({'code': 'forged', 'state': 'forged'})}",
            f"{origin}/callback/?{urlencode({'error': 'access_denied'})}",
            f"{origin}/callback/?state=%FF%00",
        )
        answers.extend(get(target)[0] for target in targets)
        silent = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        silent.connect()
        silent.close()

    assert fresh.login("acme", show=browser(knock), timeout=20).subject
    assert answers == [404, 400, 400, 400]


def test_who_declines_is_told_so(sandbox: Sandbox, fresh: TikTokAccounts) -> None:
    """With the word of TikTok's page."""
    sandbox.oauth.switches.consents = False
    with pytest.raises(AccountError, match="access_denied"):
        fresh.login("acme", show=browser(), timeout=20)
    assert fresh.store.list() == []


def test_nobody_comes(fresh: TikTokAccounts) -> None:
    """The wait ends, and the port is free again."""
    pages: list[str] = []
    with pytest.raises(AccountError, match="nobody consented"):
        fresh.login("acme", show=pages.append, timeout=0.01)
    redirect = parse_qs(urlsplit(pages[0]).query)["redirect_uri"][0]
    with pytest.raises(OSError, match="refused"):
        get(redirect)


def test_a_user_may_leave_scopes_out(sandbox: Sandbox, fresh: TikTokAccounts) -> None:
    """What was granted is what is kept."""
    sandbox.oauth.switches.granted = ("video.upload",)
    assert fresh.login("acme", show=browser(), timeout=20).scopes == ("video.upload",)


def test_a_name_stays_with_one_user(sandbox: Sandbox, fresh: TikTokAccounts) -> None:
    """Else one account's posts would go to another's profile."""
    fresh.login("acme", show=browser(), timeout=20)
    fresh.login("acme", show=browser(), timeout=20)
    sandbox.oauth.switches.account = "somebody else"
    with pytest.raises(ConfigurationError, match="another TikTok user"):
        fresh.login("acme", show=browser(), timeout=20)


def test_an_exchange_that_fails_keeps_nothing(sandbox: Sandbox, fresh: TikTokAccounts) -> None:
    """The user logs in again."""
    sandbox.script(Fault("token", status=503))
    with pytest.raises(ServerError):
        fresh.login("acme", show=browser(), timeout=20)
    assert fresh.store.list() == []


def test_a_code_works_once(sandbox: Sandbox, fresh: TikTokAccounts) -> None:
    """Somebody who was faster with it is noticed."""
    with pytest.raises((AccountError, AccountRevokedError)):
        fresh.login("acme", show=browser(lambda back: sandbox.oauth._codes.clear()), timeout=20)


def test_the_callback_is_on_this_machine(fresh: TikTokAccounts) -> None:
    """A code must not travel."""
    with pytest.raises(ConfigurationError, match="this machine"):
        fresh.login("acme", show=browser(), host="example.com")
