"""What the answers of Google's APIs mean, whichever API it is.

Rule: HTTP status and Google's `reason` in, one `TransportError` out. The reason is the vendor code.
Format: https://cloud.google.com/storage/docs/json_api/v1/status-codes
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from transports.statuses import retry_after
from uploader.errors import (
    AuthenticationError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    RejectedError,
    ServerError,
    TransportError,
)
from uploader.http import Response

DOMAIN: Final = "googleapis.com"
LONGEST: Final = 300
"""Characters of a server's own message that an error repeats."""

# https://developers.google.com/youtube/v3/docs/errors and the page above: too fast, for a moment.
_TOO_FAST: Final = frozenset(
    {"rateLimitExceeded", "userRateLimitExceeded", "servingLimitExceeded", "RATE_LIMIT_EXCEEDED"}
)
# Used up until a day or a contract changes: waiting within one upload is in vain.
_USED_UP: Final = frozenset(
    {"quotaExceeded", "dailyLimitExceeded", "uploadLimitExceeded", "limitExceeded"}
)
_CREDENTIAL: Final = frozenset(
    {
        "authError",
        "authenticatedUserAccountClosed",
        "authenticatedUserAccountSuspended",
        "expired",
        "forbidden",
        "insufficientPermissions",
        "required",
        "youtubeSignupRequired",
    }
)
_HINTS: Final = {
    "authError": "the access token is wrong or expired",
    "insufficientPermissions": "the credential lacks the scope that this upload needs",
    "quotaExceeded": "the project's quota is used up: it is renewed at midnight, Pacific time",
    "dailyLimitExceeded": "the project's quota is used up: it is renewed at midnight, Pacific time",
    "uploadLimitExceeded": "the channel may upload no more videos today",
    "youtubeSignupRequired": "the Google account has no YouTube channel",
}


def from_google(
    operation: str, response: Response, *, hints: Mapping[str, str] | None = None
) -> TransportError:
    """Return the error that an answer stands for; `hints` are sentences by Google's reason."""
    status = response.status
    reason, message = _refusal(response)
    text = f"{operation}: Google answered {status}"
    if reason:
        text += f" {reason}"
    if message:
        text += f": {message}"
    kind, recovery = _meaning(status, reason)
    error = kind(
        text,
        operation=operation,
        status=status,
        vendor_code=reason,
        retry_after=retry_after(response),
        recovery=recovery,
        ambiguous=False if 300 <= status < 400 else None,
    )
    hint = {**_HINTS, **(hints or {})}.get(reason or "")
    return error.hint(hint) if hint else error


def _meaning(status: int, reason: str | None) -> tuple[type[TransportError], Recovery | None]:
    if reason in _TOO_FAST:
        return RateLimitedError, None
    if reason in _USED_UP:
        return RateLimitedError, Recovery.NONE
    if status == 429:
        return RateLimitedError, None
    if status == 401 or (status == 403 and (reason is None or reason in _CREDENTIAL)):
        return AuthenticationError, None
    # 408 is to be tried again like a 5xx: https://cloud.google.com/storage/docs/retry-strategy
    if status >= 500 or status == 408:
        return ServerError, None
    if status >= 400 and status != 499:
        return RejectedError, None
    return ProtocolError, None


def _refusal(response: Response) -> tuple[str | None, str]:
    """Return Google's reason and message, of the newer and of the older form."""
    try:
        error = json.loads(response.content)["error"]
        if not isinstance(error, dict):
            return str(error)[:LONGEST], ""
        listed = error.get("errors")
        first = listed[0] if isinstance(listed, list) and listed else {}
        reason = first.get("reason") or error.get("status")
        message = str(error.get("message") or first.get("message") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, ""
    # The name of a session is what opens it.
    if "upload_id" in message:
        message = ""
    return (str(reason)[:LONGEST] if reason else None), message[:LONGEST]


def resource(operation: str, response: Response) -> dict[str, Any]:
    """Return the JSON object that a successful answer is, or raise `ProtocolError`."""
    try:
        found = json.loads(response.content)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    raise ProtocolError(
        f"{operation}: answered {response.status} with {len(response.content):,} bytes that are no"
        " JSON object",
        operation=operation,
        status=response.status,
    )
