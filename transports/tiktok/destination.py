"""What users construct to say: post this video on TikTok.

Rule: wrong fields are refused when the object is made, before anything is sent.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from transports.tiktok.hosts import API_URL, check_base_url
from transports.tiktok.limits import TikTokLimits
from transports.tiktok.protocol import TikTokTransport
from uploader.errors import ConfigurationError
from uploader.secret import Secret, masks
from uploader.transport import CredentialSource


class PrivacyLevel(StrEnum):
    """Who may see a post. Which of them a creator offers, creator info tells."""

    PUBLIC_TO_EVERYONE = "PUBLIC_TO_EVERYONE"
    MUTUAL_FOLLOW_FRIENDS = "MUTUAL_FOLLOW_FRIENDS"
    FOLLOWER_OF_CREATOR = "FOLLOWER_OF_CREATOR"
    SELF_ONLY = "SELF_ONLY"


@masks("access_token")
@dataclass(frozen=True, kw_only=True)
class DirectPost:
    """Post a video straight to a creator's profile.

    `account` says whose post it is; it names the upload in journals and results. There is no
    default `privacy_level`: TikTok's rules want the user to choose. `chunk_size` is in bytes,
    `cover_timestamp_ms` in milliseconds. Raises `ConfigurationError`.
    Fields: https://developers.tiktok.com/doc/content-posting-api-reference-direct-post
    """

    privacy_level: str
    title: str = ""
    account: str | None = None
    access_token: Secret | str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = field(default=None, repr=False)
    disable_comment: bool = False
    disable_duet: bool = False
    disable_stitch: bool = False
    cover_timestamp_ms: int | None = None
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool | None = None
    chunk_size: int | None = None
    base_url: str = API_URL
    limits: TikTokLimits = field(default_factory=TikTokLimits, repr=False)

    def __post_init__(self) -> None:
        if self.privacy_level not in PrivacyLevel.__members__:
            raise ConfigurationError(f"there is no privacy level {str(self.privacy_level)!r}").hint(
                f"choose one of {', '.join(PrivacyLevel)}"
            )
        units = len(self.title.encode("utf-16-le", "surrogatepass")) // 2
        if units > self.limits.max_title_units:
            raise ConfigurationError(
                f"the title has {units:,} UTF-16 units,"
                f" TikTok takes {self.limits.max_title_units:,}"
            )
        if self.access_token is not None and not self.access_token:
            raise ConfigurationError("the access token is empty")
        if self.access_token is not None and not Secret(self.access_token).fits_a_header():
            raise ConfigurationError(
                "the access token holds a line end, a space or another character that no header"
                " takes"
            ).hint("look for a line end or a space around it")
        object.__setattr__(self, "base_url", check_base_url(self.base_url))
        self.limits.capabilities(self.chunk_size)

    @property
    def origin(self) -> str:
        return self.base_url

    def fields(self) -> dict[str, Any]:
        """Return what `DirectPost(**fields)` makes this post of again, the credential aside."""
        plain = {
            each.name: getattr(self, each.name)
            for each in dataclasses.fields(self)
            if each.name not in ("access_token", "credentials", "limits")
        }
        plain["privacy_level"] = str(self.privacy_level)
        if self.limits != TikTokLimits():
            plain["limits"] = dataclasses.asdict(self.limits)
        return {name: value for name, value in plain.items() if value is not None}

    def identity_fields(self) -> dict[str, Any]:
        return {"post": "direct", **self.post_info()}

    def post_info(self) -> dict[str, Any]:
        """Return the fields of the post as TikTok wants them."""
        info: dict[str, Any] = {
            "privacy_level": str(self.privacy_level),
            "title": self.title,
            "disable_comment": self.disable_comment,
            "disable_duet": self.disable_duet,
            "disable_stitch": self.disable_stitch,
            "brand_content_toggle": self.brand_content_toggle,
            "brand_organic_toggle": self.brand_organic_toggle,
        }
        if self.cover_timestamp_ms is not None:
            info["video_cover_timestamp_ms"] = self.cover_timestamp_ms
        if self.is_aigc is not None:
            info["is_aigc"] = self.is_aigc
        return info

    def transport(self) -> TikTokTransport:
        return TikTokTransport(
            post_info=self.post_info(),
            base_url=self.base_url,
            capabilities=self.limits.capabilities(self.chunk_size),
        )
