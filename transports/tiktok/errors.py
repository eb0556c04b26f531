"""What TikTok's answers mean.

Rule: HTTP status and vendor code in, one `TransportError` out; what a code means, the catalogue
says. An API call has succeeded only when `error.code` is "ok": TikTok answers refusals with 200 as
well, and answers of the upload host have no envelope at all.
"""

from __future__ import annotations

import json
from typing import Any

from transports.statuses import retry_after
from transports.tiktok.catalogue import host_meaning, meaning
from uploader.errors import (
    AuthenticationError,
    ProtocolError,
    RateLimitedError,
    RejectedError,
    ServerError,
    TransportError,
)
from uploader.http import Response


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
    if 300 <= status < 400:
        return ProtocolError(
            f"{text}: redirects are refused", operation=operation, status=status, ambiguous=False
        )
    known = meaning(code)
    error = _kind(status, code)(
        text,
        operation=operation,
        status=status,
        vendor_code=code or None,
        request_id=log_id,
        retry_after=retry_after(response),
        general=_is_general(status, code),
    )
    return error.hint(known.hint) if known is not None else error


def _is_general(status: int, code: str) -> bool:
    """Whether every account would be refused alike; a word that nobody knows may be a new rule."""
    known = meaning(code)
    return known.general if known is not None else _kind(status, code) is RejectedError


def _kind(status: int, code: str) -> type[TransportError]:
    """Return the error of an answer: a status that every service shares wins over the code."""
    match status:
        case 429:
            return RateLimitedError
        case 401:
            return AuthenticationError
        case _ if status >= 500:
            return ServerError
    known = meaning(code)
    if known is not None:
        return known.kind
    return RejectedError if status >= 400 or code not in ("", "ok") else ProtocolError


def from_upload_host(response: Response, first: int, last: int, *, final: bool) -> TransportError:
    """Return the error for a chunk that was not answered as the media transfer guide says."""
    status = response.status
    text = f"put: bytes {first:,}-{last:,} were answered {status}"
    known = host_meaning(status)
    general = known.general if known is not None else 400 <= status < 500 and status != 429
    kind: type[TransportError]
    match status:
        case _ if known is not None:
            kind, text = known.kind, f"{text}: {known.says}"
        case 429:
            kind = RateLimitedError
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
        general=general,
        request_id=response.headers.get("x-tt-logid"),
    )


def from_fail_reason(reason: str) -> TransportError:
    """Return the error for a post that ended FAILED; TikTok's reason is the vendor code."""
    error = RejectedError(
        f"status: TikTok ended the post as FAILED: {reason or 'no reason given'}",
        operation="status",
        vendor_code=reason or None,
    )
    known = meaning(reason)
    return error.hint(known.hint) if known is not None else error
