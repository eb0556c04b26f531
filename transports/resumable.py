"""Google's resumable uploads: open a session, send chunks, ask what is stored, drop it.

Rule: pure; what Cloud Storage and YouTube have in common, to the letter of their documents:
[GCS] https://cloud.google.com/storage/docs/performing-resumable-uploads
[YT] https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from transports.endpoints import refusal
from transports.google import DOMAIN, from_google
from uploader.errors import (
    OffsetMismatchError,
    ProtocolError,
    Recovery,
    ServerError,
    SessionExpiredError,
    TransportError,
)
from uploader.http import JSON_TYPE, Body, Request, Response
from uploader.model import Part, Plan, Session, UploadSpec
from uploader.secret import Secret
from uploader.transport import Flow

ALIGNMENT: Final = 262_144
"""[GCS] [YT] each chunk but the last is a multiple of 256 KiB."""

SESSION_URI: Final = "session_uri"
SIZE: Final = "size"
CONTENT_TYPE: Final = "content_type"

# [GCS] "Range: bytes=0-42": the last byte stored; without the header nothing is.
_STORED: Final = re.compile(r"bytes=0-(\d{1,19})", re.ASCII)
_INCOMPLETE: Final = 308
_DONE: Final = (200, 201)
# [GCS] 404 and 410: start over; 499: it was cancelled.
_GONE: Final = (404, 410, 499)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumableProtocol:
    """One API's resumable uploads.

    `endpoint` is the origin that sessions are opened at; a session elsewhere must be Google's own.
    `chunk_auth` signs chunks and questions: `None` where the session URI is the credential.
    """

    endpoint: str
    chunk_auth: str | None
    hints: Mapping[str, str]

    def open(self, request: Request, spec: UploadSpec) -> Flow[Session]:
        """Send the request that opens a session, with the headers of the protocol added."""
        response = yield request
        if response.status not in _DONE:
            raise self.refused("create", response)
        uri = Secret(response.headers.get("location", ""))
        reason = refusal(uri, self.endpoint, DOMAIN) if uri else "the answer has no Location"
        if reason is not None:
            raise ProtocolError(
                f"create: the session URI is refused: {reason}",
                operation="create",
                status=response.status,
                ambiguous=False,
            )
        return Session({SIZE: spec.size, CONTENT_TYPE: spec.content_type}, {SESSION_URI: uri})

    def send(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Response | None]:
        """Send one chunk; return the answer to the last one, `None` for the others.

        Raises `OffsetMismatchError` when the server kept less than was sent.
        """
        response = yield self._on_session(
            "put",
            "PUT",
            session,
            {
                "Content-Type": session.fields[CONTENT_TYPE],
                "Content-Range": f"bytes {part.start}-{part.stop - 1}/{plan.size}",
            },
            body,
        )
        final = plan.is_last(part)
        if response.status in _DONE:
            if final:
                return response
            raise ProtocolError(
                f"put: answered {response.status} after {part.stop:,} of {plan.size:,} bytes",
                operation="put",
                status=response.status,
            )
        if response.status != _INCOMPLETE:
            raise self.refused("put", response)
        stored = stored_bytes("put", response)
        if stored < part.stop:
            raise OffsetMismatchError(
                f"put: bytes {part.start:,}-{part.stop - 1:,} were sent, the server holds"
                f" {stored:,}",
                operation="put",
                status=response.status,
                offset=stored,
            )
        if stored > part.stop:
            raise ProtocolError(
                f"put: {part.stop:,} bytes were sent, and the server tells of {stored:,}",
                operation="put",
                status=response.status,
            )
        if final:
            raise _unfinished("put", plan.size)
        return None

    def ask(self, session: Session, operation: str = "query") -> Flow[int | Response]:
        """Ask how many bytes are stored; the answer itself when the upload is complete.

        Raises `SessionExpiredError` when the session is gone.
        """
        size = session.fields[SIZE]
        response = yield self._on_session(
            operation, "PUT", session, {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
        )
        if response.status in _DONE:
            return response
        if response.status != _INCOMPLETE:
            raise self.refused(operation, response)
        stored = stored_bytes(operation, response)
        if stored > size:
            raise ProtocolError(
                f"{operation}: the server tells of {stored:,} of {size:,} bytes",
                operation=operation,
                status=response.status,
            )
        if stored == size:
            raise _unfinished(operation, size)
        return stored

    def drop(self, session: Session) -> Flow[None]:
        """Drop the session. [GCS] success is answered 499; one that is gone is as good."""
        response = yield self._on_session("abort", "DELETE", session, {"Content-Length": "0"})
        if response.status not in (*_GONE, 200, 204):
            raise self.refused("abort", response)

    def refused(self, operation: str, response: Response) -> TransportError:
        """Return the error that an answer stands for."""
        if operation != "create" and response.status in _GONE:
            return SessionExpiredError(
                f"{operation}: answered {response.status}: the session is gone",
                operation=operation,
                status=response.status,
            )
        if operation == "put" and response.status == 416:
            return OffsetMismatchError(
                "put: answered 416: the server holds other bytes", operation="put", status=416
            )
        error = from_google(operation, response, hints=self.hints)
        if operation == "put" and isinstance(error, ServerError):
            # [YT] [GCS] after a 5xx the server is asked first: it may have kept some of the chunk.
            error.recovery = Recovery.RESYNC
        if operation == "create":
            # A session whose URI nobody has comes to nothing.
            error.ambiguous = False
        return error

    def _on_session(
        self,
        operation: str,
        method: str,
        session: Session,
        headers: Mapping[str, str],
        body: Body | None = None,
    ) -> Request:
        uri = session.secrets[SESSION_URI]
        return Request(operation, method, uri, headers, body=body, auth=self.chunk_auth)


def opening_headers(spec: UploadSpec) -> dict[str, str]:
    """Return the headers that announce the content when a session is opened."""
    return {
        "Content-Type": JSON_TYPE,
        "X-Upload-Content-Type": spec.content_type,
        "X-Upload-Content-Length": str(spec.size),
    }


def stored_bytes(operation: str, response: Response) -> int:
    """Return how many bytes a 308 says are stored. Without a `Range` there are none."""
    told = response.headers.get("range")
    if told is None:
        return 0
    found = _STORED.fullmatch(told.strip())
    if found is None:
        raise ProtocolError(
            f"{operation}: a Range of {told[:40]!r} does not begin at byte 0",
            operation=operation,
            status=response.status,
        )
    return int(found[1]) + 1


def _unfinished(operation: str, size: int) -> ServerError:
    return ServerError(
        f"{operation}: the server holds all {size:,} bytes and does not say that it is done",
        operation=operation,
        status=_INCOMPLETE,
        recovery=Recovery.RESYNC if operation == "put" else Recovery.RETRY,
    )
