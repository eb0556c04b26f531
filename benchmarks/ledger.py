"""What the sink knows about the uploads it serves: TikTok's answers, without its rules.

Rule: no sockets. It checks order and length, because a run that sends wrong ranges proves
nothing; everything else is the sandbox's task (protocols: TikTok Content Posting API, FILE_UPLOAD).
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_PUBLISH_ID = "v_pub_file~v2-1.{:019d}"


class RangeError(ValueError):
    """A PUT whose range does not continue the upload; `status` is what TikTok answers to it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Upload:
    """One upload: what was declared, what arrived, and when (monotonic seconds)."""

    publish_id: str
    size: int
    opened_at: float
    received: int = 0
    parts: int = 0
    first_at: float | None = None
    done_at: float | None = None
    title: str = ""
    digest: Any = field(default=None, repr=False)

    @property
    def complete(self) -> bool:
        """Whether every declared byte arrived."""
        return self.received == self.size

    def to_dict(self) -> dict[str, Any]:
        """Return the upload as JSON, with the SHA-256 if the sink verifies."""
        return {
            "publish_id": self.publish_id,
            "title": self.title,
            "size": self.size,
            "received": self.received,
            "parts": self.parts,
            "opened_at": self.opened_at,
            "first_at": self.first_at,
            "done_at": self.done_at,
            "sha256": self.digest.hexdigest() if self.digest else None,
        }


class Ledger:
    """All uploads of one sink; safe to use from the thread of every connection."""

    def __init__(self, *, verify: bool) -> None:
        self._verify = verify
        self._lock = Lock()
        self._uploads: dict[str, Upload] = {}
        self._opened = 0

    def open(self, request: dict[str, Any]) -> Upload:
        """Start an upload as the init call declares it."""
        size = int(request["source_info"]["video_size"])
        title = str(request.get("post_info", {}).get("title", ""))
        digest = hashlib.sha256() if self._verify else None
        with self._lock:
            self._opened += 1
            publish_id = _PUBLISH_ID.format(self._opened)
            upload = Upload(publish_id, size, time.monotonic(), title=title, digest=digest)
            self._uploads[publish_id] = upload
        return upload

    def find(self, publish_id: str) -> Upload:
        """Return the upload; an unknown one is answered with 404."""
        with self._lock:
            upload = self._uploads.get(publish_id)
        if upload is None:
            raise RangeError(404, "no such upload")
        return upload

    def expect(self, upload: Upload, content_range: str, length: int) -> None:
        """Check that a PUT continues the upload where it stands."""
        found = _RANGE.fullmatch(content_range)
        if found is None:
            raise RangeError(400, "Content-Range is missing or malformed")
        first, last, total = (int(number) for number in found.groups())
        if last - first + 1 != length:
            raise RangeError(400, "Content-Range and Content-Length disagree")
        if first != upload.received or total != upload.size or last >= total:
            raise RangeError(416, f"{upload.received} bytes are here, the range starts at {first}")
        if upload.first_at is None:
            upload.first_at = time.monotonic()

    def store(self, upload: Upload, length: int, digest: Any = None) -> int:
        """Count a part that arrived whole and return the status of its answer: 206 or 201."""
        upload.digest = digest
        upload.received += length
        upload.parts += 1
        if not upload.complete:
            return 206
        upload.done_at = time.monotonic()
        return 201

    def reset(self) -> None:
        """Forget every upload, as before a run."""
        with self._lock:
            self._uploads.clear()

    def report(self) -> list[dict[str, Any]]:
        """Return every upload as JSON, in the order of their init calls."""
        with self._lock:
            return [upload.to_dict() for upload in self._uploads.values()]
