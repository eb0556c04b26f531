"""What may go wrong with the status: while a finished upload is watched, and when it must decide.

Watched, a status that cannot be had is asked again, and never makes a failure of a post. Asked
after a lost answer it decides: before the last part a refusal ends the upload, for the last part
it leaves the outcome unknown.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.faults.case import (
    ASKED,
    CHUNK,
    LIMITED,
    ONCE,
    PATIENCE,
    SET,
    SIZE,
    SMALL,
    THRICE,
    TWICE,
    Case,
    Ends,
    done,
    failed,
    gave_up,
    processing,
    put,
    retry_after,
    status,
    unknown,
)
from transports.tiktok.sandbox import Fault
from uploader import (
    AuthenticationError,
    NetworkError,
    PollPolicy,
    ProtocolError,
    RateLimitedError,
    RejectedError,
    ServerError,
    TransportError,
)

# Gone when asked again, as the retry policy says; and the wait before that.
PASSING: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("500", {"status": 500}, ONCE[0]),
    ("502 of a gateway", {"status": 502, "body": "<html>bad</html>"}, ONCE[0]),
    ("503, come again", {"status": 503, "headers": retry_after(7)}, 7.0),
    ("internal_error with 200", {"vendor_code": "internal_error", "status": 200}, ONCE[0]),
    ("429", {"status": 429}, LIMITED),
    ("429, come again", {"status": 429, "headers": retry_after(40)}, 40.0),
    (
        "rate_limit_exceeded with 200",
        {"vendor_code": "rate_limit_exceeded", "status": 200},
        LIMITED,
    ),
    ("answer lost", {"lose_answer": True}, ONCE[0]),
    ("request lost", {"lose_request": True}, ONCE[0]),
    ("answer stalls", {"stall_answer": True}, ONCE[0]),
)
# Not asked again on the spot.
LASTING: tuple[tuple[str, dict[str, Any], type[TransportError], dict[str, Any]], ...] = (
    (
        "invalid_publish_id",
        {"vendor_code": "invalid_publish_id"},
        RejectedError,
        {"status": 400, "vendor_code": "invalid_publish_id"},
    ),
    (
        "token_not_authorized_for_specified_publish_id",
        {"vendor_code": "token_not_authorized_for_specified_publish_id"},
        RejectedError,
        {"status": 400},
    ),
    (
        "access_token_invalid",
        {"vendor_code": "access_token_invalid"},
        AuthenticationError,
        {"status": 401, "vendor_code": "access_token_invalid"},
    ),
    (
        "scope_not_authorized",
        {"vendor_code": "scope_not_authorized"},
        AuthenticationError,
        {"status": 401},
    ),
    ("404 without an envelope", {"status": 404, "body": "no"}, RejectedError, {"status": 404}),
    ("no JSON", {"malformed": True}, ProtocolError, {"status": 200}),
    ("of another shape", {"malformed": "shape"}, ProtocolError, {"status": 200}),
    ("without a status", {"status": 200, "body": '{"error":{"code":"ok"}}'}, ProtocolError, {}),
    ("redirected", {"redirect": True}, ProtocolError, {"status": 307}),
)


def says(**data: Any) -> dict[str, Any]:
    """Return the effect of a status that says this."""
    return {"status": 200, "body": json.dumps({"data": data, "error": {"code": "ok"}})}


def status_cases() -> Iterator[Case]:
    """Yield the cases of the status."""
    yield from _watched()
    yield from _watched_words()
    for final in (False, True):
        yield from _asked(final=final)
        yield from _told(final=final)


# -- every byte is confirmed ---------------------------------------------------------------------


def _watched() -> Iterator[Case]:
    for name, effect, wait in PASSING:
        yield _small(f"watch {name}", (status(**effect),), statuses=2, waits=(wait,))
    for name, effect, _, _ in LASTING:
        yield _small(f"watch {name}", (status(**effect),), statuses=2, waits=(1.0,))
        ends = processing(puts=1, statuses=3, waits=(1.0, 1.6), fields={"status_error": SET})
        yield Case(
            f"watch {name} for ever", (status(**effect, times=3),), ends, poll=THRICE, small=True
        )
    yield _small("watch late", (status(delay=0.05),), statuses=1, waits=())
    yield _small(
        "watch 500 thrice", (status(status=500, times=3),), statuses=4, waits=(*TWICE, 1.0)
    )
    for name, effect in (
        ("500", {"status": 500}),
        ("no connection", {"lose_request": True}),
        ("no answer", {"lose_answer": True}),
    ):
        ends = processing(puts=1, statuses=6, waits=(*TWICE, 1.0, *TWICE))
        twice = PollPolicy(attempts=2)
        yield Case(
            f"watch {name} for ever", (status(**effect, times=6),), ends, poll=twice, small=True
        )
    yield Case(
        "watch 429 for ever",
        (status(status=429, times=PATIENCE),),
        processing(puts=1, statuses=PATIENCE, waits=None),
        poll=PollPolicy(attempts=1),
        small=True,
    )


def _watched_words() -> Iterator[Case]:
    """Statuses that TikTok has, once had, or never had."""
    for word in ("EXPIRED", "PROCESSING_DOWNLOAD", "PUBLISH_SUCCESS", ""):
        effect = says(status=word)
        yield _small(f"watch {word!r}", (status(**effect),), statuses=2, waits=(1.0,))
    effect = says(status="SEND_TO_USER_INBOX")
    yield _small("watch an inbox", (status(**effect),), statuses=1, waits=())
    for word, reason in (("FAILED", "spam_risk"), ("PUBLISH_FAILED", "internal"), ("FAILED", "")):
        effect = says(status=word, fail_reason=reason)
        facts = {"operation": "status", "vendor_code": reason or None}
        ends = failed(RejectedError, facts=facts, fields={"status": word}, puts=1)
        yield Case(f"watch {word} {reason}", (status(**effect),), ends, small=True)


def _small(name: str, faults: tuple[Fault, ...], **seen: Any) -> Case:
    return Case(name, faults, done(puts=1, **seen), small=True)


# -- an answer to a PUT was lost -----------------------------------------------------------------


def _asked(*, final: bool) -> Iterator[Case]:
    """The part was stored: who learns it goes on, who does not stops where it is safe."""
    for name, effect, wait in PASSING:
        statuses = 2 if final else 3
        ends = done(puts=1 if final else 3, statuses=statuses, waits=(*ONCE, wait))
        yield _after_a_lost_answer(name, ends, final=final, **effect)
    for name, effect, kind, facts in LASTING:
        ends = failed(kind, facts={"operation": "status", **facts}, puts=1, waits=ONCE)
        if final:
            ends = unknown("put", puts=1, waits=ONCE)
        yield _after_a_lost_answer(name, ends, final=final, **effect)
    for name, effect, lasting, times in (
        ("500 for ever", {"status": 500}, ServerError, 3),
        ("reset for ever", {"lose_request": True}, NetworkError, 3),
        ("429 for ever", {"status": 429}, RateLimitedError, PATIENCE),
    ):
        seen: dict[str, Any] = {"puts": 1, "statuses": times, "waits": None}
        ends = gave_up(lasting, facts={"operation": "status"}, **seen)
        if final:
            ends = unknown("put", **seen)
        yield _after_a_lost_answer(name, ends, final=final, **effect, times=times)
    ends = done(puts=1, waits=ONCE) if final else done(statuses=2, waits=ONCE)
    yield _after_a_lost_answer("late", ends, final=final, delay=0.05)


def _told(*, final: bool) -> Iterator[Case]:
    """Numbers that are no boundary of this part prove nothing; an end is an end."""
    size = SMALL if final else SIZE
    part = SMALL if final else CHUNK
    asked: dict[str, Any] = {"puts": 1, "statuses": 3, "waits": (*ONCE, *ASKED)}
    doubt = gave_up(NetworkError, facts={"operation": "put"}, **asked)
    if final:
        doubt = unknown("put", **asked)
    for stored in (None, str(part), True, -1, 1.5, part - 1, 7, size + 1):
        effect = says(status="PROCESSING_UPLOAD", uploaded_bytes=stored)
        told = f"{stored!r} are stored"
        yield _after_a_lost_answer(told, doubt, final=final, **effect, times=3)
        # Asked again, the server has it right.
        statuses = 2 if final else 3
        ends = done(puts=1 if final else 3, statuses=statuses, waits=(*ONCE, ASKED[0]))
        yield _after_a_lost_answer(f"{told} at first", ends, final=final, **effect)
    # The post had failed while it was sent: that is known, whichever part it was.
    effect = says(status="FAILED", fail_reason="spam_risk")
    ends = failed(RejectedError, facts={"vendor_code": "spam_risk"}, puts=1, waits=ONCE)
    yield _after_a_lost_answer("FAILED", ends, final=final, **effect)
    if not final:
        effect = says(status="PUBLISH_COMPLETE")
        doubt = unknown("put", puts=1, waits=ONCE)
        yield _after_a_lost_answer("published too soon", doubt, final=final, **effect)


def _after_a_lost_answer(name: str, ends: Ends, *, final: bool, **effect: Any) -> Case:
    where = "the last part" if final else "a part"
    faults = (put(1, lose_answer=True), status(**effect))
    return Case(f"ask about {where}: {name}", faults, ends, small=final)
