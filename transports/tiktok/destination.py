"""What users construct to say: post this video on TikTok, or put it into the creator's inbox.

Rule: wrong fields are refused when the object is made, before anything is sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final

from transports.tiktok.hosts import API_URL, check_base_url
from transports.tiktok.limits import TikTokLimits
from transports.tiktok.paths import Endpoint
from transports.tiktok.protocol import TikTokTransport
from uploader.errors import ConfigurationError
from uploader.secret import Secret, masks
from uploader.transport import CredentialSource, Transport

DIRECT: Final = "direct"
_NOT_FIELDS: Final = frozenset({"access_token", "credentials", "limits"})


class PrivacyLevel(StrEnum):
    """Who may see a post. Which of them a creator offers, creator info tells."""

    PUBLIC_TO_EVERYONE = "PUBLIC_TO_EVERYONE"
    MUTUAL_FOLLOW_FRIENDS = "MUTUAL_FOLLOW_FRIENDS"
    FOLLOWER_OF_CREATOR = "FOLLOWER_OF_CREATOR"
    SELF_ONLY = "SELF_ONLY"


@masks("access_token")
@dataclass(frozen=True, kw_only=True)
class TikTokAccount:
    """A creator's account, and how it is reached: what every post has, and small calls need.

    `account` says whose it is; it names uploads in journals and results. Raises
    `ConfigurationError`.
    """

    kind: ClassVar[str] = "account"
    """The word by which a journal knows what to build again."""

    account: str | None = None
    access_token: Secret | str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = field(default=None, repr=False)
    base_url: str = API_URL
    limits: TikTokLimits = field(default_factory=TikTokLimits, repr=False)

    def __post_init__(self) -> None:
        if self.access_token is not None and not self.access_token:
            raise ConfigurationError("the access token is empty")
        if self.access_token is not None and not Secret(self.access_token).fits_a_header():
            raise ConfigurationError(
                "the access token holds a line end, a space or another character that no header"
                " takes"
            ).hint("look for a line end or a space around it")
        object.__setattr__(self, "base_url", check_base_url(self.base_url))

    @property
    def origin(self) -> str:
        return self.base_url

    def fields(self) -> dict[str, Any]:
        """Return the public fields that the factory makes this of again, the credential aside."""
        plain = {
            each.name: getattr(self, each.name)
            for each in dataclasses.fields(self)
            if each.name not in _NOT_FIELDS
        }
        plain = {name: str(v) if isinstance(v, StrEnum) else v for name, v in plain.items()}
        if changes := self.limits.changes():
            plain["limits"] = changes
        if self.kind != DIRECT:  # entries of old have no word for it
            plain["post"] = self.kind
        return {name: value for name, value in plain.items() if value is not None}

    def identity_fields(self) -> Mapping[str, Any]:
        return {"post": self.kind}

    def transport(self) -> Transport:
        """Return a protocol that opens no upload; calls about posts need no more."""
        return TikTokTransport(None, self.base_url, self.limits.capabilities())


@dataclass(frozen=True, kw_only=True)
class VideoPost(TikTokAccount):
    """What a video post says, wherever its bytes come from.

    There is no default `privacy_level`: TikTok's rules want the user to choose.
    `cover_timestamp_ms` is in milliseconds.
    Fields: https://developers.tiktok.com/doc/content-posting-api-reference-direct-post
    """

    privacy_level: str | None = None
    title: str = ""
    disable_comment: bool = False
    disable_duet: bool = False
    disable_stitch: bool = False
    cover_timestamp_ms: int | None = None
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_units("the title", self.title, self.limits.max_title_units)
        if self.posts_directly:
            check_privacy(self.privacy_level, self.limits, branded=bool(self.brand_content_toggle))

    @property
    def posts_directly(self) -> bool:
        """Whether it is published without the creator's help."""
        return True

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


@masks("access_token")
@dataclass(frozen=True, kw_only=True)
class DirectPost(VideoPost):
    """Post a video straight to a creator's profile. `chunk_size` is in bytes."""

    kind: ClassVar[str] = DIRECT

    privacy_level: str = field()
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.limits.capabilities(self.chunk_size)

    def identity_fields(self) -> Mapping[str, Any]:
        return {"post": self.kind, **self.post_info()}

    def transport(self) -> TikTokTransport:
        return TikTokTransport(
            post_info=self.post_info(),
            base_url=self.base_url,
            capabilities=self.limits.capabilities(self.chunk_size),
        )


@masks("access_token")
@dataclass(frozen=True, kw_only=True)
class InboxDraft(TikTokAccount):
    """Put a video into a creator's inbox as a draft, which is finished and posted in the app.

    It says nothing about the post: TikTok takes neither title nor privacy with a draft. It is DONE
    when the creator has been notified, and needs the scope video.upload. `chunk_size` is in bytes.
    https://developers.tiktok.com/doc/content-posting-api-reference-upload-video
    """

    kind: ClassVar[str] = "inbox"

    chunk_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.limits.capabilities(self.chunk_size)

    def transport(self) -> TikTokTransport:
        return TikTokTransport(
            post_info=None,
            base_url=self.base_url,
            capabilities=self.limits.capabilities(self.chunk_size, init=Endpoint.INBOX_INIT),
            path=Endpoint.INBOX_INIT,
        )


def check_units(what: str, text: str, limit: int) -> None:
    """Refuse a text that is longer than TikTok counts it, in UTF-16 units."""
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units > limit:
        raise ConfigurationError(f"{what} has {units:,} UTF-16 units, TikTok takes {limit:,}")


def check_privacy(level: str | None, limits: TikTokLimits, *, branded: bool) -> None:
    """Refuse a level that does not exist, and branded content that nobody could see.

    "Branded content cannot be private":
    https://developers.tiktok.com/doc/content-sharing-guidelines
    """
    if level not in PrivacyLevel.__members__:
        raise ConfigurationError(f"there is no privacy level {str(level)!r}").hint(
            f"choose one of {', '.join(PrivacyLevel)}"
        )
    if branded and level == PrivacyLevel.SELF_ONLY and not limits.branded_private:
        raise ConfigurationError("branded content cannot be SELF_ONLY").hint(
            "choose another privacy level, or leave brand_content_toggle off"
        )
