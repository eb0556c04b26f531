"""The flows of TikTok's FILE_UPLOAD: init, chunks, status.

Rule: pure. The answers are those of the media transfer guide, to the letter: 206 for every chunk
but the last, 201 for the last, and nothing else is success.
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from transports.tiktok.errors import envelope, from_fail_reason, from_upload_host
from transports.tiktok.hosts import check_upload_url
from transports.tiktok.media import content_type
from uploader.errors import ProtocolError
from uploader.http import JSON_TYPE, Body, Request, Response
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
from uploader.secret import Secret
from uploader.transport import Capabilities, Flow

INIT: Final = "/v2/post/publish/video/init/"
STATUS: Final = "/v2/post/publish/status/fetch/"

# What every answer carries: "Content-Range: bytes 0-{UPLOADED_BYTES}/{TOTAL_BYTE_LENGTH}".
_STORED: Final = re.compile(r"bytes 0-(\d{1,19})/(\d{1,19})", re.ASCII)

SUCCEEDED: Final = frozenset({"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX"})
# PUBLISH_FAILED is not official, and old code knows it.
FAILED: Final = frozenset({"FAILED", "PUBLISH_FAILED"})


@dataclass(frozen=True, slots=True)
class TikTokTransport:
    """One direct post."""

    post_info: Mapping[str, Any]
    base_url: str
    capabilities: Capabilities
    name: str = "tiktok"

    def content_type(self, facts: SourceFacts) -> str:
        return content_type(facts)

    def create(self, spec: UploadSpec) -> Flow[Session]:
        """Send `init`. Two of them can become two posts, so it goes out on a fresh connection."""
        source_info = {
            "source": "FILE_UPLOAD",
            "video_size": spec.size,
            "chunk_size": spec.plan.part_size,
            "total_chunk_count": spec.plan.count,
        }
        content = {"post_info": dict(self.post_info), "source_info": source_info}
        data = envelope("init", (yield self._call("init", INIT, content, fresh=True)))
        # Masked before anything can fail: what a crash reporter prints must hold no token.
        upload_url = Secret(str(data.pop("upload_url", "")))
        publish_id = data.get("publish_id")
        if not isinstance(publish_id, str) or not publish_id or not upload_url:
            raise ProtocolError(
                "init: the answer has no publish_id or upload_url", operation="init"
            )
        return Session(
            {"publish_id": publish_id, "content_type": spec.content_type},
            {"upload_url": check_upload_url(upload_url, self.base_url)},
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
        data = yield from self._status(session)
        processing = _processing(data, session)
        stored = data.get("uploaded_bytes")
        if not isinstance(stored, int) or isinstance(stored, bool) or stored < 0:
            stored = None
        return Confirmed(stored, processing if processing.is_terminal else None)

    def poll(self, session: Session) -> Flow[Processing]:
        """Ask the status. An upload without a known id ends with its last byte: nobody can tell."""
        if not session.fields["publish_id"]:
            return Processing("SENT", Completion(fields={"publish_id": None, "status": "SENT"}))
        data = yield from self._status(session)
        return _processing(data, session)

    def _status(self, session: Session) -> Flow[dict[str, Any]]:
        content = {"publish_id": session.fields["publish_id"]}
        data = envelope("status", (yield self._call("status", STATUS, content)))
        if not isinstance(data.get("status"), str):
            raise ProtocolError("status: the answer has no status", operation="status")
        return data

    def _call(
        self, operation: str, path: str, content: Mapping[str, Any], *, fresh: bool = False
    ) -> Request:
        return Request(
            operation,
            "POST",
            f"{self.base_url}{path}",
            headers={"Content-Type": JSON_TYPE},
            content=json.dumps(content).encode(),
            auth="bearer",
            fresh=fresh,
        )


def _stored(response: Response, size: int) -> int | None:
    """Return N of a `Content-Range: bytes 0-N/TOTAL`, `None` when there is none to read."""
    found = _STORED.fullmatch(response.headers.get("content-range", ""))
    return int(found[1]) if found and int(found[2]) == size else None


def _processing(data: Mapping[str, Any], session: Session) -> Processing:
    """Read a status. One that TikTok does not document is neither success nor failure."""
    status = str(data["status"])
    fields: dict[str, Any] = {"publish_id": session.fields["publish_id"], "status": status}
    ids = post_ids(data)
    if ids:
        fields["post_ids"] = ids
    if status in SUCCEEDED:
        return Processing(status, Completion(fields=fields), fields=fields)
    if status in FAILED:
        reason = str(data.get("fail_reason") or "")
        fields["fail_reason"] = reason
        return Processing(status, error=from_fail_reason(reason), fields=fields)
    return Processing(status, fields=fields)


def post_ids(data: Mapping[str, Any]) -> list[str]:
    """Return the public posts' ids as text: 19 digits do not fit a double.

    The vendor's spelling is `publicaly_available_post_id`; a bare value and a list are both seen.
    """
    found = data.get("publicaly_available_post_id", data.get("publicly_available_post_id"))
    if found is None or found == "":
        return []
    return [str(item) for item in (found if isinstance(found, list) else [found])]
