"""Faults that a test scripts, and the queue that hands them to the requests they are meant for.

Rule: a fault is data; what it does to a connection is carried out elsewhere. One request meets at
most one fault.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Operation = Literal[
    "creator_info",
    "init",
    "inbox_init",
    "content_init",
    "put",
    "status",
    "cancel",
    "token",
    "revoke",
]
OPERATIONS: tuple[str, ...] = get_args(Operation)

_PUT_ONLY = ("reset_after", "stall_after", "slow", "early_status", "expire", "partial_keep")
_EFFECTS = (
    "vendor_code",
    "reset_after",
    "lose_answer",
    "lose_request",
    "stall_after",
    "stall_answer",
    "slow",
    "early_status",
    "expire",
    "malformed",
    "redirect",
)
_ANSWERING = ("status", "vendor_code", "redirect")


@dataclass(frozen=True, slots=True)
class Fault:
    """Go wrong once, in one way, on the `nth` matching request from when it was scripted.

    Exactly one effect:

    - `status`: answer this (with `body`, `headers`) instead of doing the work; a PUT's body is
      read to its end first, and thrown away. `stored=True` does the work and then lies.
    - `vendor_code`: answer this error in the API's envelope, with its documented HTTP status or
      with `status`.
    - `lose_request`: reset the connection before anything is done.
    - `lose_answer`: do the work, then reset the connection instead of answering.
    - `stall_answer`: do the work, then never answer.
    - `malformed`: do the work, then answer garbage: `True` is no JSON (API) or an unreadable
      Content-Range (PUT); `"shape"` is JSON of another shape, or a PUT answer without the header.
    - `redirect`: 307 to this URL; `True` names a trap on this server, and a client that walks
      into it has broken a rule.
    - `reset_after`: reset after this many bytes of the body (0: before reading any).
    - `stall_after`: stop reading after this many bytes, until the client goes away. What still
      fits into socket buffers is accepted by the kernel, as with a real host that hangs.
    - `slow`: read the body at about this many bytes per second.
    - `early_status`: answer this after `early_after` bytes, without reading the rest.
    - `expire`: the upload URL expires now: 403, and 403 from then on.
    - `delay` alone: nothing but late.

    `delay` (seconds on the sandbox's clock) may precede any effect. `times` repeats it on the
    requests that follow. `partial_keep` says what becomes of the bytes of a cut chunk and wins
    over `Switches.partial_bytes`. A contradiction raises `ValueError`.
    """

    operation: Operation
    nth: int = field(default=1, kw_only=True)
    times: int = field(default=1, kw_only=True)
    delay: float = field(default=0.0, kw_only=True)
    status: int | None = field(default=None, kw_only=True)
    body: str | bytes | None = field(default=None, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    stored: bool = field(default=False, kw_only=True)
    vendor_code: str | None = field(default=None, kw_only=True)
    reset_after: int | None = field(default=None, kw_only=True)
    lose_answer: bool = field(default=False, kw_only=True)
    lose_request: bool = field(default=False, kw_only=True)
    stall_after: int | None = field(default=None, kw_only=True)
    stall_answer: bool = field(default=False, kw_only=True)
    slow: float | None = field(default=None, kw_only=True)
    early_status: int | None = field(default=None, kw_only=True)
    early_after: int = field(default=0, kw_only=True)
    expire: bool = field(default=False, kw_only=True)
    malformed: bool | Literal["shape"] = field(default=False, kw_only=True)
    redirect: str | bool = field(default=False, kw_only=True)
    partial_keep: bool | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ValueError(f"operation={self.operation!r}: choose one of {OPERATIONS}")
        if self.nth < 1 or self.times < 1:
            raise ValueError(f"nth and times count from 1: nth={self.nth}, times={self.times}")
        self._check_effects()
        self._check_modifiers()

    @property
    def effects(self) -> tuple[str, ...]:
        """Return the names of the effects that are asked for."""
        named = tuple(name for name in _EFFECTS if self._has(name))
        if self.status is not None and "vendor_code" not in named:
            named = ("status", *named)
        return named or (("delay",) if self.delay else ())

    def _has(self, name: str) -> bool:
        value = getattr(self, name)
        return value is not None and value is not False

    def _check_effects(self) -> None:
        if len(self.effects) != 1:
            raise ValueError(f"a fault has exactly one effect, not {len(self.effects)}: {self!r}")
        misplaced = [name for name in _PUT_ONLY if self._has(name)]
        if misplaced and self.operation != "put":
            raise ValueError(f"{misplaced[0]} is for 'put' only, not {self.operation!r}")
        if self.vendor_code is not None and self.operation == "put":
            raise ValueError("a PUT is answered without an envelope: use status")

    def _check_modifiers(self) -> None:
        (effect,) = self.effects
        if self.stored and effect not in _ANSWERING:
            raise ValueError(f"stored goes with {_ANSWERING}, not {effect}")
        if (self.body is not None or self.headers) and effect not in (*_ANSWERING, "early_status"):
            raise ValueError(f"body and headers go with an answer, not {effect}")
        if self.early_after and effect != "early_status":
            raise ValueError(f"early_after goes with early_status, not {effect}")
        numbers = {
            "delay": self.delay,
            "reset_after": self.reset_after or 0,
            "stall_after": self.stall_after or 0,
            "early_after": self.early_after,
        }
        for name, number in numbers.items():
            if number < 0:
                raise ValueError(f"{name} must not be negative: {number}")
        if self.slow is not None and self.slow <= 0:
            raise ValueError(f"slow is bytes per second and positive: {self.slow}")
        for status in (self.status, self.early_status):
            if status is not None and not 200 <= status <= 599:
                raise ValueError(f"not a final HTTP status: {status}")


@dataclass(slots=True)
class _Scripted:
    fault: Fault
    seen: int = 0
    fired: int = 0

    @property
    def due(self) -> bool:
        return self.seen >= self.fault.nth and self.fired < self.fault.times


class FaultQueue:
    """Hold scripted faults in order and give each request at most one. Thread-safe.

    Every waiting fault of the operation counts the request; the first that is due fires, and one
    that was due but not first stays due for the next request.
    """

    def __init__(self) -> None:
        self._scripted: list[_Scripted] = []
        self._lock = threading.Lock()

    def script(self, *faults: Fault) -> None:
        """Append faults."""
        with self._lock:
            self._scripted.extend(_Scripted(fault) for fault in faults)

    def take(self, operation: str) -> Fault | None:
        """Return the fault that this request meets, if any."""
        with self._lock:
            chosen: _Scripted | None = None
            for entry in self._scripted:
                if entry.fault.operation != operation:
                    continue
                entry.seen += 1
                if chosen is None and entry.due:
                    chosen = entry
            if chosen is None:
                return None
            chosen.fired += 1
            self._scripted = [e for e in self._scripted if e.fired < e.fault.times]
            return chosen.fault

    @property
    def pending(self) -> list[Fault]:
        """Return the faults that have not fired as often as they should."""
        with self._lock:
            return [entry.fault for entry in self._scripted]
