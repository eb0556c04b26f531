"""TikTok's login: consent, exchange of a code, refresh with rotation, revocation.

Rule: strict, on the sandbox's clock. Success is flat JSON without an envelope; so are refusals.
https://developers.tiktok.com/doc/oauth-user-access-token-management
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from transports.tiktok.sandbox.book import SCOPES, Book, Token

PATHS: Mapping[str, str] = {"/v2/oauth/token/": "token", "/v2/oauth/revoke/": "revoke"}
AUTHORIZE_PATH = "/v2/auth/authorize/"
_CODE_SECONDS = 600.0
_CHALLENGE = re.compile(r"[0-9a-f]{64}", re.ASCII)  # the desktop rule: SHA-256 in hex
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)  # RFC 7636, 4.1

Answer = tuple[int, dict[str, object]]


@dataclass(kw_only=True, slots=True)
class OAuthSwitches:
    """How logins and tokens behave; a test may change each at any time. Seconds on the clock."""

    access_seconds: float = 7200.0
    """Since November 2026; 24 hours before."""
    refresh_seconds: float = 180 * 86_400.0
    """Since November 2026; 365 days before."""
    rotation: Literal["always", "never"] = "always"
    """Whether a refresh answers a new refresh token and ends the old one."""
    grace_seconds: float = 0.0
    """How long a refresh token works on after it was rotated; nothing is documented."""
    error_status: int = 400
    """The HTTP status of refusals; their body says what it is about."""
    consents: bool = True
    """Whether the user on the page agrees."""
    granted: tuple[str, ...] | None = None
    """Scopes that the user leaves; None: all that were asked for."""
    account: str = "sandbox-creator"
    """Who consents on the page."""


@dataclass(slots=True)
class _Grant:
    """One consent; `refresh` is the token that works now."""

    account: str
    scopes: tuple[str, ...]
    refresh: str = field(repr=False, default="")
    refresh_ends: float = 0.0
    access: list[str] = field(repr=False, default_factory=list)


@dataclass(slots=True)
class _Code:
    scopes: tuple[str, ...]
    account: str
    redirect_uri: str
    challenge: str
    ends: float


class OAuth:
    """Issue, rotate and revoke the tokens of one sandbox. `refreshes` counts what was refreshed."""

    def __init__(self, book: Book) -> None:
        self.client_key = f"sbx{secrets.token_hex(6)}"
        self.client_secret = secrets.token_hex(16)
        self.switches = OAuthSwitches()
        self.refreshes: list[str] = []
        self._book = book
        self._grants: dict[str, _Grant] = {}
        self._rotated: dict[str, tuple[_Grant, float]] = {}
        self._codes: dict[str, _Code] = {}

    # -- what a test asks for --------------------------------------------------------------------

    def consent(
        self, account: str = "sandbox-creator", scopes: Iterable[str] = SCOPES
    ) -> dict[str, object]:
        """Return tokens of an account as the token endpoint answers them, without a login."""
        return self._issue(_Grant(account, tuple(scopes)))

    def revoke_account(self, account: str) -> None:
        """End every consent of an account, as its owner does in the app."""
        for grant in {id(each): each for each in self._grants.values()}.values():
            if grant.account == account:
                self._end(grant)

    def open_id(self, account: str) -> str:
        """Return the id of an account for this client."""
        return f"-000{hashlib.sha256(f'{self.client_key} {account}'.encode()).hexdigest()[:32]}"

    # -- the page --------------------------------------------------------------------------------

    def authorize(self, query: str) -> str | None:
        """Return where the user's browser is sent, None when the page shows an error instead."""
        asked = dict(parse_qsl(query))
        redirect = asked.get("redirect_uri", "")
        faults = self._page_faults(asked, redirect)
        for fault in faults:
            self._book.violation(f"authorize: {fault}")
        if faults:
            return None
        facts = {"state": asked["state"]}
        if not self.switches.consents:
            facts |= {"error": "access_denied", "error_description": "User denied"}
            return f"{redirect}?{urlencode(facts)}"
        wanted = tuple(asked["scope"].split(","))
        scopes = wanted if self.switches.granted is None else self.switches.granted
        code = f"{secrets.token_urlsafe(24)}*!6121"  # real ones end so, and need URL-encoding
        self._codes[code] = _Code(
            scopes,
            self.switches.account,
            redirect,
            asked["code_challenge"],
            self._book.clock.now() + _CODE_SECONDS,
        )
        return f"{redirect}?{urlencode(facts | {'code': code, 'scopes': ','.join(scopes)})}"

    def _page_faults(self, asked: Mapping[str, str], redirect: str) -> list[str]:
        host = urlsplit(redirect).hostname
        checks = {
            "the client_key is not this client's": asked.get("client_key") == self.client_key,
            "response_type is not code": asked.get("response_type") == "code",
            "there is no state": bool(asked.get("state")),
            "scope is not a list with commas": set(asked.get("scope", "").split(","))
            <= {*SCOPES, "user.info.basic"},
            "redirect_uri is not a loopback address": host in ("127.0.0.1", "localhost"),
            "redirect_uri has a query or fragment": not urlsplit(redirect).query
            and "#" not in redirect,
            "code_challenge is not a SHA-256 in hex": bool(
                _CHALLENGE.fullmatch(asked.get("code_challenge", ""))
            ),
            "code_challenge_method is not S256": asked.get("code_challenge_method") == "S256",
        }
        return [fault for fault, holds in checks.items() if not holds]

    # -- the endpoints ---------------------------------------------------------------------------

    def call(self, operation: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        """Answer the token or the revoke endpoint."""
        status, answer = self._answer(operation, body, content_type)
        return status, json.dumps(answer).encode()

    def _answer(self, operation: str, body: bytes, content_type: str) -> Answer:
        if content_type != "application/x-www-form-urlencoded":
            return self._refusal("invalid_request", f"the body is {content_type}, not a form")
        fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        form = {name: values[0] for name, values in fields.items()}
        given = (form.get("client_key"), form.get("client_secret"))
        if given != (self.client_key, self.client_secret):
            return self._refusal("invalid_client", "client_key or client_secret is wrong")
        if operation == "revoke":
            return self._revoke(form)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
        return self._refusal("unsupported_grant_type", "the grant type is not supported")

    def _exchange(self, form: Mapping[str, str]) -> Answer:
        code = self._codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        if code is None or self._book.clock.now() >= code.ends:
            return self._refusal("invalid_grant", "the code is expired or used")
        if form.get("redirect_uri") != code.redirect_uri:
            return self._refusal("invalid_request", "redirect_uri is not the one of the page")
        fits = hashlib.sha256(verifier.encode()).hexdigest() == code.challenge
        if not _VERIFIER.fullmatch(verifier) or not fits:
            return self._refusal("invalid_request", "code_verifier does not fit")
        return 200, self._issue(_Grant(code.account, code.scopes))

    def _refresh(self, form: Mapping[str, str]) -> Answer:
        value, now = form.get("refresh_token", ""), self._book.clock.now()
        grant = self._grants.get(value)
        if grant is None and value in self._rotated and now < self._rotated[value][1]:
            grant = self._rotated[value][0]
        if grant is None or now >= grant.refresh_ends:
            return self._refusal("invalid_grant", "the refresh token is invalid or expired")
        self.refreshes.append(grant.account)
        return 200, self._issue(grant)

    def _revoke(self, form: Mapping[str, str]) -> Answer:
        for grant in {id(each): each for each in self._grants.values()}.values():
            if form.get("token") in (*grant.access, grant.refresh):
                self._end(grant)
                return 200, {}
        return self._refusal("invalid_request", "there is no such token")

    # -- tokens ----------------------------------------------------------------------------------

    def _issue(self, grant: _Grant) -> dict[str, object]:
        switches, now = self.switches, self._book.clock.now()
        if not grant.refresh or switches.rotation == "always":
            if grant.refresh:
                self._grants.pop(grant.refresh, None)
                self._rotated[grant.refresh] = (grant, now + switches.grace_seconds)
            grant.refresh = f"rft.sandbox.{secrets.token_hex(24)}"
            grant.refresh_ends = now + switches.refresh_seconds
            self._grants[grant.refresh] = grant
        access = f"act.sandbox.{secrets.token_hex(24)}"
        grant.access.append(access)
        self._book.issue_token(
            Token(
                account=grant.account,
                scopes=frozenset(grant.scopes),
                private=False,
                expires=now + switches.access_seconds,
                value=access,
            )
        )
        return {
            "access_token": access,
            "expires_in": int(switches.access_seconds),
            "open_id": self.open_id(grant.account),
            "refresh_expires_in": int(grant.refresh_ends - now),
            "refresh_token": grant.refresh,
            "scope": ",".join(grant.scopes),
            "token_type": "Bearer",
        }

    def _end(self, grant: _Grant) -> None:
        self._grants.pop(grant.refresh, None)
        self._rotated = {old: (g, end) for old, (g, end) in self._rotated.items() if g is not grant}
        for token in grant.access:
            self._book.revoke_token(token)

    def _refusal(self, code: str, description: str) -> Answer:
        log_id = secrets.token_hex(17).upper()
        facts: dict[str, object] = {"error": code, "error_description": description}
        return self.switches.error_status, facts | {"log_id": log_id}
