"""What TikTok's answers mean.

Rule: HTTP status and vendor code in, one `TransportError` out. An API call has succeeded only when
`error.code` is "ok": TikTok answers refusals with 200 as well, and answers of the upload host have
no envelope at all.
"""

from __future__ import annotations

import json
from typing import Any

from uploader.errors import (
    AuthenticationError,
    OffsetMismatchError,
    ProtocolError,
    RateLimitedError,
    RejectedError,
    ServerError,
    SessionExpiredError,
    TransportError,
)
from uploader.http import Response

_AUTHENTICATION = frozenset(
    {"access_token_invalid", "scope_not_authorized", "scope_permission_missed"}
)
_RATE = frozenset({"rate_limit_exceeded"})

_HINTS = {
    "access_token_invalid": "the access token is wrong or expired: log the account in again",
    "scope_not_authorized": "the account has not granted the scope video.publish",
    "scope_permission_missed": "the app lacks the scope video.publish",
    "spam_risk_too_many_posts": "the creator's daily limit of API posts is reached: try tomorrow",
    "spam_risk_user_banned_from_posting": "TikTok has banned this creator from posting",
    "reached_active_user_cap": "the app's quota of active users for 24 hours is used up",
    "unaudited_client_can_only_post_to_private_accounts": (
        "until TikTok has audited the app, the account must be private and the post SELF_ONLY"
    ),
    "privacy_level_option_mismatch": "the creator does not offer this privacy level now",
    "invalid_params": "TikTok refused the request's fields; its message says which",
    "invalid_param": "TikTok refused the request's fields; its message says which",
}

_FAIL_REASONS = {
    "file_format_check_failed": "the video's format is not taken: use MP4, MOV or WebM",
    "duration_check_failed": "the video is longer than this creator may post",
    "frame_rate_check_failed": "the frame rate must be 23 to 60 frames a second",
    "picture_size_check_failed": "each side must have 360 to 4096 pixels",
    "internal": "TikTok failed on its side: the post may be tried again",
    "publish_cancelled": "the post was cancelled",
    "auth_removed": "the creator has removed the app's access",
    "spam_risk_too_many_posts": "the creator's daily limit of API posts is reached",
    "spam_risk_user_banned_from_posting": "TikTok has banned this creator from posting",
    "spam_risk_text": "TikTok takes the text for spam",
    "spam_risk": "TikTok takes the post for spam",
}


def envelope(operation: str, response: Response) -> dict[str, Any]:
    """Return `data` of a successful API answer, or raise the error that it stands for."""
    refusal = _refusal(response)
    if refusal is None:
        if response.status >= 300:
            raise from_api(operation, response, "", "", None)
        raise ProtocolError(
            f"{operation}: answered {response.status} with {len(response.content):,} bytes that"
            " are no answer of the API",
            operation=operation,
            status=response.status,
        )
    code, message, log_id = refusal
    if code != "ok" or response.status != 200:
        raise from_api(operation, response, code, message, log_id)
    return dict(json.loads(response.content).get("data") or {})


def _refusal(response: Response) -> tuple[str, str, str | None] | None:
    """Return code, message and log id; `None` when the answer is no envelope.

    No frame that raises holds the parsed answer: it may have an upload URL in it.
    """
    try:
        answer = json.loads(response.content)
        error = answer["error"]
        code = error["code"]
        if not isinstance(code, str) or not isinstance(answer.get("data") or {}, dict):
            return None
        # The field tables call it `logid`, every example `log_id`.
        log_id = error.get("log_id") or error.get("logid")
        return code, str(error.get("message") or ""), str(log_id) if log_id else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def from_api(
    operation: str, response: Response, code: str, message: str, log_id: str | None
) -> TransportError:
    """Return the error for an API call that did not succeed."""
    status = response.status
    text = f"{operation}: TikTok answered {status}"
    if code:
        text += f" {code}"
    if message:
        text += f": {message}"
    kind: type[TransportError]
    if status == 429 or code in _RATE:
        kind = RateLimitedError
    elif status == 401 or code in _AUTHENTICATION:
        kind = AuthenticationError
    elif status >= 500 or code == "internal_error":
        kind = ServerError
    elif 300 <= status < 400:
        return ProtocolError(
            f"{text}: redirects are refused", operation=operation, status=status, ambiguous=False
        )
    elif status >= 400 or code not in ("", "ok"):
        kind = RejectedError
    else:
        kind = ProtocolError
    error = kind(
        text,
        operation=operation,
        status=status,
        vendor_code=code or None,
        request_id=log_id,
        retry_after=retry_after(response),
    )
    return error.hint(_HINTS[code]) if code in _HINTS else error


def from_upload_host(response: Response, first: int, last: int, *, final: bool) -> TransportError:
    """Return the error for a chunk that was not answered as the media transfer guide says."""
    status = response.status
    text = f"put: bytes {first:,}-{last:,} were answered {status}"
    kind: type[TransportError]
    match status:
        case 400:
            kind, text = RejectedError, f"{text}: the headers or the length are malformed"
        case 403:
            kind, text = SessionExpiredError, f"{text}: the upload URL has expired"
        case 404:
            kind, text = SessionExpiredError, f"{text}: there is no such upload"
        case 416:
            kind, text = OffsetMismatchError, f"{text}: the server holds other bytes"
        case 429:
            kind = RateLimitedError
        case _ if status >= 500:
            kind = ServerError
        case 200 | 201 | 204 | 206:
            expected = 201 if final else 206
            kind, text = ProtocolError, f"{text}, {expected} was due"
        case _ if 300 <= status < 400:
            kind, text = ProtocolError, f"{text}: redirects are refused"
        case _:
            kind = RejectedError
    return kind(
        text,
        operation="put",
        status=status,
        retry_after=retry_after(response),
        request_id=response.headers.get("x-tt-logid"),
    )


def from_fail_reason(reason: str) -> TransportError:
    """Return the error for a post that ended FAILED; TikTok's reason is the vendor code."""
    error = RejectedError(
        f"status: TikTok ended the post as FAILED: {reason or 'no reason given'}",
        operation="status",
        vendor_code=reason or None,
    )
    return error.hint(_FAIL_REASONS[reason]) if reason in _FAIL_REASONS else error


def retry_after(response: Response) -> float | None:
    """Return the header's seconds; a date or nonsense counts as none."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
