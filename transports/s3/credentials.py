"""Credentials and signatures of AWS, by botocore.

Rule: botocore is imported when something must be signed; nothing of it is patched, and no text of a
secret outlives the expression that needs it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from transports.s3.errors import error_in
from uploader.errors import AuthenticationError, ConfigurationError
from uploader.http import Request, Response
from uploader.secret import Secret

TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"
SKEW: Final = timedelta(seconds=60)
"""A smaller difference is left alone: S3 forgives 15 minutes, and its `Date` may be on its way."""
FALLBACK_REGION: Final = "us-east-1"
_STALE: Final = frozenset({"ExpiredToken", "InvalidAccessKeyId", "InvalidToken",
                           "TokenRefreshRequired"})  # fmt: skip


class _Found:
    """What botocore found in this process, by profile."""

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """Start afresh: a lock that was held at a fork is never released in the child."""
        self._lock = threading.Lock()
        self._credentials: dict[str | None, Any] = {}

    def frozen(self, profile: str | None) -> Any:
        """Return the credentials that are valid now; may ask a file, a command or a server."""
        with self._lock:
            credentials = self._credentials.get(profile)
            if credentials is None:
                credentials = _session(profile).get_credentials()
                if credentials is None:
                    raise ConfigurationError("botocore found no AWS credentials").hint(
                        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile=, or give"
                        " access_key_id= and secret_access_key="
                    )
                self._credentials[profile] = credentials
        return credentials.get_frozen_credentials()

    def forget(self, profile: str | None) -> None:
        with self._lock:
            self._credentials.pop(profile, None)


_FOUND: Final = _Found()


def _now() -> datetime:
    return datetime.now(UTC)


class AwsCredentials:
    """A source of `S3Credential`s: the keys given, else what botocore finds for the profile.

    `keys` are access key, secret and session token, the last one "" where there is none. What is
    learnt of the server's clock holds for every request that is signed afterwards.
    """

    def __init__(
        self,
        *,
        region: str,
        profile: str | None = None,
        keys: tuple[Secret, ...] | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._region = region
        self._profile = profile
        self._keys = keys
        self._clock = clock
        self._ahead = timedelta()

    def __call__(self, transport: str, account: str | None) -> S3Credential:
        return S3Credential(self._frozen(), self._region, now=self._now, learn=self._learn)

    def _frozen(self) -> Any:
        _require()
        from botocore.credentials import ReadOnlyCredentials
        from botocore.exceptions import BotoCoreError

        if self._keys is not None:
            return ReadOnlyCredentials(*(key.reveal() or None for key in self._keys))
        try:
            return _FOUND.frozen(self._profile)
        except BotoCoreError as error:
            # The name alone: its text may repeat what a credential process printed.
            failure = AuthenticationError(
                f"botocore could not get credentials: {type(error).__name__}"
            )
        raise failure.hint("a login, such as `aws sso login`, may have expired")

    def _now(self) -> datetime:
        return self._clock() + self._ahead

    def _learn(self, response: Response) -> None:
        try:
            there = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            there = None
        if there is not None and abs(there - self._now()) > SKEW:
            self._ahead = there - self._clock()
        error = error_in(response)
        if error is not None and error.get("Code") in _STALE:
            _FOUND.forget(self._profile)


class S3Credential:
    """Signs requests with AWS Signature Version 4 for S3.

    `frozen` has `access_key`, `secret_key` and `token`, as botocore's frozen credentials do. The
    payload's hash is the one that the request carries.
    """

    def __init__(
        self,
        frozen: Any,
        region: str,
        *,
        now: Callable[[], datetime] = _now,
        learn: Callable[[Response], None] | None = None,
    ) -> None:
        self._frozen = frozen
        self._region = region
        self._now = now
        self._learn = learn

    def sign(self, request: Request) -> Mapping[str, str | Secret]:
        """Return date, token and signature as headers.

        Not by `add_auth`: it reads the clock itself and writes the token to botocore's log.
        """
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        auth = S3SigV4Auth(self._frozen, "s3", self._region)
        signed = AWSRequest(
            method=request.method,
            url=_text(request.url),
            headers={name: _text(value) for name, value in request.headers.items()},
        )
        signed.context["timestamp"] = self._now().strftime(TIMESTAMP)
        added: dict[str, str | Secret] = {"X-Amz-Date": signed.context["timestamp"]}
        if self._frozen.token:
            added["X-Amz-Security-Token"] = Secret(self._frozen.token)
        for name, value in added.items():
            signed.headers[name] = _text(value)
        canonical = auth.canonical_request(signed)
        signature = auth.signature(auth.string_to_sign(signed, canonical), signed)
        names = auth.signed_headers(auth.headers_to_sign(signed))
        added["Authorization"] = Secret(
            f"AWS4-HMAC-SHA256 Credential={auth.scope(signed)}, SignedHeaders={names},"
            f" Signature={signature}"
        )
        return added

    def learn(self, response: Response) -> None:
        """Note the server's clock, and that credentials are stale, from an answer of refusal."""
        if self._learn is not None:
            self._learn(response)

    def __repr__(self) -> str:
        return f"<S3Credential for {self._region}>"


def default_region(profile: str | None) -> str:
    """Return the region of the environment or the profile, else us-east-1."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if profile is None and os.environ.get(name):
            return os.environ[name]
    try:
        found = _session(profile).get_config_variable("region")
    except ImportError:
        found = None
    return str(found or FALLBACK_REGION)


def _session(profile: str | None) -> Any:
    from botocore.exceptions import ProfileNotFound
    from botocore.session import Session

    session = Session(profile=profile)
    try:
        session.get_scoped_config()
    except ProfileNotFound:
        raise ConfigurationError(f"AWS's configuration has no profile {profile!r}") from None
    return session


def _require() -> None:
    try:
        import botocore  # noqa: F401
    except ImportError:
        raise ConfigurationError("signing for S3 needs botocore").hint(
            'pip install "mmap-uploader[s3]"'
        ) from None


def _text(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
