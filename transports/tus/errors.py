"""What a tus server's answers mean.

Rule: a status in, one `TransportError` out. The server's own words are kept, cut short.
https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

from typing import Final

from transports.statuses import retry_after
from transports.tus.wording import VERSION, number
from uploader.errors import (
    AuthenticationError,
    DigestMismatchError,
    OffsetMismatchError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    RejectedError,
    ServerError,
    SessionExpiredError,
    TransportError,
)
from uploader.http import Response

_MOST_WORDS: Final = 200
_LOCKED: Final = 423
_CHECKSUM: Final = 460
_OPENING: Final = frozenset({"create", "complete", "options"})
"""Operations that are addressed to the server, not to an upload."""


def refused(operation: str, response: Response) -> TransportError:
    """Return the error for an answer that is no success."""
    status = response.status
    text = f"{operation}: the server answered {status}"
    words = _words(response)
    said = f"{text}: {words}" if words else text
    kind: type[TransportError] = RejectedError
    recovery: Recovery | None = None
    hint = ""
    match status:
        case 401 | 403:
            kind = AuthenticationError
            hint = "give access_token=, credentials= or the header that this server wants"
        case 404 | 410 if operation not in _OPENING:
            kind, said = SessionExpiredError, f"{text}: the upload is gone"
        case 404 | 405 if operation in _OPENING:
            hint = "is this the URL at which the server creates uploads?"
        case 409 if operation == "put":
            kind = OffsetMismatchError
        case 412:
            offered = response.headers.get("tus-version", "another version")[:_MOST_WORDS]
            said = f"{text}: it speaks {offered}, not tus {VERSION}"
        case 413:
            most = number(response.headers.get("tus-max-size"))
            said = f"{text}: the content is too large"
            if most is not None or words:
                said += f": it takes {most:,} bytes" if most is not None else f": {words}"
        case 429:
            kind = RateLimitedError
        case 501:
            said = f"{text}: it does not offer this ({words or 'not implemented'})"
        case _ if status == _LOCKED:
            # The request of before may still hold the upload; nothing was done.
            return ServerError(
                f"{text}: another request holds the upload",
                operation=operation,
                status=status,
                retry_after=retry_after(response),
                ambiguous=False,
            )
        case _ if status == _CHECKSUM:
            kind, said = DigestMismatchError, f"{text}: it received other bytes than were sent"
        case _ if status >= 500:
            kind = ServerError
            # It may have kept what it had read by then.
            recovery = Recovery.RESYNC if operation == "put" else None
        case _ if 300 <= status < 400:
            return ProtocolError(
                f"{text}: redirects are refused",
                operation=operation,
                status=status,
                ambiguous=False,
            ).hint("give the URL that it leads to")
        case _ if status < 300:
            kind = ProtocolError
    error = kind(
        said,
        operation=operation,
        status=status,
        retry_after=retry_after(response),
        recovery=recovery,
    )
    return error.hint(hint) if hint else error


def _words(response: Response) -> str:
    """Return the first line of a plain answer; a page of HTML says nothing."""
    if "html" in response.headers.get("content-type", ""):
        return ""
    first = response.content[: 4 * _MOST_WORDS].decode(errors="replace").strip().split("\n")[0]
    return "".join(filter(str.isprintable, first))[:_MOST_WORDS]
