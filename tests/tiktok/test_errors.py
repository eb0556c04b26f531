"""Every documented answer of TikTok becomes the right kind of error, with its numbers."""

import pytest

from tests.tiktok.answers import direct_post as post
from tests.tiktok.answers import refused, run, session
from transports.statuses import retry_after
from transports.tiktok.errors import envelope, from_fail_reason, from_upload_host
from uploader.errors import (
    AuthenticationError,
    OffsetMismatchError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    RejectedError,
    ServerError,
    SessionExpiredError,
    TransportError,
)
from uploader.http import Response

API = [
    (400, "invalid_param", RejectedError),
    (400, "invalid_params", RejectedError),
    (400, "app_version_check_failed", RejectedError),
    (400, "invalid_publish_id", RejectedError),
    (400, "token_not_authorized_for_specified_publish_id", RejectedError),
    (400, "publish_not_cancellable", RejectedError),
    (400, "invalid_file_upload", RejectedError),
    (400, "scope_permission_missed", AuthenticationError),
    (401, "access_token_invalid", AuthenticationError),
    (401, "scope_not_authorized", AuthenticationError),
    (403, "spam_risk_too_many_posts", RejectedError),
    (403, "spam_risk_too_many_pending_share", RejectedError),
    (403, "spam_risk_user_banned_from_posting", RejectedError),
    (403, "reached_active_user_cap", RejectedError),
    (403, "unaudited_client_can_only_post_to_private_accounts", RejectedError),
    (403, "url_ownership_unverified", RejectedError),
    (403, "privacy_level_option_mismatch", RejectedError),
    (429, "rate_limit_exceeded", RateLimitedError),
    (500, "internal_error", ServerError),
    # "200 (intentional)": caps that arrive under a good status.
    (200, "spam_risk_too_many_posts", RejectedError),
    (200, "spam_risk_user_banned_from_posting", RejectedError),
    (200, "reached_active_user_cap", RejectedError),
    # And whatever else may come under a good status.
    (200, "rate_limit_exceeded", RateLimitedError),
    (200, "access_token_invalid", AuthenticationError),
    (200, "internal_error", ServerError),
    (200, "something_new", RejectedError),
    (403, "something_new", RejectedError),
    (429, "something_new", RateLimitedError),
    (502, "something_new", ServerError),
    (401, "something_new", AuthenticationError),
]


@pytest.mark.parametrize(
    ("status", "code", "kind"), API, ids=[f"{status}-{code}" for status, code, _ in API]
)
def test_each_code_of_the_api_is_classified(
    status: int, code: str, kind: type[TransportError]
) -> None:
    """Status and code decide the kind; code, message, log id and status are kept."""
    with pytest.raises(TransportError) as caught:
        envelope("init", refused(code, "The chunk size is invalid", status=status))
    error = caught.value
    assert type(error) is kind
    assert (error.operation, error.status, error.vendor_code) == ("init", status, code)
    assert error.request_id == "20260922ABCDEF"
    assert "The chunk size is invalid" in error.message
    assert code in error.message


@pytest.mark.parametrize(("status", "code", "kind"), API[:19])
def test_only_a_failing_server_may_have_acted(
    status: int, code: str, kind: type[TransportError]
) -> None:
    """A refusal proves that nothing was posted; a 5xx does not."""
    with pytest.raises(kind) as caught:
        envelope("init", refused(code, status=status))
    assert caught.value.ambiguous is (status >= 500)


@pytest.mark.parametrize(
    "code",
    [
        "invalid_param", "invalid_params", "access_token_invalid", "scope_not_authorized",
        "spam_risk_too_many_posts", "reached_active_user_cap", "privacy_level_option_mismatch",
        "unaudited_client_can_only_post_to_private_accounts",
    ],
)  # fmt: skip
def test_common_refusals_tell_a_human_what_to_do(code: str) -> None:
    """Where a human can help, the error has a hint."""
    with pytest.raises(TransportError) as caught:
        envelope("init", refused(code))
    assert caught.value.hints


@pytest.mark.parametrize("name", ["log_id", "logid"])
def test_both_spellings_of_the_log_id_are_read(name: str) -> None:
    """The examples' spelling and the field table's both reach `request_id`."""
    with pytest.raises(RejectedError) as caught:
        envelope("init", refused("invalid_params", name=name))
    assert caught.value.request_id == "20260922ABCDEF"


@pytest.mark.parametrize("status", [201, 202, 204])
def test_ok_under_an_odd_status_is_no_refusal(status: int) -> None:
    """A code of "ok" under an undocumented status may have been acted on, so it is no refusal."""
    with pytest.raises(ProtocolError) as caught:
        envelope("init", refused("ok", "", status=status))
    assert caught.value.ambiguous


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>", b"[]", b"null", b"{}", b'{"data": {}}', b'{"error": "ok"}', b"\xff\xfe",
        b'{"data": [], "error": {"code": 0}}', b'{"data": ["x"], "error": {"code": "ok"}}',
        b'{"data": {}, "error": null}', b'{"data": "x", "error": {"code": "ok"}}', b"1e999",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 204])
def test_an_answer_that_is_no_envelope_is_a_protocol_error(status: int, content: bytes) -> None:
    """A good status around something else is never success, and may have been acted on."""
    with pytest.raises(ProtocolError) as caught:
        envelope("init", Response(status, {}, content))
    assert caught.value.ambiguous


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RejectedError), (401, AuthenticationError), (404, RejectedError), (413, RejectedError),
     (429, RateLimitedError), (500, ServerError), (502, ServerError), (503, ServerError)],
)  # fmt: skip
def test_a_gateways_answer_is_classified_by_its_status(
    status: int, kind: type[TransportError]
) -> None:
    """Without an envelope the status alone decides, and a Retry-After is kept."""
    answer = Response(status, {"retry-after": "7"}, b"<html>gateway</html>")
    with pytest.raises(TransportError) as caught:
        envelope("status", answer)
    assert type(caught.value) is kind
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused(status: int) -> None:
    """A redirect is an answer that nobody follows; nothing was posted."""
    with pytest.raises(ProtocolError) as caught:
        envelope("init", Response(status))
    assert not caught.value.ambiguous
    for error in (caught.value, from_upload_host(Response(status), 0, 9, final=True)):
        assert "redirect" in error.message
        assert error.recovery is Recovery.NONE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("7", 7.0), ("2.5", 2.5), (" 3 ", 3.0), ("", None), ("-1", None), ("nan", None),
     ("inf", None), ("1e9", None), ("86400", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_sane_seconds_or_nothing(text: str, seconds: float | None) -> None:
    """A date, nonsense, or more than a day counts as no header."""
    assert retry_after(Response(429, {"retry-after": text})) == seconds


@pytest.mark.parametrize(
    ("status", "final", "kind", "recovery"),
    [
        (400, False, RejectedError, Recovery.NONE),
        (403, False, SessionExpiredError, Recovery.RESTART),
        (404, False, SessionExpiredError, Recovery.RESTART),
        (416, False, OffsetMismatchError, Recovery.RESYNC),
        (429, False, RateLimitedError, Recovery.RETRY),
        (500, False, ServerError, Recovery.RETRY),
        (502, True, ServerError, Recovery.RETRY),
        (503, True, ServerError, Recovery.RETRY),
        (200, False, ProtocolError, Recovery.NONE),
        (200, True, ProtocolError, Recovery.NONE),
        (204, True, ProtocolError, Recovery.NONE),
        (201, False, ProtocolError, Recovery.NONE),
        (206, True, ProtocolError, Recovery.NONE),
        (405, False, RejectedError, Recovery.NONE),
        (413, False, RejectedError, Recovery.NONE),
    ],
)
def test_each_answer_of_the_upload_host_is_classified(
    status: int, final: bool, kind: type[TransportError], recovery: Recovery
) -> None:
    """Only 206, and 201 for the last chunk, are right; the range is named in every error."""
    headers = {"retry-after": "3", "x-tt-logid": "LOG"}
    error = from_upload_host(Response(status, headers), 10_000_000, 19_999_999, final=final)
    assert type(error) is kind
    assert (error.recovery, error.status, error.operation) == (recovery, status, "put")
    assert (error.request_id, error.retry_after) == ("LOG", 3.0)
    assert "10,000,000-19,999,999" in error.message


REASONS = [
    "file_format_check_failed", "duration_check_failed", "frame_rate_check_failed",
    "picture_size_check_failed", "internal", "video_pull_failed", "photo_pull_failed",
    "publish_cancelled", "auth_removed", "spam_risk_too_many_posts",
    "spam_risk_user_banned_from_posting", "spam_risk_text", "spam_risk",
]  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("status", ["FAILED", "PUBLISH_FAILED"])
def test_each_reason_of_failure_is_kept(status: str, reason: str) -> None:
    """A post that ended FAILED is final, with TikTok's reason as the vendor code."""
    answer = refused("ok", data={"status": status, "fail_reason": reason}, status=200)
    _, processing = run(post().poll(session()), [answer])
    assert processing.is_terminal
    assert processing.completion is None
    assert isinstance(processing.error, RejectedError)
    assert processing.error.vendor_code == reason
    assert processing.error.recovery is Recovery.NONE
    assert processing.fields["fail_reason"] == reason
    assert processing.error.to_dict() == from_fail_reason(reason).to_dict()


@pytest.mark.parametrize("reason", [r for r in REASONS if not r.endswith("pull_failed")])
def test_reasons_of_a_file_upload_tell_a_human_what_to_do(reason: str) -> None:
    """Every reason that an upload can meet comes with a hint."""
    assert from_fail_reason(reason).hints


@pytest.mark.parametrize("reason", ["", "something_new"])
def test_an_unknown_reason_is_a_failure_all_the_same(reason: str) -> None:
    """FAILED without a known reason is final, and says that there is none."""
    error = from_fail_reason(reason)
    assert error.vendor_code == (reason or None)
    assert (reason or "no reason given") in error.message
