"""The words in which the tables of faults are written: a case, and what must come of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.clock import DRAW
from transports.tiktok.sandbox import Fault, Switches
from uploader import (
    Outcome,
    PollPolicy,
    RateLimitedError,
    RetriesExhaustedError,
    RetryPolicy,
    TransportError,
    UploaderError,
)
from uploader.errors import OutcomeUnknownError
from uploader.retry import RetryBudget

CHUNK = 5_242_921
SIZE = 3 * CHUNK
"""Three parts, the smallest that TikTok takes: every position there is."""
PARTS = ((1, "first"), (2, "middle"), (3, "last"))
LAST = 3
SMALL = 100_000
"""One part."""
SET: Any = object()
"""Stands for any value but none."""

# Waits of the default policy with a draw of one half: base 0.5, doubled for each attempt.
THRICE = PollPolicy(attempts=3)
ONCE = (0.25,)
TWICE = (0.25, 0.5)
ASKED = (2.0, 2.0)
"""Between questions whose answers do not fit."""


def _waits_for_429() -> Iterator[float]:
    """Yield what the default policy waits for 429 after 429 that names no time."""
    budget = RetryBudget(RetryPolicy(), 0.0)
    while (wait := budget.next_wait(RateLimitedError(""), 0.0, DRAW)) is not None:
        yield wait


LIMITED, DOUBLED, *_ = _waits = tuple(_waits_for_429())
PATIENCE = len(_waits) + 1
"""Answers of 429 that end an upload."""


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What must come of an upload, and what the sandbox must have seen of it.

    `waits` are the seconds waited before something was tried again or asked again; `None` leaves
    them open. `facts` are attributes of the error, or of the last failure of one that gave up.
    """

    outcome: Outcome
    error: type[UploaderError] | None = None
    last: type[TransportError] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    inits: int = 1
    puts: int = 3
    statuses: int = 1
    waits: tuple[float, ...] | None = ()


def done(**seen: Any) -> Ends:
    """Expect a post."""
    return Ends(outcome=Outcome.DONE, **seen)


def processing(**seen: Any) -> Ends:
    """Expect every byte confirmed, and no final word."""
    return Ends(outcome=Outcome.PROCESSING, **seen)


def failed(error: type[UploaderError], *, facts: Mapping[str, Any], **seen: Any) -> Ends:
    """Expect an error that no repetition helps against."""
    return Ends(outcome=Outcome.FAILED, error=error, facts=facts, **seen)


def gave_up(last: type[TransportError], *, facts: Mapping[str, Any], **seen: Any) -> Ends:
    """Expect the last failure of a spent budget, and an upload that can be resumed."""
    return Ends(
        outcome=Outcome.SUSPENDED, error=RetriesExhaustedError, last=last, facts=facts, **seen
    )


def unknown(operation: str, **seen: Any) -> Ends:
    """Expect a request that may have worked."""
    facts = {"operation": operation, **seen.pop("facts", {})}
    return Ends(outcome=Outcome.UNKNOWN, error=OutcomeUnknownError, facts=facts, **seen)


@dataclass(frozen=True)
class Case:
    """One upload of a file of three parts, what goes wrong, and how it must end."""

    name: str
    faults: tuple[Fault, ...]
    ends: Ends
    switches: Switches = field(default_factory=Switches)
    processing_seconds: float = 0.0
    poll: PollPolicy | None = None
    post: Mapping[str, Any] = field(default_factory=dict)
    retry: RetryPolicy | None = None
    small: bool = False
    """The film is one small part, where nothing depends on the parts."""
    before: Callable[..., None] | None = None
    """Called with the running scene; what it does is not counted."""

    @property
    def effects(self) -> set[tuple[str, str]]:
        return {(fault.operation, fault.effects[0]) for fault in self.faults}


def init(**effect: Any) -> Fault:
    """Script a fault of the next init."""
    return Fault("init", **effect)


def put(nth: int, **effect: Any) -> Fault:
    """Script a fault of a PUT, counted from the first."""
    return Fault("put", nth=nth, **effect)


def status(**effect: Any) -> Fault:
    """Script a fault of the next status."""
    return Fault("status", **effect)


def retry_after(value: object) -> dict[str, str]:
    """Return headers that say when to come again."""
    return {"Retry-After": str(value)}
