"""What the sandbox remembers of an upload: its cut, what arrived, and what became of it.

Rule: only counts, ranges, times and a running SHA-256 are kept; no I/O. A task's state
is computed from when things happened, so moving the clock is enough to move a post along.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from transports.tiktok.sandbox.clock import SandboxClock
from transports.tiktok.sandbox.switches import Switches

PROCESSING_UPLOAD = "PROCESSING_UPLOAD"
PROCESSING_DOWNLOAD = "PROCESSING_DOWNLOAD"
SEND_TO_USER_INBOX = "SEND_TO_USER_INBOX"
PUBLISH_COMPLETE = "PUBLISH_COMPLETE"
FAILED = "FAILED"


class Hasher(Protocol):
    """The part of a hashlib object that is used here."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def copy(self) -> "Hasher": ...
    def hexdigest(self) -> str: ...


@dataclass(slots=True)
class RequestRecord:
    """One request as it arrived; `status` is None while, or for ever if, it is not answered.

    `range` is the header as sent. `fault` is True when a scripted fault met the request.
    """

    operation: str
    time: float
    status: int | None = None
    publish_id: str | None = None
    range: str | None = None
    fault: bool = False


@dataclass(slots=True)
class Chunk:
    """One PUT of a range (`last` inclusive), stored or not; `status` None was never answered.

    `fault` names the effect of a scripted fault, `why` is what was wrong with the request.
    """

    first: int
    last: int
    started: float
    peer: str
    status: int | None = None
    ended: float | None = None
    received: int = 0
    stored: bool = False
    fault: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """What the status operation would say at one moment."""

    status: str
    fail_reason: str | None = None
    post_ids: tuple[int, ...] = ()


@dataclass(eq=False, slots=True, kw_only=True)
class Post:
    """One init and everything that followed; alive: read it at any time, from any thread."""

    publish_id: str
    account: str
    title: str
    privacy_level: str
    post_info: Mapping[str, object]
    size: int
    chunk_size: int
    total_chunk_count: int
    created: float
    expires: float
    media: str = "video"
    """`video` or `photos`."""
    inbox: bool = False
    """A draft, which the creator finishes in the app."""
    urls: tuple[str, ...] = ()
    """Where the media are pulled from; none for an upload of a file."""
    body: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The init as it was sent."""
    finished: list[tuple[float, int]] = field(default_factory=list)
    """When the creator made a post of the draft, and its id; once for each post."""
    kept: Path | None = None
    """Where the bytes are written as they come, if the sandbox was told to keep them."""
    content_type: str = ""
    """What the last PUT that was stored said of them."""
    duplicate_of: str | None = None
    """publish_id of an earlier init with the same body for the same account, not failed."""
    answered: bool = False
    """A 201 for the last chunk was sent."""
    chunks: list[Chunk] = field(default_factory=list)
    received: int = 0
    completed: float | None = None
    cancelled: float | None = None

    clock: SandboxClock = field(repr=False)
    switches: Switches = field(repr=False)
    processing_seconds: float = field(repr=False)
    post_id: int = field(repr=False)
    url: str = field(repr=False)
    hasher: Hasher = field(default_factory=hashlib.sha256, repr=False)
    _history: list[tuple[float, int]] = field(default_factory=list, repr=False)

    # -- what a test asks ------------------------------------------------------------------------

    @property
    def sha256(self) -> str:
        """Return the hex digest of the accepted bytes, in order."""
        return self.hasher.hexdigest()

    @property
    def status(self) -> str:
        """Return the status of this moment, without `Switches.status_lag`."""
        return self.view(self.clock.now()).status

    @property
    def fail_reason(self) -> str | None:
        """Return why the post failed, or None."""
        return self.view(self.clock.now()).fail_reason

    @property
    def post_ids(self) -> tuple[int, ...]:
        """Return the public ids that the post has by now."""
        return self.view(self.clock.now()).post_ids

    @property
    def complete(self) -> bool:
        """Tell whether every byte is stored, or downloaded."""
        return self.completed is not None and self.completed <= self.clock.now()

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Return first and last index of every stored chunk, in order."""
        return [(chunk.first, chunk.last) for chunk in self.chunks if chunk.stored]

    # -- what the rules ask ----------------------------------------------------------------------

    def view(self, at: float) -> StatusView:
        """Return the state at a moment: on its way, then in the inbox, posted or FAILED."""
        under_way = StatusView(PROCESSING_DOWNLOAD if self.urls else PROCESSING_UPLOAD)
        if self.cancelled is not None and at >= self.cancelled:
            return StatusView(FAILED, "publish_cancelled")
        if self.completed is None or at < self.completed:
            lost = at >= self.expires and self.switches.expired_task == "failed"
            return StatusView(FAILED, "internal") if lost and not self.urls else under_way
        if self.urls and self.switches.pull == "fails":
            return StatusView(FAILED, f"{self.media.removesuffix('s')}_pull_failed")
        done = self.completed + self.processing_seconds
        if self.switches.stuck_processing or at < done:
            return under_way
        if self.switches.fail_reason is not None:
            return StatusView(FAILED, self.switches.fail_reason)
        if self.inbox:
            posts = tuple(number for moment, number in self.finished if moment <= at)
            return StatusView(PUBLISH_COMPLETE if posts else SEND_TO_USER_INBOX, post_ids=posts)
        return StatusView(PUBLISH_COMPLETE, post_ids=self._public_ids(at - done))

    def uploaded_bytes(self, at: float) -> int:
        """Return how many bytes were stored at a moment."""
        index = bisect_right(self._history, at, key=lambda entry: entry[0])
        return self._history[index - 1][1] if index else 0

    def downloaded_bytes(self, at: float) -> int:
        """Return how much of the media was downloaded at a moment."""
        assert self.completed is not None  # a download's end is known from its beginning
        whole = self.completed - self.created
        share = 1.0 if at >= self.completed else max(0.0, (at - self.created) / whole)
        return int(self.size * share)

    def expected(self) -> tuple[int, int]:
        """Return the only range that is acceptable now, `last` inclusive."""
        index = min(self.received // self.chunk_size, self.total_chunk_count - 1)
        is_last = index == self.total_chunk_count - 1
        return self.received, (self.size if is_last else (index + 1) * self.chunk_size) - 1

    def holds(self, first: int, last: int) -> bool:
        """Tell whether exactly this range was stored by one PUT."""
        return (first, last) in self.ranges

    # -- what the upload host does ---------------------------------------------------------------

    def store(self, count: int, hasher: Hasher) -> None:
        """Take `count` more bytes, which `hasher` (a continued copy of ours) has seen."""
        now = self.clock.now()
        self.hasher = hasher
        self.received += count
        self._history.append((now, self.received))
        if self.received == self.size:
            self.completed = now

    def expire(self) -> None:
        """End the life of the upload URL now."""
        self.expires = min(self.expires, self.clock.now())

    def _public_ids(self, since_done: float) -> tuple[int, ...]:
        # "post id is returned only for public posts, after moderation"
        if self.privacy_level != "PUBLIC_TO_EVERYONE" or self.switches.post_id == "never":
            return ()
        return (self.post_id,) if since_done >= self.switches.post_id_delay else ()
