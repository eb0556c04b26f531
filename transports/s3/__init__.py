"""S3's multipart upload: objects on AWS and on servers that speak it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transports.s3.credentials import AwsCredentials, S3Credential
    from transports.s3.destination import S3Object
    from transports.s3.limits import S3Limits

__all__ = ["AwsCredentials", "S3Credential", "S3Limits", "S3Object"]

_HOMES = {
    "AwsCredentials": "transports.s3.credentials",
    "S3Credential": "transports.s3.credentials",
    "S3Limits": "transports.s3.limits",
    "S3Object": "transports.s3.destination",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(home), name)
