"""What may go wrong with a PUT: of the first part, one in the middle, and the one that publishes.

A part that fails for good ends the upload before the later ones are sent: `puts` is then the number
of the part plus its repetitions. `statuses` counts the questions after a lost answer and the final
one; a status that has seen the post published already is the final one itself.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.faults.case import (
    ASKED,
    CHUNK,
    LAST,
    LIMITED,
    ONCE,
    PARTS,
    PATIENCE,
    SIZE,
    THRICE,
    TWICE,
    Case,
    done,
    failed,
    gave_up,
    processing,
    put,
    retry_after,
    unknown,
)
from transports.tiktok.sandbox import Switches
from uploader import (
    NetworkError,
    OffsetMismatchError,
    ProtocolError,
    RateLimitedError,
    RejectedError,
    ServerError,
    SessionExpiredError,
)

MIB = 1 << 20
# Much less than socket buffers and the sandbox's own can hold of a part.
EARLY = 64 * 1024


def put_cases() -> Iterator[Case]:
    """Yield the cases of PUT."""
    for nth, name in PARTS:
        # What an answer means is the same for the first part: one of each kind is enough.
        cases = _one_of_each(_of_one_part(nth)) if nth == 1 else _of_one_part(nth)
        for case in cases:
            yield replace(case, name=f"put {name} {case.name}")
    yield from _twice_wrong()


def _one_of_each(cases: Iterator[Case]) -> Iterator[Case]:
    seen = set()
    for case in cases:
        kind = case.faults[0].effects, case.ends.outcome, case.switches
        if kind not in seen:
            seen.add(kind)
            yield case


def _of_one_part(nth: int) -> Iterator[Case]:
    yield from _server_errors(nth)
    yield from _refusals(nth)
    yield from _not_the_right_success(nth)
    yield from _limits(nth)
    yield from _lost(nth)
    yield from _early(nth)
    yield from _harmless(nth)


def _server_errors(nth: int) -> Iterator[Case]:
    """5xx: the same range again, three attempts, longer waits; nobody is asked before."""
    yield Case("500", (put(nth, status=500),), done(puts=4, waits=ONCE))
    yield Case("502 twice", (put(nth, status=502, times=2),), done(puts=5, waits=TWICE))
    yield Case(
        "503 for ever",
        (put(nth, status=503, times=3),),
        gave_up(ServerError, facts={"operation": "put", "status": 503}, puts=nth + 2, waits=TWICE),
    )
    yield Case(
        "503, come again",
        (put(nth, status=503, headers=retry_after(7)),),
        done(puts=4, waits=(7.0,)),
    )
    yield Case(
        "503, come again tomorrow",
        (put(nth, status=503, headers=retry_after(901)),),
        gave_up(ServerError, facts={"retry_after": 901.0}, puts=nth),
    )
    # The bytes are there all the same: 416 for a stored range, or 404 for an upload that is over.
    yield Case(
        "500 that worked",
        (put(nth, status=500, stored=True),),
        done(puts=4, statuses=_asked(nth), waits=ONCE if nth == LAST else TWICE),
    )
    if nth != LAST:
        yield Case(
            "500 that worked, taken again",
            (put(nth, status=500, stored=True),),
            done(puts=4, waits=ONCE),
            Switches(stored_range_again=206),
        )


def _refusals(nth: int) -> Iterator[Case]:
    """Final at once: nothing of the part was stored, so there is nothing to ask."""
    for status, kind in (
        (400, RejectedError),
        (403, SessionExpiredError),
        (404, SessionExpiredError),
        (413, RejectedError),
        (418, RejectedError),
    ):
        facts = {"operation": "put", "status": status, "vendor_code": None}
        yield Case(
            f"{status}", (put(nth, status=status),), failed(kind, facts=facts, puts=nth, statuses=0)
        )
    yield Case(
        "expired",
        (put(nth, expire=True),),
        failed(
            SessionExpiredError,
            facts={"operation": "put", "status": 403},
            puts=nth,
            statuses=0,
        ),
    )


def _not_the_right_success(nth: int) -> Iterator[Case]:
    """206 for all but the last, 201 for the last: another one is believed by the status only."""
    wrong = 206 if nth == LAST else 201
    for status in (200, 204, wrong):
        facts = {"operation": "put", "status": status}
        yield Case(
            f"{status}",
            (put(nth, status=status),),
            failed(ProtocolError, facts=facts, puts=nth),
        )
        yield Case(
            f"{status} that worked",
            (put(nth, status=status, stored=True),),
            done(statuses=_asked(nth)),
        )
    # The right one, which is contradicted by its own Content-Range or by nothing at all.
    right = 201 if nth == LAST else 206
    yield Case(
        "right status, nothing stored",
        (put(nth, status=right),),
        failed(ProtocolError, facts={"operation": "put", "status": right}, puts=nth),
    )
    lie = {"Content-Range": f"bytes 0-{nth * CHUNK}/{SIZE}"}
    if nth == LAST:
        ends = processing(statuses=3, waits=None)
    elif nth + 1 == LAST:
        ends = unknown("put", puts=LAST, statuses=3, waits=(*ONCE, *ASKED))
    else:
        ends = gave_up(
            OffsetMismatchError,
            facts={"operation": "put", "status": 416},
            puts=nth + 1,
            statuses=3,
            waits=(*ONCE, *ASKED),
        )
    yield Case(
        "right status, all of it a lie", (put(nth, status=right, headers=lie),), ends, poll=THRICE
    )
    facts = {"operation": "put", "status": 307}
    yield Case(
        "redirected", (put(nth, redirect=True),), failed(ProtocolError, facts=facts, puts=nth)
    )
    yield Case(
        "redirected after storing",
        (put(nth, redirect=True, stored=True),),
        done(statuses=_asked(nth)),
    )


def _limits(nth: int) -> Iterator[Case]:
    yield Case("429", (put(nth, status=429),), done(puts=4, waits=(LIMITED,)))
    yield Case(
        "429, come again",
        (put(nth, status=429, headers=retry_after(30)),),
        done(puts=4, waits=(30.0,)),
    )
    yield Case(
        "429 for ever",
        (put(nth, status=429, times=PATIENCE),),
        gave_up(
            RateLimitedError,
            facts={"operation": "put", "status": 429},
            puts=nth + PATIENCE - 1,
            statuses=0,
            waits=None,
        ),
    )
    yield Case(
        "416 although nothing is stored",
        (put(nth, status=416),),
        done(puts=4, statuses=2, waits=ONCE),
    )
    yield Case(
        "416 for ever",
        (put(nth, status=416, times=3),),
        gave_up(
            OffsetMismatchError,
            facts={"operation": "put", "status": 416},
            puts=nth + 2,
            statuses=3,
            waits=TWICE,
        ),
    )


def _lost(nth: int) -> Iterator[Case]:
    """No answer: the status is asked first, and the range sent again only when it is not there."""
    again = done(puts=4, statuses=2, waits=ONCE)
    network = {"operation": "put", "status": None, "ambiguous": True}
    yield Case("reset at once", (put(nth, reset_after=0),), again)
    yield Case("reset in mid-body", (put(nth, reset_after=MIB),), again)
    yield Case("reset at the end", (put(nth, reset_after=CHUNK),), again)
    yield Case(
        "reset for ever",
        (put(nth, reset_after=MIB, times=3),),
        gave_up(NetworkError, facts=network, puts=nth + 2, statuses=3, waits=TWICE),
    )
    yield Case("request lost", (put(nth, lose_request=True),), again)
    yield Case("body stalls", (put(nth, stall_after=EARLY),), again)
    stored = done(statuses=_asked(nth), waits=ONCE)
    yield Case("answer lost", (put(nth, lose_answer=True),), stored)
    yield Case("answer stalls", (put(nth, stall_answer=True),), stored)
    # Half a part is no boundary: nobody can tell what a repetition would do to it.
    asked: dict[str, Any] = {"puts": nth, "statuses": 3, "waits": (*ONCE, *ASKED)}
    doubt = gave_up(NetworkError, facts={"operation": "put"}, **asked)
    if nth == LAST:
        doubt = unknown("put", **asked)
    yield Case(
        "reset in mid-body, half kept", (put(nth, reset_after=MIB, partial_keep=True),), doubt
    )
    yield Case(
        "reset in mid-body, thrown away after all",
        (put(nth, reset_after=MIB, partial_keep=False),),
        again,
        Switches(partial_bytes="kept"),
    )


def _early(nth: int) -> Iterator[Case]:
    """An answer before the body is out is never success, and a refusal stays one."""
    right = 201 if nth == LAST else 206
    for status in (right, 200):
        yield Case(
            f"{status} too early",
            (put(nth, early_status=status, early_after=EARLY),),
            failed(ProtocolError, facts={"operation": "put", "status": status}, puts=nth),
        )
    yield Case(
        "500 early",
        (put(nth, early_status=500, early_after=EARLY),),
        done(puts=4, waits=ONCE),
    )
    yield Case(
        "403 early",
        (put(nth, early_status=403),),
        failed(
            SessionExpiredError, facts={"operation": "put", "status": 403}, puts=nth, statuses=0
        ),
    )


def _harmless(nth: int) -> Iterator[Case]:
    yield Case("late", (put(nth, delay=0.05),), done())
    yield Case("slow", (put(nth, slow=CHUNK / 0.2),), done())
    # The guide promises a Content-Range in the answer; nothing depends on it.
    yield Case("Content-Range unreadable", (put(nth, malformed=True),), done())
    yield Case("Content-Range missing", (put(nth, malformed="shape"),), done())


def _twice_wrong() -> Iterator[Case]:
    """A refusal after a lost answer: the status decides what the refusal means."""
    gone = {"operation": "put", "status": 404}
    yield Case(
        "put middle reset, then 404",
        (put(2, reset_after=MIB), put(3, status=404)),
        failed(SessionExpiredError, facts=gone, puts=3, statuses=2, waits=ONCE),
    )
    yield Case(
        "put last 500 that worked, then expired",
        (put(3, status=500, stored=True), put(4, expire=True)),
        done(puts=4, waits=ONCE),
    )
    yield Case(
        "put last 503, then 400",
        (put(3, status=503), put(4, status=400)),
        failed(RejectedError, facts={"status": 400}, puts=4, waits=ONCE),
    )
    yield Case(
        "put last reset twice, then 503",
        (put(3, reset_after=MIB, times=2), put(5, status=503)),
        gave_up(ServerError, facts={"status": 503}, puts=5, statuses=3, waits=TWICE),
    )


def _asked(nth: int) -> int:
    """Statuses of an upload that asked about this part: the answer about the last is final."""
    return 1 if nth == LAST else 2
