"""What YouTube's own reasons mean, and how a video ends that it did not want.

Rule: pure; the meaning of the statuses and of the quotas' reasons is the same for all of Google's
APIs, see `transports.google`.
https://developers.google.com/youtube/v3/docs/videos/insert#errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from uploader.errors import RejectedError

HINTS: Final = {
    "defaultLanguageNotSet": "localizations need default_language",
    "forbidden": "the credential may not upload to this channel: it needs the scope youtube.upload",
    "forbiddenEmbedSetting": "the channel may not change whether its videos can be embedded",
    "forbiddenLicenseSetting": "the channel may not choose this license",
    "forbiddenPrivacySetting": "the channel may not choose this privacy status",
    "invalidCategoryId": "look at videoCategories.list for the categories of the channel's region",
    "invalidPublishAt": "publish_at is a time to come, and the privacy status private until then",
    "uploadLimitExceeded": "the channel may upload no more videos for now: try tomorrow",
}

_ENDED: Final = ("failed", "rejected", "deleted")


def from_status(status: Mapping[str, Any]) -> RejectedError | None:
    """Return the error for a video that ended badly; `None` for one that did not.

    https://developers.google.com/youtube/v3/docs/videos#status.uploadStatus
    """
    state = status.get("uploadStatus")
    if state not in _ENDED:
        return None
    reason = status.get("failureReason") or status.get("rejectionReason")
    return RejectedError(
        f"poll: YouTube ended the video as {state}: {reason or 'no reason given'}",
        operation="poll",
        vendor_code=str(reason) if reason else str(state),
    )
