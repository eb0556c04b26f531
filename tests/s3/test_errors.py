"""Every answer of S3 has a class, a recovery and a sentence that helps."""

import pytest

from tests.s3.flows import refused
from transports.s3.errors import from_s3
from uploader.errors import (
    AuthenticationError,
    DigestMismatchError,
    NetworkError,
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

NONE, RETRY, RESYNC, RESTART = Recovery.NONE, Recovery.RETRY, Recovery.RESYNC, Recovery.RESTART


@pytest.mark.parametrize(
    ("status", "code", "kind", "recovery", "ambiguous"),
    [
        (503, "SlowDown", RateLimitedError, RETRY, False),
        (503, "ServiceUnavailable", ServerError, RETRY, True),
        (500, "InternalError", ServerError, RETRY, True),
        (400, "RequestTimeout", NetworkError, RETRY, False),
        (409, "OperationAborted", ServerError, RETRY, False),
        (403, "RequestTimeTooSkewed", AuthenticationError, RETRY, False),
        (400, "ExpiredToken", AuthenticationError, RETRY, False),
        (403, "InvalidAccessKeyId", AuthenticationError, NONE, False),
        (403, "SignatureDoesNotMatch", AuthenticationError, NONE, False),
        (403, "AccessDenied", AuthenticationError, NONE, False),
        (400, "InvalidToken", AuthenticationError, NONE, False),
        (404, "NoSuchBucket", RejectedError, NONE, False),
        (404, "NoSuchUpload", SessionExpiredError, RESTART, False),
        (301, "PermanentRedirect", RejectedError, NONE, False),
        (307, "TemporaryRedirect", RejectedError, NONE, False),
        (400, "AuthorizationHeaderMalformed", AuthenticationError, NONE, False),
        (400, "EntityTooSmall", RejectedError, NONE, False),
        (400, "EntityTooLarge", RejectedError, NONE, False),
        (400, "InvalidPart", OffsetMismatchError, RESYNC, False),
        (400, "BadDigest", DigestMismatchError, RETRY, False),
        (400, "XAmzContentSHA256Mismatch", DigestMismatchError, RETRY, False),
        (400, "InvalidArgument", RejectedError, NONE, False),
        (501, "NotImplemented", RejectedError, NONE, False),
        (418, "SomethingNew", RejectedError, NONE, False),
        (599, "SomethingNew", ServerError, RETRY, True),
        (403, "", AuthenticationError, NONE, False),
        (429, "", RateLimitedError, RETRY, False),
        (408, "", NetworkError, RETRY, False),
        (404, "", RejectedError, NONE, False),
        (202, "", ProtocolError, NONE, True),
    ],
)
def test_a_code_has_a_meaning(
    status: int, code: str, kind: type[TransportError], recovery: Recovery, *, ambiguous: bool
) -> None:
    """The code decides, and where there is none the status."""
    answer = refused(status, code) if code else Response(status)
    error = from_s3("put", answer)
    assert type(error) is kind
    assert (error.recovery, error.ambiguous) == (recovery, ambiguous)
    assert (error.operation, error.status, error.vendor_code) == ("put", status, code or None)


def test_an_error_keeps_what_support_asks_for() -> None:
    """The request's id from the header, else from the document; seconds to wait; S3's words."""
    answer = refused(503, "SlowDown", x_amz_request_id="H1", retry_after="7")
    error = from_s3("put", answer)
    assert (error.request_id, error.retry_after) == ("H1", 7.0)
    assert error.message == "put: S3 answered 503 SlowDown: it says no"
    assert from_s3("put", refused(503, "SlowDown")).request_id == "R1"


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        (refused(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3"), "eu-west-3"),
        (
            refused(400, "AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>"),
            "ap-south-1",
        ),
        (Response(301, {"x-amz-bucket-region": "us-west-2"}), "us-west-2"),
        (refused(400, "IllegalLocationConstraintException", x_amz_bucket_region="a-1"), "a-1"),
    ],
)
def test_the_right_region_is_said(answer: Response, region: str) -> None:
    """S3 tells where the bucket is, and the hint says what to write."""
    assert from_s3("create", answer).hints == [f"the bucket is in {region}: give region={region!r}"]


def test_what_repeats_the_request_is_not_repeated() -> None:
    """A signature error holds the key's id and all that was signed: neither is in the text."""
    more = "<AWSAccessKeyId>AKIASECRET</AWSAccessKeyId><StringToSign>TOKEN</StringToSign>"
    error = from_s3("put", refused(403, "SignatureDoesNotMatch", more))
    assert "AKIASECRET" not in str(error.to_dict())
    assert "TOKEN" not in str(error.to_dict())


def test_words_of_a_server_are_cut_and_printable() -> None:
    """No line end, no escape of a terminal, and at most 300 characters."""
    content = f"<Error><Code>X</Code><Message>a\n\u009bb{'c' * 500}</Message></Error>"
    said = from_s3("put", Response(400, {}, content.encode())).message.partition("X: ")[2]
    assert said == f"a b{'c' * 500}"[:300]


def test_an_older_wrapping_is_understood() -> None:
    """Some servers wrap the error as AWS's older services do."""
    content = b"<ErrorResponse><Error><Code>SlowDown</Code></Error></ErrorResponse>"
    assert from_s3("put", Response(503, {}, content)).vendor_code == "SlowDown"
