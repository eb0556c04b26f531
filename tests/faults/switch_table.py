"""Every reading of what TikTok's pages leave open: what an upload makes of each.

`HARMLESS` are switches that an upload never notices.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.faults.case import (
    ASKED,
    DOUBLED,
    LAST,
    LIMITED,
    ONCE,
    SET,
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
from transports.tiktok import TikTokLimits
from transports.tiktok.sandbox import Switches
from uploader import (
    NetworkError,
    OffsetMismatchError,
    Outcome,
    PollPolicy,
    ProtocolError,
    RejectedError,
    RetryPolicy,
    ServerError,
    SessionExpiredError,
)

if TYPE_CHECKING:
    from tests.faults.scene import Scene

MIB = 1 << 20
PUBLIC = {"privacy_level": "PUBLIC_TO_EVERYONE"}
# Cut as our limits never would: the sandbox refuses it.
TOO_SMALL = {"chunk_size": 4 * MIB, "limits": TikTokLimits(min_chunk=MIB)}

HARMLESS = (
    Switches(megabyte="decimal"),
    Switches(megabyte="binary"),
    Switches(one_chunk_rule=False),
    Switches(message_precedence="size"),
    Switches(brand_toggles_required=True),
    Switches(log_id_name="logid"),
    Switches(upload_path="/upload/"),
    Switches(upload_path="/upload"),
    Switches(upload_url_length=8192),
    Switches(content_range_counts=False),
    Switches(oversize_status=502),
    Switches(uploaded_bytes="absent"),
    Switches(uploaded_bytes_lag=30.0),
    Switches(cancel="accepted"),
    Switches(post_id_name="publicly_available_post_id"),
    # Of posts by address, and of drafts.
    Switches(pending_drafts=0),
    Switches(url_ownership="unchecked"),
    Switches(pull="fails"),
    Switches(pull_seconds=60.0),
    Switches(pull_bytes=1),
)


def switch_cases() -> Iterator[Case]:
    """Yield the cases of the switches."""
    for switches in HARMLESS:
        yield Case(f"harmless {changed(switches)}", (), done(), switches)
        small = done(puts=1)
        yield Case(f"harmless for one part {changed(switches)}", (), small, switches, small=True)
    yield from _of_init()
    yield from _of_upload_hosts()
    yield from _of_lifetimes()
    yield from _of_stored_bytes()
    yield from _of_processing()


def changed(switches: Switches) -> dict[str, object]:
    """Return the switches that are turned."""
    plain = Switches()
    return {
        name: getattr(switches, name)
        for name in Switches.__dataclass_fields__
        if getattr(switches, name) != getattr(plain, name)
    }


def _of_init() -> Iterator[Case]:
    for switches, code in (
        (Switches(), "invalid_params"),
        (Switches(invalid_param="invalid_param"), "invalid_param"),
        (Switches(log_id_name="logid"), "invalid_params"),
        (Switches(message_precedence="size"), "invalid_params"),
    ):
        facts = {"operation": "init", "status": 400, "vendor_code": code, "request_id": SET}
        yield Case(
            f"a refused cut {changed(switches)}",
            (),
            failed(RejectedError, facts=facts, puts=0, statuses=0),
            switches,
            post=TOO_SMALL,
        )
    # Refused before anything is sent, unless the limits say otherwise.
    branded = {"brand_content_toggle": True, "limits": TikTokLimits(branded_private=True)}
    yield Case(
        "branded and SELF_ONLY, refused",
        (),
        failed(RejectedError, facts={"status": 400}, puts=0, statuses=0),
        post=branded,
    )
    yield Case(
        "branded and SELF_ONLY, taken",
        (),
        done(puts=1),
        Switches(branded_self_only="accepted"),
        post=branded,
        small=True,
    )
    code = "unaudited_client_can_only_post_to_private_accounts"
    yield Case(
        "not audited",
        (),
        failed(RejectedError, facts={"status": 403, "vendor_code": code}, puts=0, statuses=0),
        Switches(audited=False),
    )
    code = "spam_risk_too_many_posts"
    yield Case(
        "the day's posts are used up",
        (),
        failed(RejectedError, facts={"status": 403, "vendor_code": code}, puts=0, statuses=0),
        Switches(posts_a_day=0),
    )
    # Six inits a minute for each token: the seventh is waited for.
    yield Case(
        "the limit on inits",
        (),
        done(inits=5, puts=1, waits=(LIMITED, DOUBLED, 2 * DOUBLED, 4 * DOUBLED)),
        small=True,
        before=spend_inits,
    )
    yield Case(
        "the limit on inits, told",
        (),
        done(inits=2, puts=1, waits=(61.0,)),
        Switches(retry_after=61),
        small=True,
        before=spend_inits,
    )
    yield Case("a repeated init is a second task", (), done(), before=fail_in_the_middle)
    # Recognised: the first part is there already, which 416 and the status say.
    yield Case(
        "a repeated init is the same task",
        (),
        done(statuses=2, waits=ONCE),
        Switches(identical_init="same_task"),
        before=fail_in_the_middle,
    )


def spend_inits(scene: "Scene") -> None:
    """Use up what a minute has."""
    post = scene.destination()
    transport = post.transport()
    spec = scene.uploader.check(scene.film, post)
    for _ in range(6):
        scene.uploader.call(post, "create", lambda: transport.create(spec), repeatable=False)


def fail_in_the_middle(scene: "Scene") -> None:
    """Leave an upload behind of which one part is stored."""
    scene.sandbox.script(put(2, status=400))
    result = scene.uploader.upload(scene.film, scene.destination())
    assert result.outcome is Outcome.FAILED


def _of_upload_hosts() -> Iterator[Case]:
    """Bytes go below TikTok's domains, by https, or nowhere."""
    for host in (
        "open-upload.example.com",
        "tiktokapis.com.example.com",
        "nottiktokapis.com",
        "tiktokapis.us",
        "http://open-upload.tiktokapis.com",
        "https://open-upload.tiktokapis.com:8443",
        "https://127.0.0.1:1",
    ):
        yield Case(
            f"bytes are not sent to {host}",
            (),
            failed(ProtocolError, facts={"operation": "init"}, puts=0, statuses=0),
            Switches(upload_host=host),
        )
    yield Case(
        "an upload URL that is too long",
        (),
        failed(ProtocolError, facts={"operation": "init"}, puts=0, statuses=0),
        Switches(upload_url_length=8193),
    )


def _of_lifetimes() -> Iterator[Case]:
    expired = {"operation": "put", "status": 403}
    yield Case(
        "the URL expires during a wait",
        (put(2, status=429, headers=retry_after(61)),),
        failed(SessionExpiredError, facts=expired, puts=3, statuses=0, waits=(61.0,)),
        Switches(upload_url_seconds=60.0),
    )
    yield _the_hour()
    slow = RetryPolicy(base=240.0, cap=240.0)
    for fate in ("processing", "failed"):
        switches = Switches(upload_url_seconds=60.0, expired_task=fate)
        if fate == "processing":
            # Nothing of the part is stored, so it is sent again, too late.
            ends = failed(SessionExpiredError, facts=expired, puts=3, statuses=2, waits=(120.0,))
        else:
            ends = failed(RejectedError, facts={"vendor_code": "internal"}, puts=2, waits=(120.0,))
        yield Case(
            f"the URL expires before the status is asked, {fate}",
            (put(2, reset_after=MIB),),
            ends,
            switches,
            retry=slow,
        )


def _the_hour() -> Case:
    """Ours is the hour of the guide: nothing is sent after it, whatever the server would say."""
    return Case(
        "the hour ends during a wait",
        (put(2, status=503),),
        failed(
            SessionExpiredError,
            facts={"operation": "put", "status": None},
            puts=2,
            statuses=1,
            waits=(3600.0,),
        ),
        Switches(upload_url_seconds=9999.0),
        retry=RetryPolicy(base=7200.0, cap=7200.0, total=9999.0),
    )


def _of_stored_bytes() -> Iterator[Case]:
    """A status that does not tell, tells late, or tells of half a part."""
    silent = Switches(uploaded_bytes="absent")
    for nth, name in ((2, "middle"), (LAST, "last")):
        lost = put(nth, reset_after=MIB)
        asked: dict[str, Any] = {"puts": nth, "statuses": 3, "waits": (*ONCE, *ASKED)}
        doubt = gave_up(NetworkError, facts={"operation": "put"}, **asked)
        if nth == LAST:
            doubt = unknown("put", **asked)
        yield Case(f"no uploaded_bytes: {name} reset", (lost,), doubt, silent)
        yield Case(f"half kept: {name} reset", (lost,), doubt, Switches(partial_bytes="kept"))
    yield Case(
        "no uploaded_bytes: middle 503 for ever",
        (put(2, status=503, times=3),),
        gave_up(ServerError, facts={"status": 503}, puts=4, statuses=3, waits=(*TWICE, *ASKED)),
        silent,
    )
    yield Case(
        "no uploaded_bytes: last 503 for ever",
        (put(LAST, status=503, times=3),),
        unknown("put", facts={"status": 503}, puts=5, statuses=3, waits=(*TWICE, *ASKED)),
        silent,
    )
    yield Case(
        "no uploaded_bytes: last answer lost, published",
        (put(LAST, lose_answer=True),),
        done(waits=ONCE),
        silent,
    )
    yield Case(
        "no uploaded_bytes: last answer lost, being processed",
        (put(LAST, lose_answer=True),),
        unknown("put", statuses=3, waits=(*ONCE, *ASKED)),
        silent,
        processing_seconds=60.0,
    )
    yield Case(
        "last answer lost, being processed",
        (put(LAST, lose_answer=True),),
        done(statuses=4, waits=(*ONCE, 1.0, 1.6)),
        processing_seconds=1.5,
    )
    late = Switches(uploaded_bytes_lag=30.0)
    yield Case(
        "uploaded_bytes late: first answer lost",
        (put(1, lose_answer=True),),
        gave_up(OffsetMismatchError, facts={"status": 416}, puts=3, statuses=3, waits=TWICE),
        late,
    )
    yield Case(
        "uploaded_bytes late: first answer lost, asked later",
        (put(1, lose_answer=True),),
        done(statuses=2, waits=(60.0,)),
        late,
        retry=RetryPolicy(base=120.0, cap=120.0),
    )
    yield Case(
        "uploaded_bytes late: middle answer lost",
        (put(2, lose_answer=True),),
        gave_up(
            NetworkError,
            facts={"operation": "put"},
            puts=2,
            statuses=3,
            waits=(*ONCE, *ASKED),
        ),
        late,
    )
    # The status shows the part before, and knows nothing of the end: sent again, the last part
    # meets an upload that is gone. It may be gone because it is published.
    yield Case(
        "status and uploaded_bytes late: last answer lost",
        (put(LAST, status=503, headers=retry_after(60)), put(LAST + 1, lose_answer=True)),
        unknown("put", facts={"status": 404}, puts=5, statuses=2, waits=(60.0, 0.5)),
        Switches(uploaded_bytes_lag=30.0, status_lag=30.0),
    )


def _of_processing() -> Iterator[Case]:
    yield _watched("stuck", processing(puts=1, statuses=3, waits=(1.0, 1.6)), THRICE, stuck=True)
    patience = PollPolicy()
    waits = tuple(patience.waits())
    yield _watched(
        "stuck for half an hour",
        processing(puts=1, statuses=len(waits) + 1, waits=waits),
        None,
        stuck=True,
    )
    yield Case(
        "status late",
        (),
        done(puts=1, statuses=8, waits=tuple(patience.waits())[:7]),
        Switches(status_lag=30.0),
        small=True,
    )
    for reason in (
        "file_format_check_failed",
        "duration_check_failed",
        "frame_rate_check_failed",
        "picture_size_check_failed",
        "internal",
        "publish_cancelled",
        "auth_removed",
        "spam_risk_too_many_posts",
        "spam_risk_user_banned_from_posting",
        "spam_risk_text",
        "spam_risk",
        "a_reason_of_tomorrow",
    ):
        facts = {"operation": "status", "vendor_code": reason}
        yield Case(
            f"ends as {reason}",
            (),
            failed(RejectedError, facts=facts, fields={"fail_reason": reason}, puts=1),
            Switches(fail_reason=reason),
            small=True,
        )
    shown: dict[str, Any] = {"puts": 1, "fields": {"post_ids": SET}}
    hidden: dict[str, Any] = {"puts": 1, "fields": {"post_ids": None}}
    for switches, ends in (
        (Switches(), shown),
        (Switches(post_id_shape="strings"), shown),
        (Switches(post_id_shape="string"), shown),
        (Switches(post_id="never"), hidden),
        (Switches(post_id_delay=60.0), hidden),
    ):
        yield Case(
            f"public {changed(switches)}", (), done(**ends), switches, post=PUBLIC, small=True
        )


def _watched(name: str, ends: Any, poll: PollPolicy | None, *, stuck: bool) -> Case:
    return Case(name, (), ends, Switches(stuck_processing=stuck), poll=poll, small=True)
