"""Faults that a test scripts, and which request meets which.

Rule: a fault is data; what it does to a connection is carried out elsewhere. One request meets at
most one fault.
"""

import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

Operation = Literal["create", "put", "query", "abort", "list"]

_PUT_ONLY = ("reset_after", "stall_after", "keep")
_EFFECTS = (
    "status",
    "lose_request",
    "lose_answer",
    "stall_answer",
    "malformed",
    "expire",
    *_PUT_ONLY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Go wrong in one way, on the `nth` request of an operation from when it was scripted.

    Exactly one effect:

    - `status`: answer this, with Google's `reason` and `retry_after` seconds, instead of doing the
      work; `stored=True` does the work and then lies.
    - `lose_request`: reset the connection before anything is done.
    - `lose_answer`: do the work, then reset the connection.
    - `stall_answer`: do the work, then never answer.
    - `malformed`: do the work, then answer what the protocol does not know.
    - `expire`: the session is gone: 404 from now on.
    - `reset_after`: reset after so many bytes of the chunk; whole pieces of 256 KiB are kept.
    - `stall_after`: read no further after so many bytes of the chunk.
    - `keep`: keep only so many bytes of the chunk, in pieces of 256 KiB, and answer 308.

    `times` repeats it on the requests that follow. A contradiction raises `ValueError`.
    """

    operation: Operation
    nth: int = 1
    times: int = 1
    status: int | None = None
    reason: str | None = None
    retry_after: int | None = None
    stored: bool = False
    lose_request: bool = False
    lose_answer: bool = False
    stall_answer: bool = False
    malformed: bool = False
    expire: bool = False
    reset_after: int | None = None
    stall_after: int | None = None
    keep: int | None = None

    def __post_init__(self) -> None:
        if self.operation not in get_args(Operation):
            raise ValueError(f"operation={self.operation!r}: choose one of {get_args(Operation)}")
        if self.nth < 1 or self.times < 1:
            raise ValueError(f"nth and times count from 1: nth={self.nth}, times={self.times}")
        given = {name: getattr(self, name) for name in _EFFECTS}
        effects = [
            name for name, value in given.items() if value is not None and value is not False
        ]
        if len(effects) != 1:
            raise ValueError(f"a fault has exactly one effect, not {effects}")
        if effects[0] in _PUT_ONLY and self.operation != "put":
            raise ValueError(f"{effects[0]} is for 'put' only, not {self.operation!r}")
        if effects[0] != "status" and (self.reason or self.stored or self.retry_after):
            raise ValueError("reason, stored and retry_after go with status")


@dataclass(slots=True)
class _Scripted:
    fault: Fault
    seen: int = 0
    fired: int = 0


@dataclass(slots=True)
class FaultQueue:
    """Hold scripted faults in order. Thread-safe.

    Every waiting fault of the operation counts the request; the first that is due fires.
    """

    _scripted: list[_Scripted] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, *faults: Fault) -> None:
        """Append faults."""
        with self._lock:
            self._scripted += map(_Scripted, faults)

    def take(self, operation: str) -> Fault | None:
        """Return the fault that this request meets, if any."""
        with self._lock:
            waiting = [each for each in self._scripted if each.fault.operation == operation]
            for each in waiting:
                each.seen += 1
            due = [each for each in waiting if each.seen >= each.fault.nth]
            if not due:
                return None
            due[0].fired += 1
            self._scripted = [each for each in self._scripted if each.fired < each.fault.times]
            return due[0].fault

    @property
    def pending(self) -> list[Fault]:
        """Return the faults that have not fired as often as they should."""
        with self._lock:
            return [each.fault for each in self._scripted]
