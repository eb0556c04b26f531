"""The words of the house: parts, plans, sessions, receipts, outcomes and results.

Rule: frozen values that any process can hold; no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from uploader.secret import Secret

if TYPE_CHECKING:
    from uploader.errors import TransportError, UploaderError

KIB = 1024
MIB = 1024 * 1024


class Outcome(StrEnum):
    """How an upload stands when a run of it ends."""

    DONE = "done"
    PROCESSING = "processing"
    """Every byte is confirmed, the server still works on it."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The server has not told us; neither success nor failure. Never send it again blindly."""
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of the file as the destination knows it: bytes `start` to `stop` (exclusive)."""

    index: int
    start: int
    length: int

    @property
    def stop(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file of `size` bytes is cut: `count` parts of `part_size`, the last takes the rest."""

    size: int
    part_size: int
    count: int

    def __post_init__(self) -> None:
        if self.size < 1 or self.part_size < 1 or self.count < 1 or self.last_length < 1:
            raise ValueError(
                f"{self.count} parts of {self.part_size} bytes do not cover {self.size} bytes"
            )

    @property
    def last_length(self) -> int:
        return self.size - (self.count - 1) * self.part_size

    def part(self, index: int) -> Part:
        if not 0 <= index < self.count:
            raise IndexError(f"part {index} of {self.count}")
        last = index == self.count - 1
        return Part(index, index * self.part_size, self.last_length if last else self.part_size)

    def is_last(self, part: Part) -> bool:
        return part.index == self.count - 1

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Part]:
        return map(self.part, range(self.count))


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a destination may know of a source before a request goes out.

    `head` is at most the first 64 bytes, to recognise the container format by. `stamp` tells the
    file apart from others and from itself after a change, where there is a file.
    """

    name: str
    size: int
    head: bytes = field(default=b"", repr=False)
    stamp: tuple[int, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class UploadSpec:
    """What `create` is told about the file. `name` is its own, without folders, or ""."""

    size: int
    content_type: str
    plan: Plan
    name: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A server-side upload in progress.

    `fields` are JSON-able and public; `secrets` (upload URLs that carry a token) are sealed by any
    journal. `created_at` is stamped by the engine with the wall clock's seconds taken before the
    request went out, so that a lifetime counted from it never ends late. `plan` is set by `create`
    where the server dictates the cut.
    """

    fields: Mapping[str, Any]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    created_at: float | None = None
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof that a part was accepted.

    `fields` are JSON-able and public, and all that `complete` will know of the part. `length` is
    how many bytes the server says the part has, `None` when it does not say. `secrets` (a URL that
    the part alone has) join those of the session, under names that no other part uses, where parts
    go in any order.
    """

    index: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    length: int | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """What the destination made of the upload: where it is, and its own facts about it."""

    location: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Processing:
    """What the server says of an upload whose bytes it may still be working on.

    Terminal when `completion` or `error` is set. `state` is the vendor's own word.
    """

    state: str
    completion: Completion | None = None
    error: TransportError | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_terminal(self) -> bool:
        return self.completion is not None or self.error is not None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the server holds: the bytes it stored from the start, `None` when it does not say.

    `processing` is set when the answer also tells that every byte has arrived, or that the upload
    has ended. `receipts` are the parts it holds, where these go in any order;
    `offset` is `None` then.
    """

    offset: int | None
    processing: Processing | None = None
    receipts: Mapping[int, Receipt] | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Three numbers of bytes, never mixed: given to the socket, acknowledged, of completed uploads.

    None of them ever falls or passes `total`.
    """

    total: int = 0
    sent: int = 0
    confirmed: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResult:
    """How one upload ended, or stands.

    `duration` is seconds of this run, `bytes_sent` counts what was given to the socket, parts sent
    again included. `location` is the destination's address of the result when it has one, `fields`
    are the destination's own facts.
    """

    outcome: Outcome
    upload_id: str
    transport: str
    account: str | None = None
    location: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    error: UploaderError | None = None
    duration: float = 0.0
    size: int = 0
    parts: int = 0
    bytes_sent: int = 0
    retries: int = 0
    resumed_from: int | None = None

    @property
    def code(self) -> str:
        """The outcome's own word, or the code of the error behind it."""
        return self.error.code if self.error is not None else str(self.outcome)

    def raise_for_outcome(self) -> UploadResult:
        """Return this result when DONE or PROCESSING, else raise the error that it carries."""
        if self.outcome in (Outcome.DONE, Outcome.PROCESSING):
            return self
        if self.error is not None:
            raise self.error
        from uploader.errors import UploaderError

        raise UploaderError(f"the upload ended {self.outcome}", upload_id=self.upload_id)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able facts; no secret is among them."""
        return {
            "outcome": str(self.outcome),
            "code": self.code,
            "upload_id": self.upload_id,
            "transport": self.transport,
            "account": self.account,
            "location": self.location,
            "fields": dict(self.fields),
            "error": self.error.to_dict() if self.error is not None else None,
            "duration": round(self.duration, 6),
            "size": self.size,
            "parts": self.parts,
            "bytes_sent": self.bytes_sent,
            "retries": self.retries,
            "resumed_from": self.resumed_from,
        }
