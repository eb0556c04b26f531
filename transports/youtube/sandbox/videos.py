"""What the sandbox remembers: videos on their way, requests, broken rules.

Rule: state, no HTTP. Bytes are counted and hashed, never kept. The server's thread writes; tests
read from theirs.
"""

import asyncio
import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALIGNMENT = 262_144  # "must be a multiple of 256 KB"
ARRIVED = {"uploadStatus": "uploaded"}
"""The status of a video from its last byte until it is processed."""


@dataclass(slots=True)
class RequestRecord:
    """One request as it arrived; `status` is None while, or for ever if, it is not answered.

    `range` is the Content-Range as sent.
    """

    operation: str
    status: int | None = None
    publish_id: str | None = None
    range: str | None = None
    fault: bool = False


class Content:
    """The bytes that arrived of a video, as a count and a hash.

    A chunk that is cut off leaves whole pieces of 256 KiB behind, counted from the video's start.
    """

    def __init__(self) -> None:
        self.stored = 0
        self._hasher = hashlib.sha256()
        self._kept = (0, self._hasher)
        self._running = self._hasher.copy()
        self.at = 0

    @property
    def sha256(self) -> str:
        return self._hasher.hexdigest()

    def begin(self) -> None:
        """Begin a chunk at what is stored."""
        self.at, self._running = self.stored, self._hasher.copy()
        self._kept = self.stored, self._hasher

    def take(self, piece: bytes) -> None:
        """Count and hash a piece of the chunk."""
        view = memoryview(piece)
        while view:
            room = ALIGNMENT - self.at % ALIGNMENT
            self._running.update(view[:room])
            self.at += len(view[:room])
            if self.at % ALIGNMENT == 0:
                self._kept = self.at, self._running.copy()
            view = view[room:]

    def commit(self) -> None:
        """Count the chunk as stored."""
        self.stored, self._hasher = self.at, self._running

    def cut(self) -> None:
        """Count as stored what is whole of the chunk."""
        self.stored, self._hasher = self._kept


@dataclass(slots=True)
class Video:
    """An upload: on its way, complete (then it is a video), gone or cancelled."""

    video_id: str
    account: str
    metadata: Mapping[str, Any]
    size: int
    content_type: str
    notify_subscribers: bool
    url: str = field(repr=False)
    content: Content = field(default_factory=Content, repr=False)
    expired: bool = False
    cancelled: bool = False
    told: bool = False
    """An answer has said that it is complete."""
    asked: int = 0
    busy: "Turn | None" = field(default=None, repr=False)

    @property
    def title(self) -> str:
        return str(self.metadata["snippet"]["title"])

    @property
    def received(self) -> int:
        return self.content.stored

    @property
    def sha256(self) -> str:
        return self.content.sha256

    @property
    def complete(self) -> bool:
        return self.content.stored == self.size

    def resource(self, status: Mapping[str, str]) -> dict[str, Any]:
        """Return the video as YouTube describes it."""
        given = dict(self.metadata.get("status", {}))
        return {
            "kind": "youtube#video",
            "id": self.video_id,
            "snippet": dict(self.metadata["snippet"]),
            "status": {**given, **status},
        }


class Turn:
    """The request that a session is busy with."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.hurry = asyncio.Event()
        """Somebody waits for it to end: do not stall any longer."""
        self.gone = False
        """Its client had left when it ended."""


@dataclass(slots=True)
class Book:
    """Remember what happened, in order."""

    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    """The account of each access token."""
    uploads: list[Video] = field(default_factory=list)
    requests: list[RequestRecord] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    by_session: dict[str, Video] = field(default_factory=dict, repr=False)

    def record(self, operation: str) -> RequestRecord:
        """Note a request that has just arrived."""
        entry = RequestRecord(operation)
        self.requests.append(entry)
        self.notify()
        return entry

    def violation(self, text: str) -> None:
        """Note that a client did what a client must never do."""
        self.violations.append(text)
        self.notify()

    def notify(self) -> None:
        """Wake whoever waits for something to have happened."""
        with self.changed:
            self.changed.notify_all()
