"""The flows of an object upload: a resumable session, or one request for what is small and plain.

Rule: pure. https://cloud.google.com/storage/docs/json_api/v1/objects/insert
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from transports.gcs.checksums import CRC32C, whole, written
from transports.gcs.errors import HINTS, check_sums
from transports.google import from_google, resource
from transports.media_types import media_type
from transports.resumable import SIZE, ResumableProtocol, opening_headers
from uploader.errors import OffsetMismatchError
from uploader.http import Body, Request, Response
from uploader.model import (
    Completion,
    Confirmed,
    Part,
    Plan,
    Processing,
    Receipt,
    Session,
    SourceFacts,
    UploadSpec,
)
from uploader.transport import Capabilities, Flow

FACTS: Final = ("generation", "metageneration", "size", "crc32c", "md5Hash", "etag")
"""What is kept of an object's resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsTransport:
    """One object.

    `resource` is its metadata as Cloud Storage takes it, `query` the parameters of the request;
    `sums` are those that the caller knows beforehand.
    """

    bucket: str
    object_name: str
    endpoint: str
    capabilities: Capabilities
    type: str | None
    auth: str | None
    resource: Mapping[str, Any] = field(default_factory=dict)
    query_fields: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    name: str = "gcs"

    def content_type(self, facts: SourceFacts) -> str:
        return self.type or media_type(facts)

    def create(self, spec: UploadSpec) -> Flow[Session]:
        """Open a session. The name goes in the query, the rest of the metadata in the body."""
        metadata = {**self.resource, **self.sums, "contentType": spec.content_type}
        request = Request(
            "create",
            "POST",
            self._upload_url("resumable"),
            opening_headers(spec),
            json.dumps(metadata).encode(),
            auth=self.auth,
        )
        session = yield from self._protocol.open(request, spec)
        fields = {**session.fields, "part_size": spec.plan.part_size, "parts": spec.plan.count}
        return Session(fields, session.secrets)

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        """Send one chunk. The session URI is the credential: chunks are not signed."""
        answer = yield from self._protocol.send(session, plan, part, body)
        fields: dict[str, Any] = {"start": part.start}
        if CRC32C in body.digests:
            fields[CRC32C] = written(body.digests[CRC32C])
        if answer is not None:
            fields["object"] = self._checked("put", answer)
        return Receipt(part.index, fields, part.length)

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Compare the sums of what was sent and of what is stored: the last chunk completes it."""
        facts = self._told(receipts)
        if facts is None:
            answer = yield from self._protocol.ask(session, "complete")
            if not isinstance(answer, Response):
                raise OffsetMismatchError(
                    f"complete: the server holds {answer:,} of {session.fields[SIZE]:,} bytes",
                    operation="complete",
                    offset=answer,
                )
            facts = self._checked("complete", answer)
        return self._compared(session, receipts, facts)

    def verify(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion | None]:
        """Ask the session: it tells of the object once this is complete."""
        answer = yield from self._protocol.ask(session, "verify")
        if not isinstance(answer, Response):
            return None
        return self._compared(session, receipts, self._checked("verify", answer))

    def query(self, session: Session) -> Flow[Confirmed]:
        answer = yield from self._protocol.ask(session)
        if not isinstance(answer, Response):
            return Confirmed(answer)
        facts = self._checked("query", answer)
        return Confirmed(session.fields[SIZE], Processing("done", self._completion(facts)))

    def abort(self, session: Session) -> Flow[None]:
        yield from self._protocol.drop(session)

    @property
    def _protocol(self) -> ResumableProtocol:
        return ResumableProtocol(endpoint=self.endpoint, chunk_auth=None, hints=HINTS)

    def _upload_url(self, kind: str) -> str:
        query = urlencode({"uploadType": kind, "name": self.object_name, **self.query_fields})
        return f"{self.endpoint}/upload/storage/v1/b/{quote(self.bucket, safe='')}/o?{query}"

    def _checked(self, operation: str, answer: Response) -> dict[str, Any]:
        """Return an object's facts; raise `DigestMismatchError` when it is not what was sent."""
        found = resource(operation, answer)
        check_sums(operation, self.sums, found)
        return {name: found[name] for name in FACTS if name in found}

    def _told(self, receipts: Mapping[int, Receipt]) -> dict[str, Any] | None:
        """Return the object's facts that came with the last part, if they are there."""
        for receipt in receipts.values():
            if "object" in receipt.fields:
                return dict(receipt.fields["object"])
        return None

    def _compared(
        self, session: Session, receipts: Mapping[int, Receipt], facts: Mapping[str, Any]
    ) -> Completion:
        if not self.capabilities.digests:
            return self._completion(facts)
        plan = Plan(session.fields[SIZE], session.fields["part_size"], session.fields["parts"])
        sent = whole(plan, receipts)
        if sent is not None:
            check_sums("complete", {CRC32C: sent}, facts)
        verified = sent is not None and CRC32C in facts
        return self._completion({**facts, "checksum": "verified" if verified else "unknown"})

    def _completion(self, facts: Mapping[str, Any]) -> Completion:
        return Completion(f"gs://{self.bucket}/{self.object_name}", facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainGcsTransport(GcsTransport):
    """One object without metadata of its own: when it is a single part, one request makes it.

    Sent twice it replaces itself, so a lost answer is no question.
    """

    def put(self, spec: UploadSpec, body: Body) -> Flow[Completion]:
        """Send the whole content. https://cloud.google.com/storage/docs/uploading-objects"""
        headers = {"Content-Type": spec.content_type}
        url = self._upload_url("media")
        answer = yield Request("put", "POST", url, headers, body=body, auth=self.auth)
        if answer.status not in (200, 201):
            raise from_google("put", answer, hints=HINTS)
        facts = self._checked("put", answer)
        if CRC32C in body.digests:
            check_sums("put", {CRC32C: written(body.digests[CRC32C])}, facts)
            facts["checksum"] = "verified" if CRC32C in facts else "unknown"
        return self._completion(facts)
