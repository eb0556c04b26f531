"""The facts of an upload, each emitted once.

Rule: frozen dataclasses; no secret, no file content. Logs, metrics and progress bars subscribe and
could be deleted. A subscriber is any callable that takes an event; one that raises is logged and
ignored. Subscribers never run on the engine's loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from uploader.model import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event carries."""

    upload_id: str
    """Empty for the few events that concern no upload."""
    transport: str
    """The destination's protocol, such as `tiktok`."""

    def facts(self) -> dict[str, Any]:
        """Return the fields by name, outcomes and the like as plain values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadStarted(Event):
    """A run begins: the source is open and the plan stands."""

    account: str | None
    name: str
    """The file's, without its folder."""
    size: int
    """Bytes."""
    parts: int
    part_size: int
    resumed_from: int | None = None
    """Bytes that an earlier run had confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFallback(Event):
    """The file is not mapped but read through buffers; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated(Event):
    """The server has opened an upload. `seconds` is how long the opening took."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRestarted(Event):
    """What an earlier run had opened is dead; the upload starts anew."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStarted(Event):
    """A part is about to be sent."""

    part: int
    """Counted from 0."""
    start: int
    """Where it begins in the file."""
    length: int
    attempt: int
    """Counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesSent(Event):
    """Bytes that the kernel took since the last such event, several windows in one.

    `windows` is how many windows all uploads of the process hold at this moment.
    """

    count: int
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartConfirmed(Event):
    """The server acknowledged a part."""

    part: int
    length: int
    seconds: float
    """Since the part's first attempt began."""
    confirmed: int
    """Bytes confirmed in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFailed(Event):
    """An attempt at a part failed; another one, or the end, follows."""

    part: int
    attempt: int
    seconds: float
    error: str
    """The error's code."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(Event):
    """An operation failed and will be tried again."""

    operation: str
    attempt: int
    """The attempt that failed, counted from 1."""
    wait: float
    """Seconds until then."""
    error: str
    """The error's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resynced(Event):
    """The server was asked what it holds; `offset` is its answer."""

    part: int
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished(Event):
    """One HTTP request ended. `outcome` is the status, or the code of the network error."""

    operation: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached(Event):
    """A request waits until a limit of its account lets it out."""

    account: str | None
    operation: str
    seconds: float
    """How long, as far as can be told now."""
    limit: str
    """Which one, such as `6 posts a minute`; empty where the server said so."""
    time: float
    """The wall clock's seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitWaited(Event):
    """A limit held the upload back for `seconds`.

    `operation` is `lane` or `bandwidth` where it is this process's own, else that of the request
    which the account may send only so often.
    """

    operation: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingChanged(Event):
    """Every byte is confirmed, and the server tells another state of its work."""

    state: str
    terminal: bool
    """Whether it is the last."""
    seconds: float
    """Since the last byte was confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadEnded(Event):
    """What every last event of a run carries."""

    outcome: Outcome
    seconds: float
    """Since the run began."""
    bytes_sent: int
    """By this run, those sent again included."""
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadCompleted(UploadEnded):
    """Done, or every byte confirmed and the server still at work (`outcome` tells which)."""

    size: int
    location: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSuspended(UploadEnded):
    """The run stopped; the journal knows where the upload goes on."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadCancelled(UploadEnded):
    """The caller gave the upload up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFailed(UploadEnded):
    """The destination refused the upload, or its source or we failed; it does not go on."""

    error: str
    """The error's code; `internal` is a fault of ours."""
    message: str
    operation: str | None = None
    status: int | None = None
    vendor_code: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown(UploadEnded):
    """An irreversible request may have succeeded: look before anything is sent again."""

    error: str
    """The error's code."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseSet(Event):
    """Uploads are held back from now on; an empty `transport` is all of them."""

    upload_id: str = ""
    account: str | None
    reason: str
    by: str
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseLifted(Event):
    """A pause is over; an empty `transport` is that of everything."""

    upload_id: str = ""
    account: str | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseTried(Event):
    """This one upload is let through, to see whether the reason of a pause still stands."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOpened(Event):
    """Several accounts were refused in the same words: uploads to the destination are paused.

    The upload is the one that was one too many; it waits with the others.
    """

    operation: str
    vendor_code: str
    accounts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshed(Event):
    """An access token was asked for anew, for an account and no upload in particular.

    `outcome` is `refreshed`, or the code of the error.
    """

    upload_id: str = ""
    account: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReceived(Event):
    """A destination delivered a notice; `upload_id` is empty where it fits no known upload.

    `outcome` is what became of it: `accepted`, `duplicate`, `unknown` or `refused`.
    """

    upload_id: str = ""
    kind: str
    outcome: str


Subscriber: TypeAlias = Callable[[Event], None]
