"""The flows of a video's upload: a resumable session, and how the video fares after it.

Rule: pure. The video exists from the last byte on, and not before.
https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from transports.google import from_google, resource
from transports.media_types import UNKNOWN, media_type
from transports.resumable import SIZE, ResumableProtocol, opening_headers
from transports.youtube.errors import HINTS, from_status
from uploader.errors import ConfigurationError, ProtocolError, SessionExpiredError
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

INSERT: Final = "/upload/youtube/v3/videos"
LIST: Final = "/youtube/v3/videos"
WATCH: Final = "https://www.youtube.com/watch?v="
AUTH: Final = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class YouTubeTransport:
    """One video. `metadata` is its resource, `query_fields` the parameters of the request.

    It is done when it has arrived, or when YouTube has processed it: `await_processing`.
    """

    metadata: Mapping[str, Any]
    base_url: str
    capabilities: Capabilities
    type: str | None = None
    query_fields: Mapping[str, str] = field(default_factory=dict)
    await_processing: bool = False
    name: str = "youtube"

    def content_type(self, facts: SourceFacts) -> str:
        """Return the media type. Any video is taken, and what is not recognised."""
        found = self.type or media_type(facts)
        if not found.startswith("video/") and found != UNKNOWN:
            raise ConfigurationError(f"{facts.name or 'the content'} is {found}, no video").hint(
                "YouTube takes video/* and application/octet-stream: give content_type="
            )
        return found

    def create(self, spec: UploadSpec) -> Flow[Session]:
        query = {"uploadType": "resumable", "part": ",".join(self.metadata), **self.query_fields}
        request = Request(
            "create",
            "POST",
            f"{self.base_url}{INSERT}?{urlencode(query, safe=',')}",
            opening_headers(spec),
            json.dumps(self.metadata).encode(),
            auth=AUTH,
        )
        return (yield from self._protocol.open(request, spec))

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        """Send one chunk; the answer to the last one is the video."""
        answer = yield from self._protocol.send(session, plan, part, body)
        fields = {} if answer is None else _facts("put", answer)
        return Receipt(part.index, fields, part.length)

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Do nothing: the last chunk made the video, and its answer tells which."""
        yield from ()  # a flow is a generator, also when it asks for nothing
        for receipt in receipts.values():
            if "video_id" in receipt.fields:
                return _completion(receipt.fields)
        return Completion()

    def query(self, session: Session) -> Flow[Confirmed]:
        answer = yield from self._protocol.ask(session)
        if not isinstance(answer, Response):
            return Confirmed(answer)
        return Confirmed(session.fields[SIZE], self._arrived(_facts("query", answer)))

    def abort(self, session: Session) -> Flow[None]:
        yield from self._protocol.drop(session)

    def poll(self, session: Session) -> Flow[Processing]:
        """Ask which video it is, and how that one fares when its processing is waited for.

        https://developers.google.com/youtube/v3/docs/videos/list
        """
        try:
            answer = yield from self._protocol.ask(session, "poll")
        except SessionExpiredError:
            # Every byte was confirmed: only the video's name is not known.
            return Processing("uploaded", Completion())
        if not isinstance(answer, Response):
            return Processing("uploading")
        facts = _facts("poll", answer)
        if not self.await_processing:
            return self._arrived(facts)
        query = urlencode({"part": "processingDetails,status", "id": facts["video_id"]}, safe=",")
        response = yield Request("poll", "GET", f"{self.base_url}{LIST}?{query}", auth=AUTH)
        if response.status != 200:
            raise from_google("poll", response, hints=HINTS)
        items = resource("poll", response).get("items")
        if not isinstance(items, list) or not items or not isinstance(items[0], dict):
            return Processing("not listed", fields=facts)
        return _processed(items[0], facts)

    @property
    def _protocol(self) -> ResumableProtocol:
        return ResumableProtocol(endpoint=self.base_url, chunk_auth=AUTH, hints=HINTS)

    def _arrived(self, facts: Mapping[str, Any]) -> Processing:
        """Say how an upload stands whose last byte has arrived."""
        completion = None if self.await_processing else _completion(facts)
        return Processing("uploaded", completion, fields=facts)


def _processed(video: Mapping[str, Any], facts: Mapping[str, Any]) -> Processing:
    """Read a video's status. A word that YouTube does not document is no end."""
    status, details = (
        found if isinstance(found := video.get(part), dict) else {}
        for part in ("status", "processingDetails")
    )
    state = str(status.get("uploadStatus"))
    told = {
        **facts,
        "upload_status": state,
        "processing_status": details.get("processingStatus"),
        "privacy_status": status.get("privacyStatus"),
    }
    fields = {name: value for name, value in told.items() if value is not None}
    error = from_status(status)
    if error is not None:
        return Processing(state, error=error, fields=fields)
    if state == "processed":
        return Processing(state, _completion(fields), fields=fields)
    return Processing(state, fields=fields)


def _facts(operation: str, answer: Response) -> dict[str, Any]:
    """Return what is kept of a video's resource, or raise `ProtocolError` when it has no id."""
    found = resource(operation, answer)
    video_id = found.get("id")
    if not isinstance(video_id, str) or not video_id:
        raise ProtocolError(
            f"{operation}: answered {answer.status} with a resource that has no id",
            operation=operation,
            status=answer.status,
        )
    facts: dict[str, Any] = {"video_id": video_id}
    status = found.get("status")
    if isinstance(status, dict) and isinstance(status.get("uploadStatus"), str):
        facts["upload_status"] = status["uploadStatus"]
    return facts


def _completion(facts: Mapping[str, Any]) -> Completion:
    video_id = facts.get("video_id")
    return Completion(f"{WATCH}{video_id}" if video_id else None, facts)
