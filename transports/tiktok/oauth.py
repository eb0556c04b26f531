"""TikTok's login and its tokens: the page's address, and the calls that give and take tokens.

Rule: pure. Lifetimes are those of the answer, never assumed. Answers are flat JSON, refusals too,
and of a refusal only the code is repeated: its description may echo what was sent.
https://developers.tiktok.com/doc/oauth-user-access-token-management
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from transports.statuses import retry_after
from transports.tiktok.hosts import API_URL
from uploader.errors import (
    AccountError,
    AccountRevokedError,
    ConfigurationError,
    ProtocolError,
    RateLimitedError,
    ServerError,
    TransportError,
)
from uploader.http import Request, Response
from uploader.secret import Secret, masks
from uploader.transport import Flow

AUTHORIZE_URL: Final = "https://www.tiktok.com/v2/auth/authorize/"
AUTHORIZE_PATH: Final = "/v2/auth/authorize/"
TOKEN_PATH: Final = "/v2/oauth/token/"  # noqa: S105 - a path
REVOKE_PATH: Final = "/v2/oauth/revoke/"
SCOPES: Final = ("video.publish", "video.upload")
"""Direct posts and creator info want the first, drafts the second."""
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_CODE: Final = re.compile(r"[a-z_]{1,64}", re.ASCII)
_ENDED: Final = frozenset({"invalid_grant", "access_denied"})
_BUSY: Final = frozenset({"internal_error", "server_error", "temporarily_unavailable"})


@masks("client_secret")
@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A client of TikTok's, as its developer portal names it."""

    client_key: str
    client_secret: Secret
    base_url: str = API_URL

    def __post_init__(self) -> None:
        if not self.client_key or not self.client_secret:
            raise ConfigurationError("the client key or the client secret is empty").hint(
                "both stand on the app's page in TikTok's developer portal"
            )

    @property
    def authorize_url(self) -> str:
        """Where a user consents: a page of TikTok's, or the sandbox's own."""
        return AUTHORIZE_URL if self.base_url == API_URL else f"{self.base_url}{AUTHORIZE_PATH}"


@masks("access_token", "refresh_token")
@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What the token endpoint gave. Lifetimes are in seconds from the answer on."""

    access_token: Secret
    refresh_token: Secret | None = None
    expires_in: float | None = None
    refresh_expires_in: float | None = None
    scopes: tuple[str, ...] = ()
    open_id: str = field(default="", repr=False)


def challenge(verifier: Secret) -> str:
    """Return the PKCE challenge of a verifier.

    Hex, as TikTok's desktop rule wants it, and not base64url as in RFC 7636.
    https://developers.tiktok.com/doc/login-kit-desktop
    """
    return hashlib.sha256(verifier.reveal().encode()).hexdigest()


def page(
    app: App, *, redirect_uri: str, state: str, verifier: Secret, scopes: Sequence[str]
) -> str:
    """Return the address of the page on which a user consents. It holds no secret."""
    asked = {
        "client_key": app.client_key,
        "response_type": "code",
        "scope": ",".join(scopes),
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    return f"{app.authorize_url}?{urlencode(asked)}"


def exchange(app: App, *, code: Secret, verifier: Secret, redirect_uri: str) -> Flow[Grant]:
    """Turn the code of a consent into tokens. `redirect_uri` must be the page's, to the letter."""
    response = yield _form(
        app,
        "token",
        TOKEN_PATH,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        },
    )
    return _grant("token", response)


def refresh(app: App, refresh_token: Secret) -> Flow[Grant]:
    """Ask for new tokens. The refresh token that is given may be dead as soon as this is sent."""
    response = yield _form(
        app, "token", TOKEN_PATH, {"grant_type": "refresh_token", "refresh_token": refresh_token}
    )
    return _grant("token", response)


def revoke(app: App, access_token: Secret) -> Flow[None]:
    """Give a consent back, with every token of it."""
    response = yield _form(app, "revoke", REVOKE_PATH, {"token": access_token})
    code = _error_of(response)
    if response.status >= 300 or code:
        raise refusal("revoke", response, code)


def _form(app: App, operation: str, path: str, fields: Mapping[str, str | Secret]) -> Request:
    shown = {"client_key": app.client_key, "client_secret": app.client_secret, **fields}
    return Request(
        operation,
        "POST",
        f"{app.base_url}{path}",
        headers={"Content-Type": FORM_TYPE, "Cache-Control": "no-cache"},
        content=urlencode(
            [
                (name, value.reveal() if isinstance(value, Secret) else value)
                for name, value in shown.items()
            ]
        ).encode(),
        fresh=True,
    )


def _grant(operation: str, response: Response) -> Grant:
    code = _error_of(response)
    if response.status != 200 or code:
        raise refusal(operation, response, code)
    grant = _read(response)
    if grant is None:
        raise ProtocolError(
            f"{operation}: answered 200 with {len(response.content):,} bytes that are no tokens",
            operation=operation,
            status=200,
            ambiguous=False,
        )
    return grant


def _read(response: Response) -> Grant | None:
    """Return the tokens; `None` when there are none. No frame that raises holds the answer."""
    try:
        facts = json.loads(response.content)
        refreshed = facts.get("refresh_token")
        grant = Grant(
            access_token=Secret(facts["access_token"]),
            refresh_token=Secret(refreshed) if refreshed else None,
            expires_in=_seconds(facts.get("expires_in")),
            refresh_expires_in=_seconds(facts.get("refresh_expires_in")),
            scopes=tuple(filter(None, str(facts.get("scope") or "").split(","))),
            open_id=str(facts.get("open_id") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    fits = grant.access_token.fits_a_header()
    return grant if grant.access_token and fits else None


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 < seconds < 1e10 else None


def _error_of(response: Response) -> str:
    """Return the code of a refusal, "" where there is none: it comes under 200 as well."""
    try:
        code = json.loads(response.content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    # The API's own envelope was seen here, too.
    code = code.get("code") if isinstance(code, Mapping) else code
    return "" if code == "ok" else str(code) if _CODE.fullmatch(str(code)) else "unreadable"


def refusal(operation: str, response: Response, code: str) -> TransportError:
    """Return the error of an answer that gave no tokens. None of them may have posted anything."""
    status = response.status
    facts: dict[str, Any] = {
        "operation": operation,
        "status": status,
        "vendor_code": code or None,
        "retry_after": retry_after(response),
        "ambiguous": False,
    }
    text = f"{operation}: TikTok answered {status}{f' {code}' if code else ''}"
    if status == 429 or code == "rate_limit_exceeded":
        return RateLimitedError(text, **facts)
    if code in _ENDED:
        return AccountRevokedError(text, **facts).hint(
            "the consent was revoked or has expired: log the account in again"
        )
    if status >= 500 or code in _BUSY:
        return ServerError(text, **facts)
    if 300 <= status < 400:
        return ProtocolError(f"{text}: redirects are refused", **facts)
    return AccountError(text, **facts).hint(
        "look at the client key, the client secret, the redirect URI and the scopes of the app"
    )
