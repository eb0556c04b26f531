"""Every refusal of the token endpoints is typed, and none says that something was posted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.tiktok.answers import run
from transports.tiktok import oauth
from transports.tiktok.oauth import App
from uploader.errors import (
    AccountError,
    AccountRevokedError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    ServerError,
    TransportError,
)
from uploader.http import Response
from uploader.secret import Secret
from uploader.transport import Flow

APP = App(client_key="key", client_secret=Secret("app-secret-5f2c"))
TOKEN = Secret("rft.0123456789")
FLOWS: dict[str, Callable[[], Flow[Any]]] = {
    "exchange": lambda: oauth.exchange(
        APP, code=Secret("the-code"), verifier=Secret("v" * 43), redirect_uri="http://127.0.0.1/cb/"
    ),
    "refresh": lambda: oauth.refresh(APP, TOKEN),
    "revoke": lambda: oauth.revoke(APP, TOKEN),
}
# https://developers.tiktok.com/doc/oauth-error-handling
CODES: dict[str, type[TransportError]] = {
    "access_denied": AccountRevokedError,
    "invalid_client": AccountError,
    "invalid_grant": AccountRevokedError,
    "invalid_request": AccountError,
    "invalid_scope": AccountError,
    "server_error": ServerError,
    "temporarily_unavailable": ServerError,
    "unauthorized_client": AccountError,
    "unsupported_grant_type": AccountError,
    "unsupported_response_type": AccountError,
    "rate_limit_exceeded": RateLimitedError,
}


@pytest.mark.parametrize("operation", FLOWS)
@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize("code", CODES)
def test_each_code_of_each_endpoint_is_typed(operation: str, status: int, code: str) -> None:
    """Under whatever status; the code is kept, the app's secret and the tokens are not told."""
    said = {"error": code, "error_description": "no", "log_id": "LOG7"}
    with pytest.raises(TransportError) as caught:
        run(FLOWS[operation](), [Response(status, {}, json.dumps(said).encode())])
    error = caught.value
    assert type(error) is CODES[code]
    assert (error.vendor_code, error.status, error.ambiguous) == (code, status, False)
    for secret in ("5f2c", "rft.", "the-code"):
        assert secret not in f"{error!r} {error.to_dict()} {error.hints}"


@pytest.mark.parametrize("operation", ["exchange", "refresh"])
@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"", ProtocolError),
        (200, b"<html>", ProtocolError),
        (200, b"[" * 50_000, ProtocolError),
        (200, b'{"access_token": ""}', ProtocolError),
        (200, b'{"access_token": 7}', ProtocolError),
        (200, b'{"access_token": "line\\nfeed"}', ProtocolError),
        (200, b'{"data": {"access_token": "x"}}', ProtocolError),
        (302, b"", ProtocolError),
        (400, b"", AccountError),
        (404, b"<html>", AccountError),
        (429, b"", RateLimitedError),
        (500, b"", ServerError),
        (503, b'{"error": {"code": "internal_error"}}', ServerError),
        (200, b'{"error": {"code": "access_token_invalid"}}', TransportError),
        (200, b'{"error": "a_code_of_tomorrow"}', AccountError),
        (200, b'{"error": {"code": {}}}', TransportError),
    ],
)
def test_each_undocumented_answer_is_typed(
    operation: str, status: int, content: bytes, kind: type[TransportError]
) -> None:
    """Garbage, gateways and envelopes of elsewhere."""
    with pytest.raises(kind) as caught:
        run(FLOWS[operation](), [Response(status, {}, content)])
    assert caught.value.operation == "token"
    assert caught.value.ambiguous is False
    assert caught.value.recovery in Recovery


def test_tokens_need_no_more_than_a_token() -> None:
    """What is missing is unknown; odd lifetimes count as unknown, never as an exception."""
    odds: tuple[object, ...] = (None, True, [], "soon", -1, 1e300, "3600")
    for odd in odds:
        said = {"access_token": "act.x", "expires_in": odd, "scope": None, "open_id": None}
        _, grant = run(oauth.refresh(APP, TOKEN), [Response(200, {}, json.dumps(said).encode())])
        assert grant.access_token == Secret("act.x")
        assert grant.expires_in == (3600.0 if odd == "3600" else None)
