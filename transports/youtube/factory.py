"""What the entry point `youtube` loads: how commands build and try this destination.

Rule: cheap to import; the sandbox and its server load when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transports import options
from transports.youtube.destination import LICENSES, PRIVACY, YouTubeVideo
from transports.youtube.limits import capabilities
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Capabilities, DestinationOption


class YouTubeFactory:
    """Videos on YouTube."""

    name = "youtube"
    summary = "YouTube: a video in a channel, by a resumable upload"
    token_variable = "YOUTUBE_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
    options = (
        DestinationOption(name="title", help="at most 100 characters", required=True),
        DestinationOption(name="description", help="at most 5000 bytes"),
        DestinationOption(name="tags", help="with commas between them, at most 500 characters"),
        DestinationOption(name="category_id", help="the category's number, such as 22"),
        DestinationOption(name="privacy_status", help=f"one of {', '.join(PRIVACY)}"),
        DestinationOption(name="publish_at", help="such as 2026-12-24T18:00:00Z, while private"),
        DestinationOption(name="made_for_kids", help="true or false"),
        DestinationOption(name="contains_synthetic_media", help="true or false"),
        DestinationOption(name="license", help=f"one of {', '.join(LICENSES)}"),
        DestinationOption(name="embeddable", help="true or false"),
        DestinationOption(name="public_stats_viewable", help="true or false"),
        DestinationOption(name="notify_subscribers", help="true or false"),
        DestinationOption(name="default_language", help="such as en"),
        DestinationOption(name="default_audio_language", help="such as en"),
        DestinationOption(name="recording_date", help="such as 2026-12-24T18:00:00Z"),
        DestinationOption(name="on_behalf_of_content_owner", help="for YouTube's partners"),
        DestinationOption(name="on_behalf_of_content_owner_channel", help="for YouTube's partners"),
        DestinationOption(name="content_type", help="the video's media type"),
        DestinationOption(name="await_processing", help="true: wait until it is processed"),
        DestinationOption(name="account", help="whose channel it is"),
        DestinationOption(name="part_size", help="bytes per part, a multiple of 262144"),
        DestinationOption(name="base_url", help="another API host, such as a sandbox"),
    )

    @property
    def capabilities(self) -> Capabilities:
        return capabilities(None)

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> YouTubeVideo:
        """Build a video. Fields that are `None` count as not given."""
        known = [*(option.name for option in self.options), "localizations"]
        given = options.given(self.name, fields, known)
        if not given.get("title"):
            raise ConfigurationError("no title is given")
        for option in self.options:
            if option.name in given and "true" in option.help:
                given[option.name] = options.switch(option.name, given[option.name])
        if isinstance(given.get("tags"), str):
            given["tags"] = [tag.strip() for tag in given["tags"].split(",") if tag.strip()]
        if "part_size" in given:
            given["part_size"] = options.number("part_size", given["part_size"])
        return YouTubeVideo(access_token=access_token, **given)

    def sandbox(self, *, port: int = 0) -> Any:
        from transports.youtube.sandbox import YouTubeSandbox

        return YouTubeSandbox(port=port)


YOUTUBE = YouTubeFactory()
