"""Which media type a file is.

Rule: the name decides; a name without a known ending is decided by the first bytes.
"""

from __future__ import annotations

from pathlib import PurePath

from uploader.errors import ConfigurationError
from uploader.model import SourceFacts

_BY_SUFFIX = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".qt": "video/quicktime",
    ".webm": "video/webm",
}
_EBML = b"\x1a\x45\xdf\xa3"


def content_type(facts: SourceFacts) -> str:
    """Return video/mp4, video/quicktime or video/webm, or raise `ConfigurationError`."""
    suffix = PurePath(facts.name).suffix.lower()
    found = _BY_SUFFIX.get(suffix) or (None if suffix else _sniff(facts.head))
    if found is None:
        raise ConfigurationError(
            f"{facts.name or 'the content'} is of an unknown type: TikTok takes MP4, MOV and WebM"
        ).hint("rename the file to end in .mp4, .mov or .webm if it is one of these")
    return found


def _sniff(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    return "video/webm" if head.startswith(_EBML) else None
