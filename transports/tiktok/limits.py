"""TikTok's limits as data.

Rule: each number stands beside its source; each can be overridden, because TikTok changes them at
night. Two readings exist of "MB", decimal and binary; the defaults stay inside both.

Sources, all under https://developers.tiktok.com/doc/:
[MT] content-posting-api-media-transfer-guide, [DP] content-posting-api-reference-direct-post,
[PH] content-posting-api-reference-photo-post, [GU] content-sharing-guidelines,
[IN] content-posting-api-reference-upload-video,
[ST] content-posting-api-reference-get-video-status,
[CI] content-posting-api-reference-query-creator-info.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from transports.tiktok.paths import Endpoint
from uploader.errors import ConfigurationError
from uploader.limits import Rate
from uploader.transport import Capabilities, Moment, Order, TailRule

MIN_CHUNK: Final = 5_242_880
"""[MT] "each chunk must be at least 5 MB": 5 MiB is the larger reading."""
MAX_CHUNK: Final = 64_000_000
"""[MT] "no greater than 64 MB": the decimal reading is the smaller one."""
MAX_LAST_CHUNK: Final = 128_000_000
"""[MT] the final chunk takes the remainder "up to 128 MB"."""
MAX_SINGLE: Final = 64_000_000
"""[MT] "videos with a size greater than 64 MB must be uploaded with multiple chunks"."""
MAX_CHUNKS: Final = 1000
"""[MT] "a minimum of 1 chunk and a maximum of 1000 chunks"."""
MAX_VIDEO: Final = 4_000_000_000
"""[MT] "maximum of 4GB": the decimal reading is the smaller one."""
URL_LIFETIME: Final = 3600.0
"""[MT] the `upload_url` "is valid for one hour after issuance", in seconds."""
MAX_TITLE_UNITS: Final = 2200
"""[DP] `title`: "the maximum length is 2200 in UTF-16 runes"."""
MAX_PHOTOS: Final = 35
"""[PH] `photo_images`: "up to 35 images"."""
MAX_PHOTO_TITLE_UNITS: Final = 90
"""[PH] `title`: "the maximum length is 90 in UTF-16 runes"."""
MAX_DESCRIPTION_UNITS: Final = 4000
"""[PH] `description`: "the maximum length is 4000 in UTF-16 runes"."""
CODECS: Final = ("h264", "h265", "vp8", "vp9")
"""[MT] "Supported codecs: H.264 (recommended), H.265, VP8, VP9"."""
MIN_FRAME_RATE: Final = 23.0
MAX_FRAME_RATE: Final = 60.0
"""[MT] frame rates: "minimum of 23 FPS, maximum of 60 FPS"."""
MIN_SIDE: Final = 360
MAX_SIDE: Final = 4096
"""[MT] picture sizes: 360 to 4096 pixels, "for both height and width"."""
MAX_DURATION: Final = 600.0
"""[MT] "The maximum video duration … is 10 minutes", in seconds; creators may have less."""
INITS_A_MINUTE: Final = 6
"""[DP] [IN] [PH] "Each user access_token is limited to 6 requests per minute"; each init counts for
itself."""
CREATOR_INFOS_A_MINUTE: Final = 20
"""[CI] "Each user access_token is limited to 20 requests per minute"."""
STATUSES_A_MINUTE: Final = 30
"""[ST] "Each user access_token is limited to 30 requests per minute"."""
POSTS_A_DAY: Final = 15
"""[GU] posts to a creator's account "within a 24-hour window": "typically around 15", of all apps
together, and not the same for all creators."""
DRAFTS_A_DAY: Final = 5
"""[IN] `spam_risk_too_many_pending_share`: "maximum 5 pending shares within any 24-hour period"."""
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TikTokLimits:
    """The limits that planner, posts and preflight obey: bytes, seconds, pixels, UTF-16 units.

    `branded_private` takes branded content as SELF_ONLY, which [GU] rules out. Of what is counted
    `…_a_minute` and `…_a_day` 0 stands for no limit.
    """

    min_chunk: int = MIN_CHUNK
    max_chunk: int = MAX_CHUNK
    max_last_chunk: int = MAX_LAST_CHUNK
    max_single: int = MAX_SINGLE
    max_chunks: int = MAX_CHUNKS
    max_video: int = MAX_VIDEO
    url_lifetime: float = URL_LIFETIME
    max_title_units: int = MAX_TITLE_UNITS
    max_photos: int = MAX_PHOTOS
    max_photo_title_units: int = MAX_PHOTO_TITLE_UNITS
    max_description_units: int = MAX_DESCRIPTION_UNITS
    codecs: tuple[str, ...] = CODECS
    min_frame_rate: float = MIN_FRAME_RATE
    max_frame_rate: float = MAX_FRAME_RATE
    min_side: int = MIN_SIDE
    max_side: int = MAX_SIDE
    max_duration: float = MAX_DURATION
    branded_private: bool = False
    inits_a_minute: int = INITS_A_MINUTE
    creator_infos_a_minute: int = CREATOR_INFOS_A_MINUTE
    statuses_a_minute: int = STATUSES_A_MINUTE
    posts_a_day: int = POSTS_A_DAY
    drafts_a_day: int = DRAFTS_A_DAY

    def __post_init__(self) -> None:
        object.__setattr__(self, "codecs", tuple(self.codecs))  # JSON knows lists only

    def changes(self) -> dict[str, Any]:
        """Return what differs from TikTok's limits, as `TikTokLimits(**changes)` takes it."""
        plain = TikTokLimits()
        names = (each.name for each in fields(self))
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in names
            if (value := getattr(self, name)) != getattr(plain, name)
        }

    def rates(self, init: Endpoint, *, draft: bool) -> tuple[Rate, ...]:
        """Return how often an account may ask, where posts are opened by `init`."""
        names = {
            Endpoint.VIDEO_INIT: "video_init",
            Endpoint.INBOX_INIT: "inbox_init",
            Endpoint.CONTENT_INIT: "content_init",
        }
        noun = "drafts" if draft else "posts"
        a_day = self.drafts_a_day if draft else self.posts_a_day
        counted = (
            ("init", names[init], self.inits_a_minute, 60.0, noun),
            ("init", f"{noun}_a_day", a_day, DAY, noun),
            ("creator_info", "creator_info", self.creator_infos_a_minute, 60.0, "creator infos"),
            ("status", "status", self.statuses_a_minute, 60.0, "status calls"),
        )
        return tuple(
            Rate(
                name=name,
                operation=operation,
                amount=amount,
                window=window,
                noun=noun,
                opens=operation == "init",
            )
            for operation, name, amount, window, noun in counted
            if amount
        )

    def capabilities(
        self,
        chunk_size: int | None = None,
        *,
        init: Endpoint = Endpoint.VIDEO_INIT,
    ) -> Capabilities:
        """Return the limits with a wanted chunk size; raise `ConfigurationError` out of bounds."""
        if chunk_size is not None and not self.min_chunk <= chunk_size <= self.max_chunk:
            raise ConfigurationError(
                f"a chunk size of {chunk_size:,} bytes is outside"
                f" {self.min_chunk:,} to {self.max_chunk:,}"
            )
        return Capabilities(
            order=Order.SEQUENTIAL,
            tail=TailRule.MERGED,
            irreversible=Moment.LAST_PART,
            part_size=chunk_size or self.max_chunk,
            min_part=self.min_chunk,
            max_part=self.max_chunk,
            max_parts=self.max_chunks,
            max_size=self.max_video,
            max_single=self.max_single,
            max_last_part=self.max_last_chunk,
            session_lifetime=self.url_lifetime,
            rates=self.rates(init, draft=init is Endpoint.INBOX_INIT),
        )
