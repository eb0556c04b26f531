"""The flows of TikTok's FILE_UPLOAD: init, chunks, status.

Rule: pure. The answers are those of the media transfer guide, to the letter: 206 for every chunk
but the last, 201 for the last, and nothing else is success.
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from transports.tiktok import operations
from transports.tiktok.errors import from_upload_host
from transports.tiktok.hosts import check_upload_url
from transports.tiktok.media import content_type
from transports.tiktok.operations import PostStatus
from transports.tiktok.paths import Endpoint
from uploader.errors import ProtocolError
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

# What every answer carries: "Content-Range: bytes 0-{UPLOADED_BYTES}/{TOTAL_BYTE_LENGTH}".
_STORED: Final = re.compile(r"bytes 0-(\d{1,19})/(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class TikTokTransport:
    """One direct post, or one draft: that has no `post_info`, the creator fills it in."""

    post_info: Mapping[str, Any] | None
    base_url: str
    capabilities: Capabilities
    path: Endpoint = Endpoint.VIDEO_INIT
    name: str = "tiktok"
    reference: str = "publish_id"

    def content_type(self, facts: SourceFacts) -> str:
        return content_type(facts)

    def create(self, spec: UploadSpec) -> Flow[Session]:
        """Send `init`."""
        source_info = {
            "source": "FILE_UPLOAD",
            "video_size": spec.size,
            "chunk_size": spec.plan.part_size,
            "total_chunk_count": spec.plan.count,
        }
        content: dict[str, Any] = {"source_info": source_info}
        if self.post_info is not None:
            content["post_info"] = dict(self.post_info)
        opened = yield from operations.open_post(self.base_url, self.path, content)
        if opened.upload_url is None:
            raise ProtocolError("init: the answer has no upload_url", operation="init")
        return Session(
            {"publish_id": opened.publish_id, "content_type": spec.content_type},
            {"upload_url": check_upload_url(opened.upload_url, self.base_url)},
        )

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        """Send one chunk. The token is in the URL: no Authorization header is sent."""
        final = plan.is_last(part)
        response = yield Request(
            "put",
            "PUT",
            session.secrets["upload_url"],
            headers={
                "Content-Type": session.fields["content_type"],
                "Content-Range": f"bytes {part.start}-{part.stop - 1}/{plan.size}",
            },
            body=body,
        )
        if response.status != (201 if final else 206):
            raise from_upload_host(response, part.start, part.stop - 1, final=final)
        stored = _stored(response, plan.size)
        # Count or last index: the guide does not say which.
        if stored is not None and stored not in (part.stop, part.stop - 1):
            raise ProtocolError(
                f"put: bytes {part.start:,}-{part.stop - 1:,} were answered {response.status},"
                f" and the server tells of {stored:,}",
                operation="put",
                status=response.status,
            )
        return Receipt(part.index)

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Do nothing: the last chunk completes the upload."""
        yield from ()  # a flow is a generator, also when it asks for nothing
        return Completion(fields={"publish_id": session.fields["publish_id"]})

    def query(self, session: Session) -> Flow[Confirmed]:
        """Ask the status: there is no other way to learn what the upload host holds.

        `uploaded_bytes` is "1-indexed" in TikTok's words, a count. A missing one is not 0.
        """
        if not session.fields["publish_id"]:
            return Confirmed(None)
        status = yield from self._status(session)
        processing = status.processing()
        return Confirmed(status.uploaded_bytes, processing if processing.is_terminal else None)

    def poll(self, session: Session) -> Flow[Processing]:
        """Ask the status. An upload without a known id ends with its last byte: nobody can tell."""
        if not session.fields["publish_id"]:
            return Processing("SENT", Completion(fields={"publish_id": None, "status": "SENT"}))
        status = yield from self._status(session)
        return status.processing()

    def _status(self, session: Session) -> Flow[PostStatus]:
        return operations.post_status(self.base_url, session.fields["publish_id"])


def _stored(response: Response, size: int) -> int | None:
    """Return N of a `Content-Range: bytes 0-N/TOTAL`, `None` when there is none to read."""
    found = _STORED.fullmatch(response.headers.get("content-range", ""))
    return int(found[1]) if found and int(found[2]) == size else None
