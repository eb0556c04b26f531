"""The flows of a parcel server.

    POST   /parcels              {"name", "size"}   201 {"id", "cut"}: the server says how to cut
    PUT    /parcels/ID/N                            200 {"sha256"}, the part replaces an earlier one
    GET    /parcels/ID                              200 {"parts": {N: sha256}, "sealed": URL/null}
    POST   /parcels/ID/seal      {"parts": [...]}   200 {"sealed": URL}
    DELETE /parcels/ID                              204

Rule: pure. A flow yields requests, is sent responses and returns a value.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uploader.errors import (
    AuthenticationError,
    DigestMismatchError,
    ProtocolError,
    RateLimitedError,
    RejectedError,
    ServerError,
    SessionExpiredError,
    TransportError,
)
from uploader.http import JSON_TYPE, Body, Request, Response
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

ERRORS: dict[int, type[TransportError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: SessionExpiredError,
    410: SessionExpiredError,
    429: RateLimitedError,
}


@dataclass(frozen=True, slots=True)
class ParcelTransport:
    """One parcel."""

    base_url: str
    label: str
    capabilities: Capabilities
    name: str = "parcel"

    def content_type(self, facts: SourceFacts) -> str:
        return "application/octet-stream"

    def create(self, spec: UploadSpec) -> Flow[Session]:
        asked = {"name": self.label, "size": spec.size}
        said = answer("create", (yield self.call("create", "POST", "", asked)), 201)
        parcel, cut = said.get("id"), said.get("cut")
        most = self.capabilities.max_part
        if not isinstance(parcel, str) or not parcel.isalnum() or not parcel.isascii():
            raise ProtocolError("create: the answer has no id", operation="create")
        if type(cut) is not int or not 1 <= cut <= most:
            raise ProtocolError(f"create: the cut is not 1 to {most:,} bytes", operation="create")
        count = -(-spec.size // cut)
        return Session({"id": parcel}, plan=Plan(spec.size, min(cut, spec.size), count))

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        request = self.call("put", "PUT", f"/{session.fields['id']}/{part.index}", body=body)
        said = answer("put", (yield request), 200)
        if said.get("sha256") != body.digests["sha256"].hex():
            raise DigestMismatchError(
                f"put: part {part.index} arrived as other bytes than were sent", operation="put"
            )
        return Receipt(part.index, {"sha256": said["sha256"]}, len(body))

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        asked = {"parts": [receipts[n].fields["sha256"] for n in sorted(receipts)]}
        request = self.call("seal", "POST", f"/{session.fields['id']}/seal", asked)
        return sealed("seal", answer("seal", (yield request), 200))

    def query(self, session: Session) -> Flow[Confirmed]:
        """Tell which parts the server holds: it takes them in any order."""
        request = self.call("query", "GET", f"/{session.fields['id']}")
        parts = answer("query", (yield request), 200).get("parts")
        if not isinstance(parts, dict) or not all(
            number.isdecimal() and number.isascii() and len(number) < 10 and isinstance(digest, str)
            for number, digest in parts.items()
        ):
            raise ProtocolError("query: the answer names no parts", operation="query")
        found = {int(n): Receipt(int(n), {"sha256": digest}) for n, digest in parts.items()}
        return Confirmed(None, receipts=found)

    def verify(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion | None]:
        """Tell whether it is sealed; asked when the answer to `complete` was lost."""
        request = self.call("verify", "GET", f"/{session.fields['id']}")
        said = answer("verify", (yield request), 200)
        if "sealed" in said and said["sealed"] is None:
            return None
        return sealed("verify", said)

    def abort(self, session: Session) -> Flow[None]:
        response = yield self.call("abort", "DELETE", f"/{session.fields['id']}")
        if response.status not in (204, 404):
            raise refused("abort", response)

    def call(
        self, operation: str, method: str, path: str, said: Any = None, body: Body | None = None
    ) -> Request:
        return Request(
            operation,
            method,
            f"{self.base_url}/parcels{path}",
            headers={"Content-Type": JSON_TYPE if body is None else "application/octet-stream"},
            content=None if said is None else json.dumps(said).encode(),
            body=body,
            auth="bearer",
        )


def sealed(operation: str, said: Mapping[str, Any]) -> Completion:
    """Return where a sealed parcel lies."""
    if not isinstance(said.get("sealed"), str):
        raise ProtocolError(f"{operation}: the answer does not say where", operation=operation)
    return Completion(said["sealed"])


def answer(operation: str, response: Response, due: int) -> dict[str, Any]:
    """Return the object of an answer with the status that is due, or raise what it means."""
    if response.status != due:
        raise refused(operation, response)
    try:
        said = json.loads(response.content)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ProtocolError(f"{operation}: the answer is no JSON object", operation=operation)
    return said


def refused(operation: str, response: Response) -> TransportError:
    """Return the error that a status stands for."""
    status = response.status
    kind = ERRORS.get(status, RejectedError if 400 <= status < 500 else ProtocolError)
    if status >= 500:
        kind = ServerError
    return kind(f"{operation}: answered {status}", operation=operation, status=status)
