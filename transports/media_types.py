"""Media types by a file's first bytes and its name.

Rule: pure; what is not recognised is `application/octet-stream`, never a guess.
"""

from __future__ import annotations

from typing import Final

from uploader.model import SourceFacts

UNKNOWN: Final = "application/octet-stream"

# https://www.iana.org/assignments/media-types/media-types.xhtml
_BY_SUFFIX: Final = {
    "3gp": "video/3gpp",
    "aac": "audio/aac",
    "avi": "video/vnd.avi",
    "csv": "text/csv",
    "flac": "audio/flac",
    "gif": "image/gif",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "mkv": "video/matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "mxf": "application/mxf",
    "ogv": "video/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "srt": "application/x-subrip",
    "ts": "video/mp2t",
    "txt": "text/plain",
    "vtt": "text/vtt",
    "wav": "audio/vnd.wave",
    "webm": "video/webm",
    "webp": "image/webp",
    "zip": "application/zip",
}


def media_type(facts: SourceFacts) -> str:
    """Return the media type of a source; its first bytes win over its name."""
    return _by_head(facts.head) or _BY_SUFFIX.get(_suffix(facts.name), UNKNOWN)


def _by_head(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:12] == b"qt  " else _iso(head[8:12])
    if head[:4] == b"\x1aE\xdf\xa3" and b"webm" in head:
        return "video/webm"
    return None


def _iso(brand: bytes) -> str | None:
    """Return the type of an ISO base media file by its major brand; not every one is a video."""
    return "video/mp4" if brand in (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41",
                                    b"mp42", b"avc1", b"dash", b"M4V ") else None  # fmt: skip


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""
