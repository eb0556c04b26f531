"""mmap-uploader: publish large videos through destinations' upload APIs, in constant memory.

Rule: importing this is cheap; aiohttp, structlog and the Prometheus client load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from uploader.errors import (
    AccountError,
    AccountRevokedError,
    AuthenticationError,
    ConfigurationError,
    DigestMismatchError,
    JournalError,
    LeaseHeldError,
    LeaseLostError,
    LimitsError,
    NetworkError,
    OffsetMismatchError,
    OutcomeUnknownError,
    PausedError,
    PlanError,
    PreflightError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    RejectedError,
    RetriesExhaustedError,
    ServerError,
    SessionExpiredError,
    SourceChangedError,
    SourceError,
    SourceReadError,
    TokensChangedError,
    TokenStoreError,
    TransportError,
    UploadCancelledError,
    UploaderError,
)
from uploader.secret import Secret

if TYPE_CHECKING:
    from uploader.api import AsyncUploader, Uploader, UploadHandle
    from uploader.http import Timeouts
    from uploader.model import Outcome, Progress, UploadResult
    from uploader.pacing import PollPolicy
    from uploader.retry import RetryPolicy

__version__ = "0.1.0"

__all__ = [
    "AccountError",
    "AccountRevokedError",
    "AsyncUploader",
    "AuthenticationError",
    "ConfigurationError",
    "DigestMismatchError",
    "JournalError",
    "LeaseHeldError",
    "LeaseLostError",
    "LimitsError",
    "NetworkError",
    "OffsetMismatchError",
    "Outcome",
    "OutcomeUnknownError",
    "PausedError",
    "PlanError",
    "PollPolicy",
    "PreflightError",
    "Progress",
    "ProtocolError",
    "RateLimitedError",
    "Recovery",
    "RejectedError",
    "RetriesExhaustedError",
    "RetryPolicy",
    "Secret",
    "ServerError",
    "SessionExpiredError",
    "SourceChangedError",
    "SourceError",
    "SourceReadError",
    "Timeouts",
    "TokenStoreError",
    "TokensChangedError",
    "TransportError",
    "UploadCancelledError",
    "UploadHandle",
    "UploadResult",
    "Uploader",
    "UploaderError",
    "__version__",
]

_LATE = {
    "AsyncUploader": "api",
    "Outcome": "model",
    "PollPolicy": "pacing",
    "Progress": "model",
    "RetryPolicy": "retry",
    "Timeouts": "http",
    "UploadHandle": "api",
    "UploadResult": "model",
    "Uploader": "api",
}


def __getattr__(name: str) -> Any:
    """Import the faces, and the values that they take and give, when one is first used."""
    if name in _LATE:
        found = getattr(importlib.import_module(f"uploader.{_LATE[name]}"), name)
        return globals().setdefault(name, found)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
