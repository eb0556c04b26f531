"""Records what the engine asks of a transport, and what its flows ask of the peer.

Rule: the transport does all by itself; the tape only listens. Bodies are not kept: what stands for
one has its length and digests, and nothing that could be read.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from uploader.http import Body, Request, Response
from uploader.model import Part
from uploader.transport import Destination

FLOWS: Final = ("create", "put_part", "complete", "query", "poll", "verify", "abort", "put")


@dataclass(frozen=True)
class Blind:
    """A body that cannot be read."""

    length: int
    digests: Mapping[str, bytes]

    def __len__(self) -> int:
        return self.length


@dataclass(eq=False)
class Take:
    """One flow as it was played: its arguments, what it asked, what it was told, how it ended."""

    name: str
    destination: Destination
    arguments: tuple[Any, ...]
    exchanges: list[tuple[Request, Response]] = field(default_factory=list)
    result: Any = None
    error: BaseException | None = None
    ended: bool = False

    @property
    def part(self) -> Part | None:
        return next((each for each in self.arguments if isinstance(each, Part)), None)


@dataclass
class Tape:
    """The flows of one upload, and the order in which they asked for requests."""

    takes: list[Take] = field(default_factory=list)
    asked: list[tuple[Take, Request]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str) -> list[Take]:
        """Return the takes of one flow that came to a result."""
        return [take for take in self.takes if take.name == name and take.ended]


def taped(destination: Destination, tape: Tape) -> Destination:
    """Return a destination whose transports are recorded."""
    return _TapedDestination(destination, tape)


class _TapedDestination:
    def __init__(self, destination: Destination, tape: Tape) -> None:
        self._destination = destination
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        return getattr(self._destination, name)

    def transport(self) -> Any:
        return _TapedTransport(self._destination, self._tape)


class _TapedTransport:
    def __init__(self, destination: Destination, tape: Tape) -> None:
        self._destination = destination
        self._transport = destination.transport()
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._transport, name)
        if name not in FLOWS or found is None:
            return found

        def flow(*arguments: Any) -> Generator[Request, Response, Any]:
            take = Take(name, self._destination, tuple(map(blinded, arguments)))
            with self._tape.lock:
                self._tape.takes.append(take)
            return _recorded(found(*arguments), take, self._tape)

        return flow


def blinded(value: Any) -> Any:
    """Return what stands for a body; anything else as it is."""
    if hasattr(value, "digests") and hasattr(value, "__len__"):
        return Blind(len(value), dict(value.digests))
    return value


def _recorded(
    flow: Generator[Request, Response, Any], take: Take, tape: Tape
) -> Generator[Request, Response, Any]:
    answer: Any = None
    try:
        while True:
            request = flow.send(answer)
            kept = seen(request)
            with tape.lock:
                tape.asked.append((take, kept))
            answer = yield request
            take.exchanges.append((kept, answer))
    except StopIteration as stop:
        take.result, take.ended = stop.value, True
        return stop.value
    except GeneratorExit:
        raise
    except BaseException as error:
        take.error = error
        raise
    finally:
        flow.close()


def seen(request: Request) -> Request:
    """Return a request whose body cannot be read."""
    body: Body | None = request.body
    return request if body is None else replace(request, body=blinded(body))
