"""The destination that a `Depot` is: parts in any order, or in order, then `complete`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from uploader.errors import (
    AuthenticationError,
    OffsetMismatchError,
    RateLimitedError,
    RejectedError,
    ServerError,
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
from uploader.transport import Capabilities, Flow, Moment, Order, TailRule, Transport

PART = 64 * 1024


def limits(**given: Any) -> Capabilities:
    """Return small limits; parts go in any order and count when they are completed."""
    chosen: dict[str, Any] = {
        "order": Order.ANY,
        "tail": TailRule.SHORT,
        "irreversible": Moment.COMPLETE,
        "part_size": PART,
        "min_part": 1,
        "max_part": 1 << 30,
        "max_parts": 10_000,
        "max_size": 1 << 40,
        "max_single": 1 << 30,
        "max_last_part": 1 << 30,
        "max_lanes": 4,
    }
    return Capabilities(**{**chosen, **given})


@dataclass(frozen=True, slots=True)
class Bare:
    """What every transport can do."""

    url: str
    capabilities: Capabilities = field(default_factory=limits)
    name: str = "depot"

    def content_type(self, facts: SourceFacts) -> str:
        return "application/octet-stream"

    def create(self, spec: UploadSpec) -> Flow[Session]:
        answer = yield self._ask("create", "POST")
        found = _told("create", answer)
        cut = found["cut"]
        plan = Plan(spec.size, *cut) if cut else None
        return Session({"id": found["id"], "size": spec.size}, plan=plan)

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        ordered = self.capabilities.order is Order.SEQUENTIAL
        operation, detail = ("append", part.start) if ordered else ("put", part.index)
        answer = yield self._ask(operation, "PUT", f"{session.fields['id']}/{detail}", body=body)
        found = _told("put", answer)
        if ordered and found["offset"] != part.stop:
            raise OffsetMismatchError("put: a prefix", operation="put", offset=found["offset"])
        return Receipt(part.index, {"sum": found.get("sum", "")})

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        if self.capabilities.irreversible is not Moment.COMPLETE:
            return Completion()
        manifest = {index: str(each.fields.get("sum", "")) for index, each in receipts.items()}
        content = json.dumps(manifest).encode()
        answer = yield self._ask("complete", "POST", str(session.fields["id"]), content=content)
        return Completion(f"post {_told('complete', answer)['post']}")

    def _ask(
        self,
        operation: str,
        method: str,
        rest: str = "",
        *,
        content: bytes | None = None,
        body: Body | None = None,
    ) -> Request:
        url = f"{self.url}/{operation}/{rest}"
        return Request(operation, method, url, content=content, body=body, auth="depot")


class Asked(Bare):
    """One that can be asked what it holds, and whether it was completed."""

    __slots__ = ()

    def query(self, session: Session) -> Flow[Confirmed]:
        answer = yield self._ask("query", "GET", str(session.fields["id"]))
        found = _told("query", answer)
        if self.capabilities.order is Order.SEQUENTIAL:
            return Confirmed(found["offset"])
        receipts = {
            int(index): Receipt(int(index), {"sum": each["sum"]}, each["length"])
            for index, each in found["parts"].items()
        }
        return Confirmed(None, receipts=receipts)

    def verify(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion | None]:
        answer = yield self._ask("verify", "GET", str(session.fields["id"]))
        if not _told("verify", answer)["finished"]:
            return None
        lengths = sum(each.length or 0 for each in receipts.values())
        return Completion("post", {"lengths": lengths})

    def abort(self, session: Session) -> Flow[None]:
        _told("abort", (yield self._ask("abort", "DELETE", str(session.fields["id"]))))


class AtOnce(Asked):
    """One that takes small content in one request."""

    __slots__ = ()

    def put(self, spec: UploadSpec, body: Body) -> Flow[Completion]:
        _told("object", (yield self._ask("object", "PUT", spec.name, body=body)))
        return Completion(spec.name)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Where an upload goes: `kind` is what its transport can do."""

    origin: str
    kind: type[Bare] = Asked
    capabilities: Capabilities = field(default_factory=limits)
    account: str | None = "acme"
    access_token: Secret | str | None = "depot-token"
    credentials: Any = None

    def transport(self) -> Transport:
        return self.kind(self.origin, self.capabilities)

    def fields(self) -> Mapping[str, Any]:
        return {}

    def identity_fields(self) -> Mapping[str, Any]:
        return {}


def _told(operation: str, answer: Response) -> Any:
    """Return what an answer says, or raise what it stands for."""
    facts: dict[str, Any] = {"operation": operation, "status": answer.status}
    match answer.status:
        case 200 | 201 | 204:
            return json.loads(answer.content or b"{}")
        case 401:
            raise AuthenticationError(f"{operation}: the token is not good", **facts)
        case 404:
            raise SessionExpiredError(f"{operation}: it is gone", **facts)
        case 409:
            offset = json.loads(answer.content)["offset"]
            raise OffsetMismatchError(f"{operation}: it is elsewhere", offset=offset, **facts)
        case 429:
            raise RateLimitedError(f"{operation}: too many", **facts)
        case status if status >= 500:
            raise ServerError(f"{operation}: the server failed", **facts)
    raise RejectedError(f"{operation}: {answer.status}", **facts)
