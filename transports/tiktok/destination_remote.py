"""What users construct to say: TikTok, fetch this video or these photos from my server.

Rule: as with other posts, wrong fields are refused when the object is made. Addresses may carry
signatures: they are secrets, and a journal keeps them without what follows the question mark.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from transports.tiktok.destination import (
    TikTokAccount,
    VideoPost,
    check_privacy,
    check_units,
)
from transports.tiktok.hosts import check_media_url
from transports.tiktok.paths import Endpoint
from transports.tiktok.protocol_remote import RemoteTransport, manifest_limits
from uploader.errors import ConfigurationError
from uploader.secret import Secret, masks


class PostMode(StrEnum):
    """What becomes of photos: a post, or a draft that the creator finishes in the app."""

    DIRECT_POST = "DIRECT_POST"
    MEDIA_UPLOAD = "MEDIA_UPLOAD"


@masks("access_token", "video_url")
@dataclass(frozen=True, kw_only=True)
class PullPost(VideoPost):
    """Post a video that TikTok downloads from `video_url`, or put it `to_inbox` as a draft.

    The address is https, does not redirect, stays reachable until the post has ended, for at most
    an hour, and its domain or prefix is verified for the app. No byte is sent: give it to
    `publish`, or with `None` for a source to any verb of an uploader. A draft has neither title
    nor privacy level.
    """

    kind: ClassVar[str] = "pull"

    video_url: Secret | str = field(repr=False)
    to_inbox: bool = False
    withheld: Sequence[str] | bool = field(default=False, repr=False)
    """Set where a journal has built the post again and its address is not whole: its digest."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.to_inbox and (self.title or self.privacy_level is not None):
            raise ConfigurationError("a draft has neither title nor privacy level").hint(
                "the creator chooses both in the app"
            )
        check_media_url(Secret(self.video_url))

    @property
    def posts_directly(self) -> bool:
        return not self.to_inbox

    def fields(self) -> dict[str, Any]:
        kept, withheld = _without_query([Secret(self.video_url)])
        return _journalled(super().fields(), self.withheld or withheld, video_url=kept[0])

    def identity_fields(self) -> Mapping[str, Any]:
        info = self.post_info() if self.posts_directly else {}
        return {"post": self.kind, "to_inbox": self.to_inbox, **info}

    def manifest(self) -> bytes:
        """Return the bytes that stand for the post's content in a journal."""
        return _manifest(self, [Secret(self.video_url)])

    def transport(self) -> RemoteTransport:
        init = Endpoint.VIDEO_INIT if self.posts_directly else Endpoint.INBOX_INIT
        return RemoteTransport(
            path=init,
            content={"post_info": self.post_info()} if self.posts_directly else {},
            source_info={"source": "PULL_FROM_URL"},
            addresses={"video_url": Secret(self.video_url)},
            capabilities=manifest_limits(self.limits.rates(init, draft=self.to_inbox)),
            manifest=self.manifest(),
            base_url=self.base_url,
            withheld=bool(self.withheld),
        )


@masks("access_token", "photo_images")
@dataclass(frozen=True, kw_only=True)
class PhotoPost(TikTokAccount):
    """Post up to 35 photos that TikTok downloads, or send them to the creator's inbox.

    `post_mode` says which; `privacy_level` is for DIRECT_POST and has no default. `cover_index`
    counts from 0. Addresses and verbs are as those of `PullPost`.
    https://developers.tiktok.com/doc/content-posting-api-reference-photo-post
    """

    kind: ClassVar[str] = "photos"

    photo_images: Sequence[Secret | str] = field(repr=False)
    post_mode: str = PostMode.DIRECT_POST
    privacy_level: str | None = None
    title: str = ""
    description: str = ""
    cover_index: int = 0
    disable_comment: bool = False
    auto_add_music: bool = False
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool | None = None
    withheld: Sequence[str] | bool = field(default=False, repr=False)
    """Set where a journal has built the post again and its addresses are not whole: their digests.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.photo_images, tuple):
            raise ConfigurationError("the photos' addresses are no list")
        # The table writes it with a space, the examples with an underscore.
        mode = str(self.post_mode).replace(" ", "_")
        if mode not in PostMode.__members__:
            raise ConfigurationError(f"there is no post mode {str(self.post_mode)!r}").hint(
                f"choose one of {', '.join(PostMode)}"
            )
        object.__setattr__(self, "post_mode", PostMode(mode))
        self._check_texts()
        self._check_images()

    def _check_texts(self) -> None:
        limits = self.limits
        check_units("the title", self.title, limits.max_photo_title_units)
        check_units("the description", self.description, limits.max_description_units)
        if self.posts_directly:
            check_privacy(self.privacy_level, limits, branded=bool(self.brand_content_toggle))
        elif self.privacy_level is not None:
            raise ConfigurationError("a draft has no privacy level").hint(
                "the creator chooses it in the app"
            )

    def _check_images(self) -> None:
        count, most = len(self.photo_images), self.limits.max_photos
        if not 1 <= count <= most:
            raise ConfigurationError(f"{count:,} photos are given, TikTok takes 1 to {most:,}")
        if not 0 <= self.cover_index < count:
            raise ConfigurationError(
                f"the cover is number {self.cover_index:,}, counted from 0, of {count:,} photos"
            )
        for each in self.photo_images:
            check_media_url(Secret(each))

    @property
    def posts_directly(self) -> bool:
        """Whether it is published without the creator's help."""
        return self.post_mode == PostMode.DIRECT_POST

    def fields(self) -> dict[str, Any]:
        kept, withheld = _without_query(self._addresses)
        return _journalled(super().fields(), self.withheld or withheld, photo_images=kept)

    def identity_fields(self) -> Mapping[str, Any]:
        return {"post": self.kind, **self._content()}

    def manifest(self) -> bytes:
        """Return the bytes that stand for the post's content in a journal."""
        return _manifest(self, self._addresses)

    def post_info(self) -> dict[str, Any]:
        """Return the fields of the post as TikTok wants them."""
        info: dict[str, Any] = {"title": self.title, "description": self.description}
        if not self.posts_directly:
            return info
        return info | {
            "privacy_level": str(self.privacy_level),
            "disable_comment": self.disable_comment,
            "auto_add_music": self.auto_add_music,
            "brand_content_toggle": self.brand_content_toggle,
            "brand_organic_toggle": self.brand_organic_toggle,
        }

    def transport(self) -> RemoteTransport:
        return RemoteTransport(
            path=Endpoint.CONTENT_INIT,
            content=self._content(),
            source_info={"source": "PULL_FROM_URL", "photo_cover_index": self.cover_index},
            addresses={"photo_images": self._addresses},
            capabilities=manifest_limits(
                self.limits.rates(Endpoint.CONTENT_INIT, draft=not self.posts_directly)
            ),
            manifest=self.manifest(),
            base_url=self.base_url,
            withheld=bool(self.withheld),
        )

    @property
    def _addresses(self) -> tuple[Secret, ...]:
        return tuple(Secret(each) for each in self.photo_images)

    def _content(self) -> dict[str, Any]:
        content = {
            "media_type": "PHOTO",
            "post_mode": str(self.post_mode),
            "post_info": self.post_info(),
        }
        # Beside `post_info` here, not in it as with a video.
        return content if self.is_aigc is None else {**content, "is_aigc": self.is_aigc}


def _without_query(addresses: Sequence[Secret]) -> tuple[list[str], list[str]]:
    """Return what a journal may keep of addresses, and the digests of all where that is less."""
    kept = [url.reveal().partition("?")[0] for url in addresses]
    return kept, _digests(addresses) if any("?" in url.reveal() for url in addresses) else []


def _digests(addresses: Sequence[Secret]) -> list[str]:
    return [hashlib.sha256(url.reveal().encode()).hexdigest() for url in addresses]


def _journalled(
    fields: dict[str, Any],
    withheld: Sequence[str] | bool,  # noqa: FBT001 - as the field is
    **kept: Any,
) -> dict[str, Any]:
    fields.pop("withheld", None)
    if not withheld:
        return {**fields, **kept}
    return {**fields, **kept, "withheld": withheld if withheld is True else list(withheld)}


def _manifest(post: PullPost | PhotoPost, addresses: Sequence[Secret]) -> bytes:
    """Describe a post; its addresses by their digests, for they may be signed."""
    withheld = post.withheld
    digests = _digests(addresses) if isinstance(withheld, bool) else list(withheld)
    facts: dict[str, Any] = {"post": dict(post.identity_fields()), "addresses": digests}
    if isinstance(post, PhotoPost):
        facts["cover_index"] = post.cover_index
    return json.dumps(facts, sort_keys=True).encode()
