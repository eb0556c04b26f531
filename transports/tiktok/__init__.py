"""TikTok's Content Posting API: posts, drafts and photos, the drop-in service, and a sandbox."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transports.tiktok.accounts import TikTokAccounts
    from transports.tiktok.calls import cancel, creator_info, post_status, publish
    from transports.tiktok.destination import DirectPost, InboxDraft, PrivacyLevel, TikTokAccount
    from transports.tiktok.destination_remote import PhotoPost, PostMode, PullPost
    from transports.tiktok.limits import TikTokLimits
    from transports.tiktok.operations import CreatorInfo, PostStatus
    from transports.tiktok.preflight import Preflight, PreflightError, check
    from transports.tiktok.service import TikTokPublishError, TikTokPublishService
    from transports.tiktok.webhooks import WebhookReceiver

__all__ = [
    "CreatorInfo",
    "DirectPost",
    "InboxDraft",
    "PhotoPost",
    "PostMode",
    "PostStatus",
    "Preflight",
    "PreflightError",
    "PrivacyLevel",
    "PullPost",
    "TikTokAccount",
    "TikTokAccounts",
    "TikTokLimits",
    "TikTokPublishError",
    "TikTokPublishService",
    "WebhookReceiver",
    "cancel",
    "check",
    "creator_info",
    "post_status",
    "publish",
]

_HOMES = {
    "CreatorInfo": "operations",
    "DirectPost": "destination",
    "InboxDraft": "destination",
    "PhotoPost": "destination_remote",
    "PostMode": "destination_remote",
    "PostStatus": "operations",
    "Preflight": "preflight",
    "PreflightError": "preflight",
    "PrivacyLevel": "destination",
    "PullPost": "destination_remote",
    "TikTokAccount": "destination",
    "TikTokAccounts": "accounts",
    "TikTokLimits": "limits",
    "TikTokPublishError": "service",
    "TikTokPublishService": "service",
    "WebhookReceiver": "webhooks",
    "cancel": "calls",
    "check": "preflight",
    "creator_info": "calls",
    "post_status": "calls",
    "publish": "calls",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
