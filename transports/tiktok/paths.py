"""TikTok's paths, each with its trailing slash: it is part of every documented one.

https://developers.tiktok.com/doc/content-posting-api-get-started
"""

from __future__ import annotations

from enum import StrEnum


class Endpoint(StrEnum):
    """The operations of the Content Posting API; a member is its path."""

    CREATOR_INFO = "/v2/post/publish/creator_info/query/"
    VIDEO_INIT = "/v2/post/publish/video/init/"
    INBOX_INIT = "/v2/post/publish/inbox/video/init/"
    CONTENT_INIT = "/v2/post/publish/content/init/"
    STATUS = "/v2/post/publish/status/fetch/"
    CANCEL = "/v2/post/publish/cancel/"


INITS = (Endpoint.VIDEO_INIT, Endpoint.INBOX_INIT, Endpoint.CONTENT_INIT)
"""Each of them opens a post, and must not be sent twice."""
