"""Drives a transport's flows with recorded and with made-up answers.

Rule: no peer, no wire; while a flow is driven, files, sockets, clocks and chance are out of reach.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from uploader.http import Request, Response
from uploader.testing.transport_tape import Take, seen

UNREACHABLE = (
    "builtins.open",
    "io.open",
    "os.open",
    "os.urandom",
    "random.random",
    "socket.create_connection",
    "socket.getaddrinfo",
    "socket.socket.connect",
    "subprocess.Popen",
    "time.time",
    "time.time_ns",
)


class ImpureError(AssertionError):
    """A flow reached for the world."""


@dataclass
class Played:
    """What came of driving a flow: what it asked, and its value, its error, or neither."""

    requests: list[Request] = field(default_factory=list)
    returned: bool = False
    value: Any = None
    error: BaseException | None = None


@contextlib.contextmanager
def sealed() -> Iterator[None]:
    """Let nothing be reached that would make a flow's outcome depend on more than its answers."""

    def refuse(*args: object, **named: object) -> None:
        raise ImpureError("a flow did I/O, or asked for the time or for chance")

    with ExitStack() as stack:
        for name in UNREACHABLE:
            stack.enter_context(patch(name, refuse))
        yield


def flow_of(take: Take) -> Generator[Request, Response, Any]:
    """Return the flow of a take anew, of a transport and with arguments of its own."""
    transport = take.destination.transport()
    flow: Generator[Request, Response, Any] = getattr(transport, take.name)(
        *copy.deepcopy(take.arguments)
    )
    return flow


def play(flow: Generator[Request, Response, Any], answers: Sequence[Response]) -> Played:
    """Drive a flow until it ends or there are no more answers."""
    played, left, answer = Played(), iter(answers), None
    try:
        while True:
            played.requests.append(seen(flow.send(answer)))  # type: ignore[arg-type]
            if (answer := next(left, None)) is None:
                return played
    except StopIteration as stop:
        played.returned, played.value = True, stop.value
    except Exception as error:
        played.error = error
    finally:
        flow.close()
    return played


class Long(bytes):
    """Bytes that a report need not show."""

    def __repr__(self) -> str:
        return f"Long({bytes(self[:8])!r}…, {len(self)} bytes)"


# fmt: off
STATUSES = (
    200, 201, 202, 204, 206, 301, 302, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 411, 412,
    413, 416, 423, 425, 429, 460, 500, 501, 502, 503, 504, 507,
)
NAMES = (
    "location", "range", "content-range", "content-length", "content-type", "upload-offset", "etag",
    "upload-length", "upload-expires", "retry-after", "date", "x-request-id",
)
VALUES = (
    "", "0", "-1", "9" * 40, "1e9", "nan", "inf", "\u0663", "null", "bytes=0-", "bytes=5-2", "//",
    "bytes 0-9/*", "bytes */*", "http://[", "http://other.example/x", '"', "a,b", "; =",
)
DEEP = (Long(b"[" * 10_000), Long(b'{"a":' * 10_000), Long(b"<a>" * 10_000))
ODD = (
    b"", b"null", b"true", b"0", b'""', b"[]", b"{}", b'"\\ud800"', b"\xff\xfe", b"<html>", b"<a/>",
    b'{"error":null}', b'{"error":[]}', b'{"data":[],"error":{"code":"ok"}}', b"1e999", b"NaN",
)
# fmt: on


def garbage(real: Response) -> st.SearchStrategy[Response]:
    """Return answers that are like none, or almost like a real one."""
    names = sorted({*NAMES, *real.headers})
    values = st.one_of(
        st.sampled_from(VALUES), st.integers().map(str), st.text(max_size=12), _spoilt_text(real)
    )
    broken = st.dictionaries(st.sampled_from(names), values, max_size=4)
    headers = st.one_of(broken, broken.map(lambda some: {**real.headers, **some}))
    statuses = st.one_of(st.just(real.status), st.sampled_from(STATUSES), st.integers(200, 599))
    contents = st.one_of(
        st.binary(max_size=40),
        st.sampled_from((*DEEP, *ODD)),
        st.integers(0, max(0, len(real.content))).map(lambda at: real.content[:at]),
        _spoilt_json(real),
    )
    return st.builds(Response, statuses, headers, contents)


def _spoilt_text(real: Response) -> st.SearchStrategy[str]:
    """Return a real header's value, cut somewhere."""
    values = list(real.headers.values()) or [""]
    return st.sampled_from(values).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda at: text[:at])
    )


def _spoilt_json(real: Response) -> st.SearchStrategy[bytes]:
    """Return the real content with one JSON-like value in the place of another."""
    pieces = real.content.split(b'"')
    junk = st.sampled_from((b"", b"null", b"-1", b"{}", b"[[]]", b"\\ud800", Long(b"x" * 300)))
    return st.tuples(st.integers(0, len(pieces) - 1), junk).map(
        lambda chosen: b'"'.join((*pieces[: chosen[0]], chosen[1], *pieces[chosen[0] + 1 :]))
    )
