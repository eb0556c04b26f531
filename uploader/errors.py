"""The exceptions of the house: what happened (the class) and what to do about it (`recovery`).

    UploaderError
    ├── ConfigurationError ─ PlanError, PreflightError (.problems)
    ├── SourceError ─ SourceChangedError, SourceReadError
    ├── JournalError ─ LeaseHeldError (.holder), LeaseLostError
    ├── TokenStoreError ─ TokensChangedError
    ├── LimitsError
    ├── TransportError  (.operation .status .vendor_code .request_id .retry_after .recovery)
    │   ├── NetworkError (RETRY)          ├── DigestMismatchError
    │   ├── ServerError (RETRY)           ├── AuthenticationError ─ AccountError
    │   ├── RateLimitedError (RETRY)      ├── RejectedError
    │   ├── OffsetMismatchError (RESYNC)  ├── ProtocolError
    │   └── SessionExpiredError (RESTART) └── OutcomeUnknownError
    │       below AccountError: AccountRevokedError
    ├── RetriesExhaustedError (.last)
    ├── PausedError (.transport .account .reason .since .until .by)
    └── UploadCancelledError

Rule: every one survives pickle and holds no secret. Texts state the fact, then the numbers; hints
for a human are notes (`add_note`).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, ClassVar, Self


class Recovery(Enum):
    """What the engine may do about a failure."""

    NONE = "none"
    RETRY = "retry"
    RESYNC = "resync"
    """Ask the server what it holds, then go on."""
    RESTART = "restart"
    """Only a new session helps; never after the irreversible moment."""


def _rebuild(cls: type[UploaderError], message: str, state: dict[str, Any]) -> UploaderError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class UploaderError(Exception):
    """Root of every exception that this package raises on purpose."""

    code: str = "uploader"
    suspends: ClassVar[bool] = False
    """Whether an upload that ends by it waits to be taken up again, instead of having failed."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__:
            stem = cls.__name__.removesuffix("Error")
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", stem).lower()

    def __init__(self, message: str, *, upload_id: str | None = None) -> None:
        super().__init__(message)
        self.upload_id = upload_id

    @property
    def message(self) -> str:
        return str(self.args[0])

    @property
    def hints(self) -> list[str]:
        """Sentences for a human: what to do next."""
        return list(getattr(self, "__notes__", ()))

    def hint(self, text: str) -> Self:
        """Add a sentence for a human and return the error, to be raised."""
        self.add_note(text)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able facts."""
        facts: dict[str, Any] = {"code": self.code, "message": self.message, "hints": self.hints}
        for name, value in vars(self).items():
            if name.startswith("_") or value is None:
                continue
            if isinstance(value, UploaderError):
                facts[name] = value.to_dict()
            elif isinstance(value, Enum):
                facts[name] = value.value
            elif isinstance(value, str | int | float | bool):
                facts[name] = value
        return facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, dict(vars(self)))


class ConfigurationError(UploaderError):
    """The caller asked for something that cannot be; nothing was sent."""


class PlanError(ConfigurationError):
    """The file cannot be cut so that it fits the destination's limits."""


class PreflightError(ConfigurationError):
    """The destination would refuse the upload; `problems` are all the reasons. Nothing was sent."""

    problems: tuple[Any, ...] = ()


class SourceError(UploaderError):
    """The file cannot be read as it was promised."""


class SourceChangedError(SourceError):
    """The file was truncated, grew, or was replaced while it was being sent."""


class SourceReadError(SourceError):
    """Reading the file failed."""


class JournalError(UploaderError):
    """The journal cannot be read or written; nothing was overwritten."""

    suspends = True


class LeaseHeldError(JournalError):
    """Another run drives this upload; `holder` says who, in words for a human."""

    def __init__(
        self, message: str, *, holder: str | None = None, upload_id: str | None = None
    ) -> None:
        super().__init__(message, upload_id=upload_id)
        self.holder = holder


class LeaseLostError(JournalError):
    """Another run has taken this upload over; this one must not go on."""


class TokenStoreError(UploaderError):
    """The tokens of accounts cannot be read or written; nothing was overwritten."""

    suspends = True


class TokensChangedError(TokenStoreError):
    """Somebody else saved the account's tokens meanwhile; theirs are newer."""


class LimitsError(UploaderError):
    """The limits that processes share cannot be counted; nothing went out uncounted."""

    suspends = True


class TransportError(UploaderError):
    """What a destination, or the way to it, answered.

    `ambiguous` is true when the server may have acted on the request all the same, `general` when
    the refusal would meet every account alike: neither this account nor this content is its cause.
    """

    default_recovery: ClassVar[Recovery] = Recovery.NONE
    default_ambiguous: ClassVar[bool] = False
    general: bool = False

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        status: int | None = None,
        vendor_code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        recovery: Recovery | None = None,
        ambiguous: bool | None = None,
        general: bool = False,
        upload_id: str | None = None,
    ) -> None:
        super().__init__(message, upload_id=upload_id)
        if general:
            self.general = True
        self.operation = operation
        self.status = status
        self.vendor_code = vendor_code
        self.request_id = request_id
        self.retry_after = retry_after
        self.recovery = recovery or self.default_recovery
        self.ambiguous = self.default_ambiguous if ambiguous is None else ambiguous


class NetworkError(TransportError):
    """No answer: refused, reset, timed out. `ambiguous` unless it never left this machine."""

    default_recovery = Recovery.RETRY
    default_ambiguous = True


class ServerError(TransportError):
    """A 5xx answer: the server failed, and may have acted before it did."""

    default_recovery = Recovery.RETRY
    default_ambiguous = True


class RateLimitedError(TransportError):
    """Too many requests; `retry_after` is in seconds when the server said it.

    With `status` `None` it is we who would have passed a limit of the account: nothing was sent,
    and `retry_after` tells when there is room.
    """

    default_recovery = Recovery.RETRY


class OffsetMismatchError(TransportError):
    """The server holds other bytes than the request assumed: `offset`, when it told how many."""

    default_recovery = Recovery.RESYNC

    def __init__(self, message: str, *, offset: int | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.offset = offset


class SessionExpiredError(TransportError):
    """The server-side upload is gone."""

    default_recovery = Recovery.RESTART


class DigestMismatchError(TransportError):
    """The server received other bytes than were sent."""

    default_recovery = Recovery.RETRY


class AuthenticationError(TransportError):
    """The credential is missing, expired, revoked, or lacks a scope."""


class AccountError(AuthenticationError):
    """No credential is to be had for an account now; its uploads wait for one."""

    suspends = True


class AccountRevokedError(AccountError):
    """The account's consent has ended: revoked, or expired. Only a new login helps."""


class RejectedError(TransportError):
    """The destination refused; its own code and message are kept."""


class ProtocolError(TransportError):
    """An answer that the protocol does not know. The server may have acted."""

    default_ambiguous = True


class OutcomeUnknownError(TransportError):
    """An irreversible request may have succeeded, and the server has not told."""

    default_ambiguous = True


class RetriesExhaustedError(UploaderError):
    """The retry budget ran out; `last` is the failure that ended it."""

    suspends = True

    def __init__(
        self,
        message: str,
        *,
        last: TransportError,
        attempts: int,
        seconds: float,
        upload_id: str | None = None,
    ) -> None:
        super().__init__(message, upload_id=upload_id)
        self.last = last
        self.attempts = attempts
        self.seconds = seconds


class PausedError(UploaderError):
    """Uploads like this one are paused: by whom, why, and since when it says; nothing is lost.

    Times are seconds since the epoch.
    """

    suspends = True

    def __init__(
        self,
        message: str,
        *,
        transport: str | None = None,
        account: str | None = None,
        reason: str = "",
        since: float | None = None,
        until: float | None = None,
        by: str = "",
        upload_id: str | None = None,
    ) -> None:
        super().__init__(message, upload_id=upload_id)
        self.transport = transport
        self.account = account
        self.reason = reason
        self.since = since
        self.until = until
        self.by = by


class UploadCancelledError(UploaderError):
    """The caller stopped the upload."""
