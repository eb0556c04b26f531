"""The API's small calls and what they answer: creator info, init, status, cancel.

Rule: pure; one implementation of each call, whoever drives it. Names are TikTok's own, spellings
that its pages and its wire disagree about are both read, and ids stay text: 19 digits do not fit a
double.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from transports.tiktok.errors import envelope, from_fail_reason
from transports.tiktok.paths import Endpoint
from uploader.errors import ProtocolError
from uploader.http import JSON_TYPE, Request
from uploader.model import Completion, Processing
from uploader.secret import Secret
from uploader.transport import Flow

SUCCEEDED: Final = frozenset({"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX"})
# PUBLISH_FAILED is not official, and old code knows it.
FAILED: Final = frozenset({"FAILED", "PUBLISH_FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatorInfo:
    """What a creator may post now. `max_video_post_duration_sec` is `None` when it is not said.

    The avatar's address lives for two hours.
    https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info
    """

    creator_username: str
    creator_nickname: str
    privacy_level_options: tuple[str, ...]
    comment_disabled: bool = False
    duet_disabled: bool = False
    stitch_disabled: bool = False
    max_video_post_duration_sec: int | None = None
    creator_avatar_url: str = field(default="", repr=False)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> CreatorInfo:
        """Read an answer's `data`; raise `ProtocolError` when it offers nothing to choose from."""
        options, longest = data.get("privacy_level_options"), data.get(_LONGEST)
        if not isinstance(options, list) or not all(isinstance(each, str) for each in options):
            raise ProtocolError(
                "creator_info: the answer has no privacy levels", operation="creator_info"
            )
        return cls(
            creator_username=str(data.get("creator_username") or ""),
            creator_nickname=str(data.get("creator_nickname") or ""),
            privacy_level_options=tuple(options),
            comment_disabled=data.get("comment_disabled") is True,
            duet_disabled=data.get("duet_disabled") is True,
            stitch_disabled=data.get("stitch_disabled") is True,
            max_video_post_duration_sec=_count(longest),
            creator_avatar_url=str(data.get("creator_avatar_url") or ""),
        )


_LONGEST: Final = "max_video_post_duration_sec"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPost:
    """What an init answers; there is an `upload_url` for FILE_UPLOAD only."""

    publish_id: str
    upload_url: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostStatus:
    """What the status says of a post, in TikTok's words.

    `post_ids` are there for public posts only, once they were moderated; a draft may become several
    posts. `uploaded_bytes` is "1-indexed", a count; `None` is not 0.
    https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status
    """

    publish_id: str
    status: str
    fail_reason: str | None = None
    post_ids: tuple[str, ...] = ()
    uploaded_bytes: int | None = None
    downloaded_bytes: int | None = None

    @classmethod
    def read(cls, publish_id: str, data: Mapping[str, Any]) -> PostStatus:
        """Read an answer's `data`; raise `ProtocolError` when it has no status."""
        status = data.get("status")
        if not isinstance(status, str):
            raise ProtocolError("status: the answer has no status", operation="status")
        return cls(
            publish_id=publish_id,
            status=status,
            fail_reason=str(data.get("fail_reason") or "") or None,
            post_ids=tuple(post_ids(data)),
            uploaded_bytes=_count(data.get("uploaded_bytes")),
            downloaded_bytes=_count(data.get("downloaded_bytes")),
        )

    @property
    def has_failed(self) -> bool:
        return self.status in FAILED

    @property
    def has_succeeded(self) -> bool:
        """Whether it is posted, or a draft is in the creator's inbox."""
        return self.status in SUCCEEDED

    def processing(self) -> Processing:
        """Return it in the engine's words; an undocumented status is neither end."""
        fields: dict[str, Any] = {"publish_id": self.publish_id, "status": self.status}
        if self.post_ids:
            fields["post_ids"] = list(self.post_ids)
        if self.has_succeeded:
            return Processing(self.status, Completion(fields=fields), fields=fields)
        if self.has_failed:
            reason = self.fail_reason or ""
            fields["fail_reason"] = reason
            return Processing(self.status, error=from_fail_reason(reason), fields=fields)
        return Processing(self.status, fields=fields)


def creator_info(base_url: str) -> Flow[CreatorInfo]:
    """Ask what the creator may post. Caps come as refusals under a good HTTP status."""
    answer = yield request(base_url, "creator_info", Endpoint.CREATOR_INFO, {})
    return CreatorInfo.read(envelope("creator_info", answer))


def open_post(base_url: str, path: Endpoint, content: Mapping[str, Any]) -> Flow[OpenedPost]:
    """Send an init. Two of them can become two posts, so it goes out on a fresh connection."""
    data = envelope("init", (yield request(base_url, "init", path, content, fresh=True)))
    # Masked before anything can fail: what a crash reporter prints must hold no token.
    upload_url = Secret(str(data.pop("upload_url", None) or ""))
    publish_id = data.get("publish_id")
    if not isinstance(publish_id, str) or not publish_id:
        raise ProtocolError("init: the answer has no publish_id", operation="init")
    return OpenedPost(publish_id=publish_id, upload_url=upload_url or None)


def post_status(base_url: str, publish_id: str) -> Flow[PostStatus]:
    """Ask how a post stands."""
    content = {"publish_id": publish_id}
    answer = yield request(base_url, "status", Endpoint.STATUS, content)
    return PostStatus.read(publish_id, envelope("status", answer))


def cancel(base_url: str, publish_id: str) -> Flow[None]:
    """Ask that a post be cancelled.

    It is documented for posts that TikTok still downloads, and best effort then; of a FILE_UPLOAD
    nothing is said. The status tells what became of it.
    """
    answer = yield request(base_url, "cancel", Endpoint.CANCEL, {"publish_id": publish_id})
    envelope("cancel", answer)


def request(
    base_url: str,
    operation: str,
    path: Endpoint,
    content: Mapping[str, Any],
    *,
    fresh: bool = False,
) -> Request:
    """Return a call of the API."""
    return Request(
        operation,
        "POST",
        f"{base_url}{path}",
        headers={"Content-Type": JSON_TYPE},
        content=json.dumps(content).encode(),
        auth="bearer",
        fresh=fresh,
    )


def post_ids(data: Mapping[str, Any]) -> list[str]:
    """Return the public posts' ids as text.

    The vendor's spelling is `publicaly_available_post_id`; a bare value and a list are both seen.
    """
    found = data.get("publicaly_available_post_id", data.get("publicly_available_post_id"))
    if found is None or found == "":
        return []
    return [str(item) for item in (found if isinstance(found, list) else [found])]


def _count(value: Any) -> int | None:
    """Return a number of bytes or seconds; what is none counts as not told."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value
