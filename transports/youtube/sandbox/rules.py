"""YouTube's written rules: what may open an upload, and what a chunk may be.

Rule: pure functions of their arguments. Numbers and reasons come from
https://developers.google.com/youtube/v3/docs/videos/insert and
https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from transports.youtube.sandbox.videos import ALIGNMENT, Video

MAX_VIDEO = 256 * 1024**3
PARTS = {
    "snippet": {
        "title", "description", "tags", "categoryId", "defaultLanguage", "defaultAudioLanguage",
    },
    "status": {
        "privacyStatus", "publishAt", "license", "embeddable", "publicStatsViewable",
        "selfDeclaredMadeForKids", "containsSyntheticMedia",
    },
    "recordingDetails": {"recordingDate"},
    "localizations": None,
}  # fmt: skip
STATUS_OF_REASON = {
    "authError": 401,
    "backendError": 503,
    "forbidden": 403,
    "invalidCategoryId": 400,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
    "uploadLimitExceeded": 400,
    "userRateLimitExceeded": 403,
    "youtubeSignupRequired": 401,
}

_CHUNK = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)
_QUESTION = re.compile(r"bytes \*/(\d{1,19})", re.ASCII)


class ApiRefusal(Exception):
    """An answer of the API with a reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Chunk(NamedTuple):
    """A chunk's range, the last byte exclusive."""

    first: int
    stop: int
    total: int


def read_chunk(text: str | None) -> Chunk | None:
    """Read `bytes FIRST-LAST/TOTAL`."""
    found = _CHUNK.fullmatch(text or "")
    return Chunk(int(found[1]), int(found[2]) + 1, int(found[3])) if found else None


def read_question(text: str | None) -> int | None:
    """Return the total of `bytes */TOTAL`."""
    found = _QUESTION.fullmatch(text or "")
    return int(found[1]) if found else None


def chunk_fault(video: Video, chunk: Chunk, length: int | None) -> str | None:
    """Say which rule a chunk breaks, if any."""
    size = chunk.stop - chunk.first
    if chunk.total != video.size:
        return f"says that the video has {chunk.total} bytes, not {video.size}"
    if size < 1 or chunk.stop > video.size:
        return f"is no range of {video.size} bytes"
    if length != size:
        return f"has a Content-Length of {length} for {size} bytes"
    if video.complete:
        return "came after the last byte"
    if chunk.first != video.received:
        return f"begins at {chunk.first}, and {video.received} bytes are stored"
    if chunk.stop != video.size and size % ALIGNMENT:
        return f"has {size} bytes, which is no multiple of {ALIGNMENT}, and is not the last"
    return None


def check_metadata(metadata: Any, parts: list[str]) -> list[str]:
    """Return the fields that YouTube would ignore; raise `ApiRefusal` for what it refuses."""
    if not isinstance(metadata, dict) or not isinstance(metadata.get("snippet"), dict):
        raise ApiRefusal(400, "invalidVideoMetadata", "the request has no snippet")
    if set(metadata) != set(parts) or not set(parts) <= set(PARTS):
        raise ApiRefusal(400, "unexpectedPart", f"part={parts}, and {sorted(metadata)} are sent")
    snippet, status = metadata["snippet"], metadata.get("status", {})
    _check_snippet(snippet)
    _check_status(status)
    if metadata.get("localizations") and "defaultLanguage" not in snippet:
        raise ApiRefusal(400, "defaultLanguageNotSet", "localizations need a default language")
    return [
        f"{part}.{name}"
        for part, known in PARTS.items()
        if known is not None
        for name in metadata.get(part, {})
        if name not in known
    ]


def _check_snippet(snippet: Mapping[str, Any]) -> None:
    title, description = snippet.get("title"), snippet.get("description", "")
    if not isinstance(title, str) or not title or len(title) > 100 or _angled(title):
        raise ApiRefusal(400, "invalidTitle", "the title is invalid or empty")
    if not isinstance(description, str) or len(description.encode()) > 5000 or _angled(description):
        raise ApiRefusal(400, "invalidDescription", "the description is invalid")
    tags = snippet.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ApiRefusal(400, "invalidTags", "tags is no list of texts")
    quoted = [f'"{tag}"' if " " in tag else tag for tag in tags]
    if len(",".join(quoted)) > 500 or any(map(_angled, tags)):
        raise ApiRefusal(400, "invalidTags", "the tags are invalid")
    if not str(snippet.get("categoryId", "22")).isdigit():
        raise ApiRefusal(400, "invalidCategoryId", "the category is invalid")


def _check_status(status: Mapping[str, Any]) -> None:
    privacy = status.get("privacyStatus", "public")
    if privacy not in ("private", "public", "unlisted"):
        raise ApiRefusal(400, "invalidVideoMetadata", "the privacy status is invalid")
    if status.get("license", "youtube") not in ("youtube", "creativeCommon"):
        raise ApiRefusal(400, "invalidVideoMetadata", "the license is invalid")
    if "publishAt" in status:
        try:
            datetime.fromisoformat(status["publishAt"])
        except (TypeError, ValueError):
            privacy = ""
        if privacy != "private":
            raise ApiRefusal(400, "invalidPublishAt", "publishAt is invalid, or not private")
    for name in ("embeddable", "publicStatsViewable", "selfDeclaredMadeForKids"):
        if not isinstance(status.get(name, True), bool):
            raise ApiRefusal(400, "invalidVideoMetadata", f"{name} is no boolean")


def _angled(text: str) -> bool:
    return "<" in text or ">" in text


def announced(headers: Mapping[str, str]) -> tuple[int, str]:
    """Return size and type that a client announces; raise `ApiRefusal` when they are not taken."""
    length = headers.get("X-Upload-Content-Length", "")
    kind = headers.get("X-Upload-Content-Type", "")
    if not length.isdigit() or not 0 < int(length) <= MAX_VIDEO:
        raise ApiRefusal(400, "mediaBodyRequired", "X-Upload-Content-Length is no size")
    if not kind.startswith("video/") and kind != "application/octet-stream":
        raise ApiRefusal(400, "invalidMediaType", "X-Upload-Content-Type is no video")
    return int(length), kind
