"""The flows of one upload: POST opens it, PATCH appends at the exact offset, HEAD tells the offset.

Rule: pure. The offset that the server confirms is the only truth; the upload is complete when it
equals the length. https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from transports.media_types import media_type
from transports.tus.addresses import located
from transports.tus.errors import refused
from transports.tus.wording import (
    BYTES,
    RESUMABLE,
    check_offer,
    count_of,
    metadata_header,
    metadata_of,
)
from uploader.errors import (
    OffsetMismatchError,
    ProtocolError,
    Recovery,
    RejectedError,
    SessionExpiredError,
)
from uploader.http import Body, Request, Response
from uploader.model import (
    Completion,
    Confirmed,
    Part,
    Plan,
    Receipt,
    Session,
    SourceFacts,
    UploadSpec,
)
from uploader.secret import Secret
from uploader.transport import Capabilities, Flow

UPLOAD: Final = "upload_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class TusServer:
    """How a server is spoken to: where, with which headers, and which other origins it may name."""

    url: str
    headers: Mapping[str, str | Secret]
    others: frozenset[str]
    auth: str | None

    def request(
        self,
        operation: str,
        method: str,
        url: str | Secret,
        headers: Mapping[str, str | Secret] | None = None,
        *,
        body: Body | None = None,
    ) -> Request:
        return Request(
            operation,
            method,
            url,
            headers={**self.headers, **RESUMABLE, **(headers or {})},
            body=body,
            auth=self.auth,
            fresh=method == "POST",
        )

    def ask(self) -> Flow[Response]:
        """Ask what the server offers."""
        response = yield self.request("options", "OPTIONS", self.url)
        if response.status not in (200, 204):
            raise refused("options", response)
        return response

    def open(
        self, headers: Mapping[str, str | Secret], *, operation: str = "create"
    ) -> Flow[tuple[Secret, Response]]:
        """Open an upload; return its URL and the answer."""
        response = yield self.request(operation, "POST", self.url, headers)
        if response.status != 201:
            raise refused(operation, response)
        # Masked before anything can fail: what a crash reporter prints must hold no URL.
        location = Secret(response.headers.get("location", ""))
        if not location:
            raise ProtocolError(
                f"{operation}: the answer has no Location", operation=operation, status=201
            )
        return located(location, self.url, self.others, operation), response

    def append(
        self, url: Secret, offset: int, body: Body, *, digest: Mapping[str, str]
    ) -> Flow[int]:
        """Send bytes that begin at an offset; return the offset that the server has then."""
        headers = {"Content-Type": BYTES, "Upload-Offset": str(offset), **digest}
        response = yield self.request("put", "PATCH", url, headers, body=body)
        told = count_of(response, "upload-offset", "put")
        if response.status not in (200, 204):
            error = refused("put", response)
            if isinstance(error, OffsetMismatchError):
                error.offset = told
            raise error
        if told is None or not offset <= told <= offset + len(body):
            raise ProtocolError(
                f"put: {len(body):,} bytes at {offset:,} were answered {response.status} with"
                f" {f'the offset {told:,}' if told is not None else 'no offset'}",
                operation="put",
                status=response.status,
                recovery=Recovery.RESYNC,
            )
        return told

    def standing(self, url: Secret, *, operation: str = "query") -> Flow[tuple[int, int | None]]:
        """Ask how many bytes an upload holds, and how many it was opened for."""
        response = yield self.request(operation, "HEAD", url)
        if response.status not in (200, 204):
            raise refused(operation, response)
        told = count_of(response, "upload-offset", operation)
        if told is None:
            raise ProtocolError(
                f"{operation}: the answer has no Upload-Offset",
                operation=operation,
                status=response.status,
            )
        return told, count_of(response, "upload-length", operation)

    def offset(self, url: Secret, size: int, *, operation: str = "query") -> Flow[int]:
        """Ask how many bytes an upload holds; raise `RejectedError` when it is another one's."""
        told, length = yield from self.standing(url, operation=operation)
        if length is not None and length != size:
            raise RejectedError(
                f"{operation}: the upload was opened for {length:,} bytes, the content has"
                f" {size:,}",
                operation=operation,
            )
        return told

    def drop(self, url: Secret) -> Flow[None]:
        """End an upload; that it is gone already is as good."""
        response = yield self.request("abort", "DELETE", url)
        if response.status not in (200, 202, 204, 404, 410):
            raise refused("abort", response)


@dataclass(frozen=True, slots=True, kw_only=True)
class TusTransport:
    """One upload, its bytes in order. `given` was opened elsewhere; else it is opened here."""

    server: TusServer
    metadata: Mapping[str, str | None]
    capabilities: Capabilities
    media_type: str | None = None
    given: Secret | None = None
    is_elsewhere: bool = False
    """Whether the upload was opened elsewhere, also where its URL is not known any more."""
    tells_location: bool = False
    name: str = "tus"

    def content_type(self, facts: SourceFacts) -> str:
        return self.media_type or media_type(facts)

    def create(self, spec: UploadSpec) -> Flow[Session]:
        """Open the upload, or take the one that is open: then its first part looks at it."""
        fields: dict[str, Any] = {"size": spec.size}
        if self.is_elsewhere:
            if self.given is None:
                raise RejectedError(
                    "create: the URL of the upload is not known here", operation="create"
                ).hint("upload it by the call that gives upload_url=")
            return Session(fields, {UPLOAD: self.given})
        metadata = metadata_of(spec, self.metadata)
        headers = {"Upload-Length": str(spec.size), **metadata_header(metadata)}
        url, response = yield from self.server.open(headers)
        if expires := response.headers.get("upload-expires"):
            fields["expires"] = expires
        return Session({**fields, "metadata": metadata}, {UPLOAD: url})

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        """Append a part, or what is missing of it."""
        if part.start == 0:
            yield from self._look(session, plan, part)
        offset = yield from self.server.append(
            session.secrets[UPLOAD], part.start, body, digest=checksum(body)
        )
        if offset < part.stop:
            raise cut_short(part, offset)
        return Receipt(part.index)

    def query(self, session: Session) -> Flow[Confirmed]:
        """Ask for the offset: the one of the whole content proves that the upload is complete."""
        return Confirmed(
            (yield from self.server.offset(session.secrets[UPLOAD], session.fields["size"]))
        )

    def abort(self, session: Session) -> Flow[None]:
        yield from self.server.drop(session.secrets[UPLOAD])

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Do nothing: the last byte completes the upload."""
        yield from ()  # a flow is a generator, also when it asks for nothing
        return completion(session.secrets[UPLOAD], session, tells=self.tells_location)

    def _look(self, session: Session, plan: Plan, part: Part) -> Flow[None]:
        """Ask before the first byte what `create` did not, so that a lost answer costs nothing."""
        if self.capabilities.digests:
            offer = yield from self.server.ask()
            check_offer(offer, size=plan.size, extension="checksum", algorithm="sha1")
        if not self.is_elsewhere:
            return
        try:
            url = session.secrets[UPLOAD]
            held = yield from self.server.offset(url, plan.size, operation="put")
        except SessionExpiredError as error:
            # Nobody here can open it anew.
            error.recovery = Recovery.NONE
            raise
        if held > part.stop:
            raise RejectedError(
                f"put: the upload holds {held:,} bytes that were not sent from here",
                operation="put",
            ).hint("open a new upload for this content")
        if held:
            raise cut_short(part, held)


def checksum(body: Body) -> dict[str, str]:
    """Return the header that lets the server check what it received, where that is wanted."""
    digest = body.digests.get("sha1")
    if digest is None:
        return {}
    return {"Upload-Checksum": f"sha1 {base64.b64encode(digest).decode()}"}


def cut_short(part: Part, offset: int) -> OffsetMismatchError:
    """Say that the server holds a prefix of a part; `offset` counts from the content's start."""
    return OffsetMismatchError(
        f"put: of bytes {part.start:,} to {part.stop:,} the server holds those before {offset:,}",
        operation="put",
        offset=offset,
    )


def completion(url: Secret, session: Session, *, tells: bool) -> Completion:
    """Return what became of an upload; its URL is told only where that is no secret."""
    fields = {"size": session.fields["size"]}
    return Completion(url.reveal() if tells else None, fields)
