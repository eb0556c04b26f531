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
from uploader.http import Timeouts
from uploader.model import Outcome, Progress, UploadResult
from uploader.pacing import PollPolicy
from uploader.retry import RetryPolicy
from uploader.secret import Secret

if TYPE_CHECKING:
    from uploader.api import AsyncUploader, Uploader, UploadHandle

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

_LATE = frozenset({"AsyncUploader", "UploadHandle", "Uploader"})


def __getattr__(name: str) -> Any:
    """Import the faces, and what they stand on, when one is first used."""
    if name in _LATE:
        return getattr(importlib.import_module("uploader.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
