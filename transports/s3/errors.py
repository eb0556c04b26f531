"""What S3's answers mean.

Rule: HTTP status and S3's `<Code>` in, one `TransportError` out. A 200 may hold an error, too.
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transports.s3.documents import DocumentError, Element, parse
from transports.statuses import retry_after
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

LONGEST: Final = 300
"""Characters of a server's own message that an error repeats."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: type[TransportError]
    hint: str = ""
    recovery: Recovery | None = None
    ambiguous: bool | None = None


_SLOW = _Meaning(RateLimitedError)
_NOT_READ = _Meaning(NetworkError, ambiguous=False)
_FAILED = _Meaning(ServerError)
_AGAIN = _Meaning(ServerError, ambiguous=False)
_OTHER_BYTES = _Meaning(DigestMismatchError)
_REFUSED = _Meaning(RejectedError)
# Retried, because a later attempt is signed anew, with what botocore has by then; and because an
# upload that ran out of attempts can be resumed, while one that was refused cannot.
_EXPIRED = _Meaning(
    AuthenticationError, "the temporary credentials have expired: renew them, and resume",
    Recovery.RETRY,
)  # fmt: skip
_REGION = _Meaning(RejectedError, "give region=, the one that the bucket is in")

_BY_CODE: Final = {
    "SlowDown": _SLOW,
    "SlowDownRead": _SLOW,
    "SlowDownWrite": _SLOW,
    "TooManyRequests": _SLOW,
    "RequestLimitExceeded": _SLOW,
    "Throttling": _SLOW,
    "ThrottlingException": _SLOW,
    "KMS.ThrottlingException": _SLOW,
    "BandwidthLimitExceeded": _SLOW,
    "InternalError": _FAILED,
    "ServiceUnavailable": _FAILED,
    # "Your socket connection to the server was not read from or written to within the timeout
    # period": the body did not arrive.
    "RequestTimeout": _NOT_READ,
    "IncompleteBody": _NOT_READ,
    "OperationAborted": _AGAIN,
    "ConditionalRequestConflict": _AGAIN,
    "RequestTimeTooSkewed": _Meaning(
        AuthenticationError,
        "the clocks of this machine and of the server differ by more than 15 minutes",
        Recovery.RETRY,
    ),
    "ExpiredToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "InvalidAccessKeyId": _Meaning(AuthenticationError, "the server does not know the access key"),
    "InvalidToken": _Meaning(
        AuthenticationError, "temporary credentials are three: is the session token theirs?"
    ),
    "SignatureDoesNotMatch": _Meaning(
        AuthenticationError,
        "the secret access key is wrong, or what lies between changed the request",
    ),
    "AccessDenied": _Meaning(
        AuthenticationError,
        "the credential may lack s3:PutObject, s3:ListMultipartUploadParts or"
        " s3:AbortMultipartUpload on this key, or kms:GenerateDataKey and kms:Decrypt",
    ),
    "AllAccessDisabled": _Meaning(AuthenticationError),
    "AccountProblem": _Meaning(AuthenticationError),
    "InvalidSecurity": _Meaning(AuthenticationError),
    "NotSignedUp": _Meaning(AuthenticationError),
    "NoSuchBucket": _Meaning(
        RejectedError, "make the bucket first, or look at its name and the endpoint"
    ),
    "NoSuchUpload": _Meaning(SessionExpiredError),
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "Redirect": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "AuthorizationHeaderMalformed": _Meaning(
        AuthenticationError, "the region that signs is not the bucket's: give region="
    ),
    "EntityTooSmall": _Meaning(
        RejectedError, "every part but the last must be at least as large as the server's minimum"
    ),
    "EntityTooLarge": _Meaning(RejectedError, "use a smaller part_size"),
    # A part is gone, or another one stands in its place: what the server holds must be asked.
    "InvalidPart": _Meaning(OffsetMismatchError),
    "InvalidPartOrder": _Meaning(ProtocolError, ambiguous=False),
    "BadDigest": _OTHER_BYTES,
    "XAmzContentSHA256Mismatch": _OTHER_BYTES,
    "XAmzContentChecksumMismatch": _OTHER_BYTES,
    "InvalidDigest": _REFUSED,
    "NotImplemented": _Meaning(
        RejectedError, "if the server knows no checksums, use checksum=None"
    ),
    "KMS.DisabledException": _Meaning(RejectedError, "the KMS key is disabled"),
    "KMS.NotFoundException": _Meaning(RejectedError, "there is no such KMS key in this region"),
    "InvalidObjectState": _REFUSED,
    "QuotaExceeded": _Meaning(RejectedError, "the bucket's quota is used up"),
}
_REDIRECTED: Final = frozenset(
    {
        "PermanentRedirect",
        "TemporaryRedirect",
        "Redirect",
        "IllegalLocationConstraintException",
        "AuthorizationHeaderMalformed",
    }
)


def from_s3(operation: str, response: Response) -> TransportError:
    """Return the error that an answer stands for."""
    status, error = response.status, error_in(response)
    code = error.get("Code") if error else ""
    message = _message(error)
    text = f"{operation}: S3 answered {status}"
    if code:
        text += f" {code}"
    if message:
        text += f": {message}"
    meaning = _BY_CODE.get(code) or _by_status(status)
    failure = meaning.kind(
        text,
        operation=operation,
        status=status,
        vendor_code=code or None,
        request_id=_request_id(response, error),
        retry_after=retry_after(response),
        recovery=meaning.recovery,
        ambiguous=meaning.ambiguous,
    )
    region = _region(response, error)
    if region and (code in _REDIRECTED or 300 <= status < 400):
        return failure.hint(f"the bucket is in {region}: give region={region!r}")
    return failure.hint(meaning.hint) if meaning.hint else failure


def error_in(response: Response) -> Element | None:
    """Return the `<Error>` that an answer holds, `None` when it holds none."""
    if b"<" not in response.content[:64]:
        return None
    try:
        root = parse(response.content)
    except DocumentError:
        return None
    if root.name == "ErrorResponse":  # how S3's older relatives wrap it
        return next(iter(root.every("Error")), None)
    return root if root.name == "Error" else None


def unreadable(operation: str, response: Response, why: str) -> ProtocolError:
    """Return the error for a success that does not say what it must."""
    return ProtocolError(
        f"{operation}: answered {response.status} with {len(response.content):,} bytes: {why}",
        operation=operation,
        status=response.status,
        request_id=_request_id(response, None),
    )


def _by_status(status: int) -> _Meaning:
    match status:
        case 401 | 403:
            return _Meaning(AuthenticationError)
        case 408:
            return _NOT_READ
        case 429:
            return _SLOW
        case 501:
            return _BY_CODE["NotImplemented"]
        case _ if status >= 500:
            return _FAILED
        case _ if 300 <= status < 400:
            return _REGION
        case _ if status < 300:
            return _Meaning(ProtocolError)
    return _REFUSED


def _message(error: Element | None) -> str:
    said = " ".join(error.get("Message").split()) if error else ""
    return "".join(filter(str.isprintable, said))[:LONGEST]


def _request_id(response: Response, error: Element | None) -> str | None:
    found = response.headers.get("x-amz-request-id") or (error.get("RequestId") if error else "")
    return found or None


def _region(response: Response, error: Element | None) -> str:
    found = response.headers.get("x-amz-bucket-region", "") or (
        error.get("Region") if error else ""
    )
    return found[:64]
