"""The API's small calls as functions: creator info, status, cancel, and posts without bytes.

Rule: an edge; each is one flow driven by an uploader, which signs and retries it. An
`AsyncUploader` drives the same flows: `await up.call(account, "status", lambda:
operations.post_status(…))`, and `await up.upload(None, post)`.
"""

from __future__ import annotations

from typing import Any

from transports.tiktok import operations
from transports.tiktok.destination import TikTokAccount
from transports.tiktok.destination_remote import PhotoPost, PullPost
from transports.tiktok.operations import CreatorInfo, PostStatus
from uploader.api import Uploader
from uploader.model import UploadResult


def creator_info(up: Uploader, account: TikTokAccount) -> CreatorInfo:
    """Ask what a creator may post now; any post of the account will do for `account`.

    TikTok answers it 20 times a minute. A cap is a `RejectedError` whose code the catalogue knows.
    """
    return up.call(account, "creator_info", lambda: operations.creator_info(account.base_url))


def post_status(up: Uploader, account: TikTokAccount, publish_id: str) -> PostStatus:
    """Ask how a post of the account stands; 30 times a minute."""
    return up.call(account, "status", lambda: operations.post_status(account.base_url, publish_id))


def cancel(up: Uploader, account: TikTokAccount, publish_id: str) -> None:
    """Ask TikTok to cancel a post that it still downloads; ask for the status afterwards.

    A post that is too far along is a `RejectedError` with the code `publish_not_cancellable`.
    """
    return up.call(account, "cancel", lambda: operations.cancel(account.base_url, publish_id))


def publish(up: Uploader, post: PullPost | PhotoPost, **how: Any) -> UploadResult:
    """Publish what TikTok fetches by itself, and return how it ended, or stands.

    It runs as any upload does, journal, lease and events included, but no byte goes out: `how` are
    the arguments of `Uploader.upload`. An init that was not answered makes it UNKNOWN, and it is
    never sent again, since TikTok may be downloading already.
    """
    return up.upload(None, post, **how)
