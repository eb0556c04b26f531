"""What moto leaves out of S3: signatures, clocks and checksums are checked, not believed.

Rule: WSGI middleware that recomputes each signature with botocore from what arrived on the wire.
"""

import base64
import hashlib
import html
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import google_crc32c
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

REGION = "eu-central-1"
UNSIGNED = "UNSIGNED-PAYLOAD"
FORGIVEN = timedelta(minutes=15)
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
    r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Account:
    """A key pair that the gate knows."""

    key_id: str
    secret: str
    token: str = ""
    expired: bool = False


class RefusedError(Exception):
    """An answer in place of the server's: status, code, further elements."""

    def __init__(self, status: str, code: str, **elements: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.elements = elements


class Gate:
    """Let a request through to `app` when S3 would."""

    def __init__(self, app: WSGI, accounts: Iterable[Account]) -> None:
        self._app = app
        self._accounts = {account.key_id: account for account in accounts}
        self.ahead = timedelta()
        """How far the server's clock is ahead of this machine's."""

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        date = ("Date", format_datetime(self._now(), usegmt=True))
        try:
            self._check(environ)
        except RefusedError as refused:
            more = "".join(
                f"<{name}>{html.escape(value)}</{name}>" for name, value in refused.elements.items()
            )
            content = (
                f"<?xml version='1.0'?><Error><Code>{refused.code}</Code>"
                f"<Message>the gate says no</Message>{more}</Error>"
            ).encode()
            start(refused.status, [date, ("x-amz-request-id", "GATE1"),
                                   ("Content-Type", "application/xml"),
                                   ("Content-Length", str(len(content)))])  # fmt: skip
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else content]

        def dated(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [each for each in headers if each[0].lower() != "date"]
            return start(status, [*kept, date], *rest)

        return self._app(environ, dated)

    def _now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def _check(self, environ: dict[str, Any]) -> None:
        headers = _headers(environ)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        found = _HEADER.fullmatch(headers.get("authorization", ""))
        if found is None:
            raise RefusedError("403 Forbidden", "AccessDenied")
        key_id, day, region, names, signature = found.groups()
        account = self._accounts.get(key_id)
        if account is None:
            raise RefusedError("403 Forbidden", "InvalidAccessKeyId", AWSAccessKeyId=key_id)
        if region != REGION:
            raise RefusedError("400 Bad Request", "AuthorizationHeaderMalformed", Region=REGION)
        if headers.get("x-amz-security-token", "") != account.token:
            raise RefusedError("400 Bad Request", "InvalidToken")
        if account.expired:
            raise RefusedError("400 Bad Request", "ExpiredToken")
        stamp = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(stamp - self._now()) > FORGIVEN:
            raise RefusedError("403 Forbidden", "RequestTimeTooSkewed")
        if signature != _signature(environ, headers, names.split(";"), account):
            raise RefusedError("403 Forbidden", "SignatureDoesNotMatch", StringToSign="…")
        unsigned = {name for name in headers if name.startswith("x-amz-")} - set(names.split(";"))
        if unsigned or "host" not in names.split(";") or day != f"{stamp:%Y%m%d}":
            raise RefusedError("403 Forbidden", "AccessDenied", HeadersNotSigned=str(unsigned))
        _check_content(headers, body)


def _check_content(headers: Mapping[str, str], body: bytes) -> None:
    claimed = headers["x-amz-content-sha256"]
    if claimed not in (UNSIGNED, hashlib.sha256(body).hexdigest()):
        raise RefusedError("400 Bad Request", "XAmzContentSHA256Mismatch")
    sums = {
        "x-amz-checksum-crc32c": google_crc32c.value(body).to_bytes(4, "big"),
        "x-amz-checksum-sha256": hashlib.sha256(body).digest(),
    }
    for name, digest in sums.items():
        if name in headers and base64.b64decode(headers[name]) != digest:
            raise RefusedError("400 Bad Request", "BadDigest")


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    found = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            found[name.replace("_", "-").lower()] = environ[name]
    return found


def _signature(
    environ: Mapping[str, Any], headers: Mapping[str, str], names: list[str], account: Account
) -> str:
    request = AWSRequest(
        method=environ["REQUEST_METHOD"],
        url=f"http://{headers['host']}{environ['RAW_URI']}",
        headers={name: headers.get(name, "") for name in names},
    )
    request.context["timestamp"] = headers["x-amz-date"]
    keys = ReadOnlyCredentials(account.key_id, account.secret, account.token or None)
    auth = S3SigV4Auth(keys, "s3", REGION)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return str(auth.signature(text, request))
