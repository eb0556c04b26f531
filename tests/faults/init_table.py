"""What may go wrong with init, which must never be sent twice when the first may have worked."""

from collections.abc import Iterator

from tests.faults.case import (
    DOUBLED,
    LIMITED,
    PATIENCE,
    Case,
    done,
    failed,
    gave_up,
    init,
    retry_after,
    unknown,
)
from transports.tiktok.sandbox import Fault
from uploader import AuthenticationError, ProtocolError, RateLimitedError, RejectedError

# Codes of a refusal, the status that TikTok sends them with, and what they are for us.
REFUSALS = (
    ("invalid_params", 400, RejectedError),
    ("invalid_param", 400, RejectedError),
    ("scope_permission_missed", 400, AuthenticationError),
    ("access_token_invalid", 401, AuthenticationError),
    ("scope_not_authorized", 401, AuthenticationError),
    ("spam_risk_too_many_posts", 403, RejectedError),
    ("spam_risk_user_banned_from_posting", 403, RejectedError),
    ("reached_active_user_cap", 403, RejectedError),
    ("unaudited_client_can_only_post_to_private_accounts", 403, RejectedError),
    ("privacy_level_option_mismatch", 403, RejectedError),
    ("a_code_of_tomorrow", 400, RejectedError),
)


def init_cases() -> Iterator[Case]:
    """Yield the cases of init."""
    yield from _refused()
    yield from _ambiguous()
    yield from _limited()
    yield Case("init late", (init(delay=0.05),), done())
    # Nothing was opened, and the redirect is not walked into.
    facts = {"operation": "init", "status": 307}
    yield Case(
        "init redirected",
        (init(redirect=True),),
        failed(ProtocolError, facts=facts, puts=0, statuses=0),
    )


def _refused() -> Iterator[Case]:
    for code, status, kind in REFUSALS:
        facts = {"operation": "init", "status": status, "vendor_code": code}
        yield Case(
            f"init {code}",
            (init(vendor_code=code),),
            failed(kind, facts=facts, puts=0, statuses=0),
        )
    # TikTok sends some refusals with 200: the code decides.
    for code, kind in (
        ("spam_risk_too_many_posts", RejectedError),
        ("access_token_invalid", AuthenticationError),
    ):
        facts = {"operation": "init", "status": 200, "vendor_code": code}
        yield Case(
            f"init {code} with 200",
            (init(vendor_code=code, status=200),),
            failed(kind, facts=facts, puts=0, statuses=0),
        )
    for status, kind in (
        (400, RejectedError),
        (401, AuthenticationError),
        (403, RejectedError),
        (404, RejectedError),
        (418, RejectedError),
    ):
        facts = {"operation": "init", "status": status, "vendor_code": None, "request_id": None}
        yield Case(
            f"init {status} without an envelope",
            (init(status=status, body="<html>no</html>"),),
            failed(kind, facts=facts, puts=0, statuses=0),
        )


def _ambiguous() -> Iterator[Case]:
    """Each of these may have opened a post: it is not sent again, whatever it was."""
    for name, fault, facts in (
        ("500", init(status=500), {"status": 500}),
        ("502 of a gateway", init(status=502, body="<html>bad</html>"), {"status": 502}),
        ("503, come again", init(status=503, headers=retry_after(1)), {"status": 503}),
        ("500 that worked", init(status=500, stored=True), {"status": 500}),
        (
            "internal_error",
            init(vendor_code="internal_error"),
            {"status": 500, "vendor_code": "internal_error"},
        ),
        (
            "internal_error that worked",
            init(vendor_code="internal_error", status=200, stored=True),
            {"status": 200, "vendor_code": "internal_error"},
        ),
        ("answer lost", init(lose_answer=True), {"status": None}),
        ("request lost", init(lose_request=True), {"status": None}),
        ("answer stalls", init(stall_answer=True), {"status": None}),
        ("answer is no JSON", init(malformed=True), {"status": 200}),
        ("answer of another shape", init(malformed="shape"), {"status": 200}),
        ("204", init(status=204), {"status": 204}),
        (
            "ok without an upload URL",
            init(status=200, body='{"data":{"publish_id":"v"},"error":{"code":"ok"}}'),
            {},
        ),
        ("ok without data", init(status=200, body='{"error":{"code":"ok"}}'), {}),
    ):
        faults: tuple[Fault, ...] = (fault,)
        yield Case(f"init {name}", faults, unknown("create", facts=facts, puts=0, statuses=0))


def _limited() -> Iterator[Case]:
    yield Case("init 429", (init(status=429),), done(inits=2, waits=(LIMITED,)))
    yield Case(
        "init 429, come again",
        (init(status=429, headers=retry_after(17)),),
        done(inits=2, waits=(17.0,)),
    )
    yield Case(
        "init 429 twice",
        (init(status=429, times=2),),
        done(inits=3, waits=(LIMITED, DOUBLED)),
    )
    yield Case(
        "init 429, come again on a day",
        (init(status=429, headers=retry_after("Wed, 21 Oct 2026 07:28:00 GMT")),),
        done(inits=2, waits=(LIMITED,)),
    )
    yield Case(
        "init rate_limit_exceeded with 200",
        (init(vendor_code="rate_limit_exceeded", status=200),),
        done(inits=2, waits=(LIMITED,)),
    )
    facts = {"operation": "init", "status": 429, "vendor_code": "rate_limit_exceeded"}
    yield Case(
        "init 429 for ever",
        (init(status=429, times=PATIENCE),),
        gave_up(RateLimitedError, facts=facts, inits=PATIENCE, puts=0, statuses=0, waits=None),
    )
    yield Case(
        "init 429 for too long",
        (init(status=429, headers=retry_after(301)),),
        gave_up(RateLimitedError, facts={**facts, "retry_after": 301.0}, puts=0, statuses=0),
    )
