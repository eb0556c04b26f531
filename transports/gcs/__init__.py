"""Google Cloud Storage: objects, by resumable uploads.

    from transports.gcs import GcsObject, GoogleCredentials
    from uploader import Uploader

    with Uploader(journal="uploads.db") as up:
        place = GcsObject("bucket", "clips/clip.mp4", credentials=GoogleCredentials())
        up.upload("clip.mp4", place)

`GoogleCredentials()` are the application default ones; they need `mmap-uploader[gcs]`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transports.gcs.destination import GcsObject
    from transports.google_credentials import GoogleCredentials

__all__ = ["GcsObject", "GoogleCredentials"]

_HOMES = {
    "GcsObject": "transports.gcs.destination",
    "GoogleCredentials": "transports.google_credentials",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(home), name)
