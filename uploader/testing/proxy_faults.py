"""What a `FaultyProxy` does wrong, to which request.

Rule: plain values and a queue; the proxy carries them out. Nothing here has a delay: what is held
is held until it is released.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from uploader.testing.proxy_exchange import Exchange


@dataclass(frozen=True, slots=True)
class Drop:
    """Reset the connection before a byte is forwarded."""


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """Forward the request, wait for the peer's whole answer, and reset instead of passing it on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with this.

    The peer gets nothing, unless `forward`: then it has acted, and its own answer is thrown away.
    `after` answers when so many bytes of the body have been read; `None` reads all of it.
    """

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    forward: bool = False
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Garble:
    """Write these bytes where an answer is due, and close."""

    raw: bytes = b"\x16\x03\x01 this is no HTTP\r\n\r\n"
    forward: bool = False


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """Forward so many bytes of the body, then reset both sides."""

    count: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Go no further than `after` bytes of the body until `FaultyProxy.release`.

    `None` forwards everything and holds the answer.
    """

    after: int | None = None


@dataclass(frozen=True, slots=True)
class Slow:
    """Pass body and answer on in pieces of so many bytes, each written by itself."""

    piece: int = 1024


@dataclass(frozen=True, slots=True)
class Truncate:
    """Promise the peer's whole answer, send so many bytes of its body, and close."""

    keep: int = 0


Act: TypeAlias = Drop | LoseAnswer | Answer | Garble | ResetAfter | Stall | Slow | Truncate


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One act, and the requests that it is for; what is not given fits all.

    `path` is a regular expression that is searched in path and query; `number` is the request's
    own, counted by the proxy from 1. Of the requests that fit it is for the `nth` and those after
    it, `times` in all.
    """

    act: Act
    method: str | None = None
    path: str | None = None
    operation: str | None = None
    number: int | None = None
    nth: int = 1
    times: int = 1

    def fits(self, exchange: Exchange) -> bool:
        return (
            self.method in (None, exchange.method)
            and self.operation in (None, exchange.operation)
            and self.number in (None, exchange.number)
            and (self.path is None or bool(re.search(self.path, exchange.target.reveal())))
        )


@dataclass(slots=True)
class _Scripted:
    fault: Fault
    seen: int = 0
    fired: int = 0


class Script:
    """Faults in the order in which they were written; a request meets at most one. Thread-safe."""

    def __init__(self) -> None:
        self._scripted: list[_Scripted] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._scripted.extend(map(_Scripted, faults))

    def clear(self) -> None:
        with self._lock:
            self._scripted.clear()

    @property
    def pending(self) -> list[Fault]:
        """Return the faults that have not happened as often as they should."""
        with self._lock:
            return [each.fault for each in self._scripted]

    def take(self, exchange: Exchange) -> Act | None:
        """Return what becomes of a request; every fault that fits counts it."""
        with self._lock:
            chosen: _Scripted | None = None
            for each in self._scripted:
                if each.fault.fits(exchange):
                    each.seen += 1
                    if chosen is None and each.seen >= each.fault.nth:
                        chosen = each
            if chosen is None:
                return None
            chosen.fired += 1
            if chosen.fired >= chosen.fault.times:
                self._scripted.remove(chosen)
            return chosen.fault.act
