"""What TikTok is known to refuse: a post against the creator's settings and the file's header.

Rule: pure. Every reason is told, in the words of TikTok's own codes, and what is not known is no
reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from transports.tiktok.catalogue import meaning
from transports.tiktok.destination import TikTokAccount, VideoPost
from transports.tiktok.destination_remote import PhotoPost
from transports.tiktok.limits import TikTokLimits
from transports.tiktok.media_header import MediaInfo
from transports.tiktok.operations import CreatorInfo

RATE_SLACK: Final = 0.5
"""Frames a second: the mean rate of a file with a variable one is a little off its nominal one."""
DURATION_SLACK: Final = 0.5
"""Seconds: a file's last frame may stand a moment longer than what an editor calls its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason why a post is hopeless; `code` is what TikTok would have answered."""

    code: str
    says: str
    advice: str = ""

    @classmethod
    def of(cls, code: str, says: str) -> Problem:
        """Return a problem with the catalogue's advice."""
        known = meaning(code)
        return cls(code=code, says=says, advice=known.advice if known is not None else "")


def of_creator(post: TikTokAccount, creator: CreatorInfo) -> Iterator[Problem]:
    """Yield what the creator's settings rule out."""
    level = post.privacy_level if isinstance(post, VideoPost | PhotoPost) else None
    options = creator.privacy_level_options
    if level is not None and level not in options:
        offered = ", ".join(options) or "none"
        yield Problem.of(
            "privacy_level_option_mismatch",
            f"the account does not offer {level} now: it offers {offered}",
        )


def of_media(
    media: MediaInfo, limits: TikTokLimits, creator: CreatorInfo | None
) -> Iterator[Problem]:
    """Yield what the file's header rules out."""
    yield from _of_duration(media, limits, creator)
    if media.codec is not None and media.codec not in limits.codecs:
        yield Problem.of(
            "file_format_check_failed",
            f"the video is coded as {media.codec}, TikTok takes {', '.join(limits.codecs)}",
        )
    rate = media.frame_rate
    low, high = limits.min_frame_rate, limits.max_frame_rate
    if rate is not None and not low - RATE_SLACK <= rate <= high + RATE_SLACK:
        yield Problem.of(
            "frame_rate_check_failed",
            f"the video has {rate:.2f} frames a second, TikTok takes {low:g} to {high:g}",
        )
    sides = [side for side in (media.width, media.height) if side is not None]
    if any(not limits.min_side <= side <= limits.max_side for side in sides):
        yield Problem.of(
            "picture_size_check_failed",
            f"the picture has {media.width} x {media.height} pixels, TikTok takes"
            f" {limits.min_side} to {limits.max_side} on each side",
        )


def _of_duration(
    media: MediaInfo, limits: TikTokLimits, creator: CreatorInfo | None
) -> Iterator[Problem]:
    most, whose = limits.max_duration, "TikTok takes"
    own = creator.max_video_post_duration_sec if creator is not None else None
    if own is not None and own < most:
        most, whose = own, "this creator may post"
    if media.duration is not None and media.duration > most + DURATION_SLACK:
        yield Problem.of(
            "duration_check_failed",
            f"the video lasts {media.duration:,.1f} s, {whose} {most:,.0f} s",
        )


def remarks(post: TikTokAccount, creator: CreatorInfo) -> Iterator[str]:
    """Yield what will be other than the post says, which is no reason to refuse it.

    "If the creator has disabled an interaction, it must be greyed out":
    https://developers.tiktok.com/doc/content-sharing-guidelines
    """
    wanted = (
        ("comments", creator.comment_disabled, getattr(post, "disable_comment", True)),
        ("duets", creator.duet_disabled, getattr(post, "disable_duet", True)),
        ("stitches", creator.stitch_disabled, getattr(post, "disable_stitch", True)),
    )
    for name, disabled, given_up in wanted:
        if disabled and not given_up:
            yield f"the account has {name} switched off: the post goes out without"
