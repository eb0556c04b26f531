"""TikTok's limits as data.

Rule: each number stands beside its source; each can be overridden, because TikTok changes them at
night. Two readings exist of "MB", decimal and binary; the defaults stay inside both.

Sources, all under https://developers.tiktok.com/doc/:
[MT] content-posting-api-media-transfer-guide, [DP] content-posting-api-reference-direct-post,
[PH] content-posting-api-reference-photo-post, [GU] content-sharing-guidelines.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from uploader.errors import ConfigurationError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TikTokLimits:
    """The limits that planner, posts and preflight obey: bytes, seconds, pixels, UTF-16 units.

    `branded_private` takes branded content as SELF_ONLY, which [GU] rules out.
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

    def capabilities(self, chunk_size: int | None = None) -> Capabilities:
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
        )
