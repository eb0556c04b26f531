"""YouTube: videos, by resumable uploads, and a sandbox to try it.

    from transports.youtube import GoogleCredentials, YouTubeVideo
    from google.oauth2.credentials import Credentials
    from uploader import Uploader

    owner = Credentials.from_authorized_user_file("acme.json")
    video = YouTubeVideo(
        "Winter", privacy_status="private", account="acme", credentials=GoogleCredentials(owner)
    )
    with Uploader(journal="uploads.db") as up:
        print(up.upload("clip.mp4", video).location)

A channel's owner has to consent: a service account has no channel.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transports.google_credentials import GoogleCredentials
    from transports.youtube.destination import YouTubeVideo

__all__ = ["GoogleCredentials", "YouTubeVideo"]

_HOMES = {
    "GoogleCredentials": "transports.google_credentials",
    "YouTubeVideo": "transports.youtube.destination",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(home), name)
