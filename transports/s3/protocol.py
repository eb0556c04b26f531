"""The flows of S3's multipart upload.

Rule: pure. A success that lacks what it must tell is none, and what `complete` did is read from the
answer's body: S3 sends 200 before it knows.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from transports.media_types import media_type
from transports.s3.addressing import Place
from transports.s3.checksums import (
    COMPOSITE,
    Checksum,
    agrees,
    composite,
    multipart_etag,
    text_of,
)
from transports.s3.documents import DocumentError, Element, completion, parse
from transports.s3.errors import error_in, from_s3, unreadable
from transports.s3.limits import LIST_PAGE
from uploader.errors import (
    DigestMismatchError,
    OutcomeUnknownError,
    Recovery,
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
from uploader.transport import Capabilities, Flow

AUTH: Final = "s3"
CONTENT_HASH: Final = "x-amz-content-sha256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
"""https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""


@dataclass(frozen=True, slots=True)
class S3Transport:
    """One object. `headers` are those that its creation carries."""

    place: Place
    capabilities: Capabilities
    checksum: Checksum | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = "s3"

    def content_type(self, facts: SourceFacts) -> str:
        return self.media_type or media_type(facts)

    def create(self, spec: UploadSpec) -> Flow[Session]:
        """Send CreateMultipartUpload. A second one leaves an empty upload that nobody completes."""
        headers = {"Content-Type": spec.content_type, **self.headers}
        if self.checksum is not None:
            headers["x-amz-checksum-algorithm"] = self.checksum.algorithm
            headers["x-amz-checksum-type"] = COMPOSITE
        response = yield self._call("create", "POST", "uploads", headers)
        return Session({"upload_id": _document("create", response, "UploadId").get("UploadId")})

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        """Send UploadPart; the same number again replaces what was there."""
        query = f"partNumber={part.index + 1}&{_upload(session)}"
        _, fields = yield from self._put(query, {}, body)
        return Receipt(part.index, fields, len(body))

    def put(self, spec: UploadSpec, body: Body) -> Flow[Completion]:
        """Send PutObject: the whole content, without a session."""
        headers = {"Content-Type": spec.content_type, **self.headers}
        response, fields = yield from self._put("", headers, body)
        return self._completion(fields, response)

    def query(self, session: Session) -> Flow[Confirmed]:
        """Send ListParts, page by page."""
        receipts: dict[int, Receipt] = {}
        marker = 0
        while True:
            response, page = yield from self._page(session, marker, LIST_PAGE)
            for part in page.every("Part"):
                receipt = self._listed(part)
                if receipt is not None:
                    receipts[receipt.index] = receipt
            if page.get("IsTruncated").strip() != "true":
                return Confirmed(None, receipts=receipts)
            last, marker = marker, _number(page.get("NextPartNumberMarker"))
            if marker <= last:
                raise unreadable("query", response, f"after part {last:,} it goes on at {marker:,}")

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Send CompleteMultipartUpload, and read what became of it."""
        parts = [receipts[index] for index in sorted(receipts)]
        headers = {"Content-Type": "application/xml"}
        if self.checksum is not None:
            # The server refuses to join parts of another total, where it knows this header.
            headers["x-amz-mp-object-size"] = str(sum(part.length or 0 for part in parts))
        content = completion((part.index + 1, self._texts(part)) for part in parts)
        response = yield self._call("complete", "POST", _upload(session), headers, content)
        refused = error_in(response)
        if refused is not None or response.status != 200:
            error = from_s3("complete", response)
            # It is gone after it was completed, too: a lost answer must be asked about.
            error.ambiguous |= isinstance(error, SessionExpiredError)
            raise error
        answer = _document("complete", response, "ETag")
        stored = answer.get(self.checksum.element) if self.checksum is not None else ""
        expected = self._expected(parts)
        if agrees(stored, expected, answer.get("ChecksumType")) is False:
            raise _differs("complete", "the object", expected, stored, Recovery.NONE)
        return self._completion(self._fields(answer.get("ETag"), stored), response)

    def verify(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion | None]:
        """Ask whether the upload is still open (ListParts), and if not, what the key holds now."""
        try:
            yield from self._page(session, 0, 1)
        except SessionExpiredError:
            pass
        else:
            return None
        mode = {"x-amz-checksum-mode": "ENABLED"} if self.checksum is not None else {}
        response = yield self._call("verify", "HEAD", "", mode)
        if response.status != 200:
            raise self._untold(f"HEAD was answered {response.status}", response)
        parts = [receipts[index] for index in sorted(receipts)]
        size = sum(part.length or 0 for part in parts)
        length = response.headers.get("content-length", "")
        if not length.isdecimal() or int(length) != size:
            raise self._untold(f"the key holds {length or 'unknown'} bytes, not {size:,}", response)
        etag = response.headers.get("etag", "")
        stored = response.headers.get(self.checksum.header, "") if self.checksum else ""
        kind = response.headers.get("x-amz-checksum-type", "")
        proved = agrees(stored, self._expected(parts), kind)
        if proved is None:
            proved = etag.strip('"') == multipart_etag(_etags(parts))
        if not proved:
            raise self._untold("neither checksum nor ETag shows that it is this upload", response)
        return self._completion(self._fields(etag, stored), response)

    def abort(self, session: Session) -> Flow[None]:
        """Send AbortMultipartUpload; an upload that is gone is what was wanted."""
        response = yield self._call("abort", "DELETE", _upload(session))
        if response.status in (200, 204, 404):
            return
        raise from_s3("abort", response)

    def _put(
        self, query: str, headers: Mapping[str, str], body: Body
    ) -> Flow[tuple[Response, dict[str, str]]]:
        """Send content with its checksum; return the answer, and ETag and checksum as fields."""
        sent = dict(headers)
        own = ""
        if self.checksum is not None:
            own = sent[self.checksum.header] = text_of(body.digests[self.checksum.name])
        digest = body.digests.get("sha256")
        hashed = digest.hex() if digest is not None else UNSIGNED
        response = yield self._request("put", "PUT", query, sent, hashed, body=body)
        if response.status != 200:
            raise from_s3("put", response)
        etag = response.headers.get("etag", "")
        if not etag:
            raise unreadable("put", response, "there is no ETag")
        stored = response.headers.get(self.checksum.header, "") if self.checksum else ""
        if stored and stored != own:
            raise _differs("put", f"{len(body):,} bytes", own, stored, Recovery.RETRY)
        return response, self._fields(etag, own)

    def _page(self, session: Session, marker: int, most: int) -> Flow[tuple[Response, Element]]:
        query = f"max-parts={most}&part-number-marker={marker}&{_upload(session)}"
        response = yield self._call("query", "GET", query)
        return response, _document("query", response, "IsTruncated")

    def _listed(self, part: Element) -> Receipt | None:
        """Read one part of a list; `None` when it lacks what completing it would need."""
        number, etag, size = _number(part.get("PartNumber")), part.get("ETag"), part.get("Size")
        stored = part.get(self.checksum.element) if self.checksum is not None else ""
        if number < 1 or not etag or not size.isdecimal():
            return None
        return Receipt(number - 1, self._fields(etag, stored), int(size))

    def _texts(self, part: Receipt) -> dict[str, str]:
        texts = {"ETag": str(part.fields["etag"])}
        if self.checksum is not None and self.checksum.name in part.fields:
            texts[self.checksum.element] = str(part.fields[self.checksum.name])
        return texts

    def _expected(self, parts: Sequence[Receipt]) -> str:
        """Return the object's checksum as its parts make it, "" where one has none."""
        name = self.checksum.name if self.checksum is not None else ""
        sums = [str(part.fields.get(name, "")) for part in parts]
        return composite(name, sums) if name and all(sums) else ""

    def _fields(self, etag: str, checksum: str) -> dict[str, str]:
        fields = {"etag": etag}
        if self.checksum is not None and checksum:
            fields[self.checksum.name] = checksum
        return fields

    def _completion(self, fields: Mapping[str, str], response: Response) -> Completion:
        facts = {"bucket": self.place.bucket, "key": self.place.key, **fields}
        version = response.headers.get("x-amz-version-id", "")
        if version:
            facts["version_id"] = version
        return Completion(self.place.url, facts)

    def _untold(self, why: str, response: Response) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"verify: the upload is gone, and {why}",
            operation="verify",
            status=response.status,
            request_id=response.headers.get("x-amz-request-id"),
        ).hint(
            f"look at {self.place.bucket}/{self.place.key}: it may have been completed and then"
            " moved or replaced; s3:GetObject and s3:ListBucket let this be asked"
        )

    def _call(
        self,
        operation: str,
        method: str,
        query: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Request:
        hashed = hashlib.sha256(content or b"").hexdigest()
        return self._request(operation, method, query, headers or {}, hashed, content=content)

    def _request(
        self,
        operation: str,
        method: str,
        query: str,
        headers: Mapping[str, str],
        hashed: str,
        *,
        content: bytes | None = None,
        body: Body | None = None,
    ) -> Request:
        return Request(
            operation,
            method,
            f"{self.place.url}?{query}" if query else self.place.url,
            headers={**headers, CONTENT_HASH: hashed},
            content=content,
            body=body,
            auth=AUTH,
        )


def _upload(session: Session) -> str:
    return f"uploadId={quote(str(session.fields['upload_id']), safe='-_.~')}"


def _document(operation: str, response: Response, tells: str) -> Element:
    """Return the document of a success, or raise what the answer stands for.

    What it must tell is asked for; the root's name differs from server to server.
    """
    if response.status != 200:
        raise from_s3(operation, response)
    try:
        found = parse(response.content)
    except DocumentError as error:
        raise unreadable(operation, response, str(error)) from None
    if not found.get(tells):
        raise unreadable(operation, response, f"there is no {tells}")
    return found


def _differs(
    operation: str, what: str, sent: str, stored: str, recovery: Recovery
) -> DigestMismatchError:
    return DigestMismatchError(
        f"{operation}: {what} went out with the checksum {sent} and arrived with {stored[:128]}",
        operation=operation,
        recovery=recovery,
    )


def _etags(parts: Sequence[Receipt]) -> list[str]:
    return [str(part.fields.get("etag", "")) for part in parts]


def _number(text: str) -> int:
    return int(text) if text.strip().isascii() and text.strip().isdecimal() else 0
