"""TikTok's Content Posting API: videos posted directly, the drop-in service, and a sandbox."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transports.tiktok.destination import DirectPost
    from transports.tiktok.limits import TikTokLimits
    from transports.tiktok.service import TikTokPublishError, TikTokPublishService

__all__ = ["DirectPost", "TikTokLimits", "TikTokPublishError", "TikTokPublishService"]

_HOMES = {
    "DirectPost": "transports.tiktok.destination",
    "TikTokLimits": "transports.tiktok.limits",
    "TikTokPublishError": "transports.tiktok.service",
    "TikTokPublishService": "transports.tiktok.service",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(home), name)
