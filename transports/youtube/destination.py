"""What users construct to say: publish this video on YouTube.

Rule: wrong fields are refused when the object is made, before anything is sent.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, Final

from transports.endpoints import checked_endpoint
from transports.options import check_token
from transports.youtube.limits import capabilities, check_description, check_tags, check_title
from transports.youtube.protocol import YouTubeTransport
from uploader.errors import ConfigurationError
from uploader.secret import Secret, masks
from uploader.transport import CredentialSource

API_URL: Final = "https://www.googleapis.com"
PRIVACY: Final = ("private", "unlisted", "public")
LICENSES: Final = ("youtube", "creativeCommon")

# BCP-47, as far as a typing error shows.
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_CATEGORY: Final = re.compile(r"[0-9]{1,4}", re.ASCII)

_SNIPPET: Final = {
    "title": "title",
    "description": "description",
    "tags": "tags",
    "category_id": "categoryId",
    "default_language": "defaultLanguage",
    "default_audio_language": "defaultAudioLanguage",
}
_STATUS: Final = {
    "privacy_status": "privacyStatus",
    "publish_at": "publishAt",
    "license": "license",
    "embeddable": "embeddable",
    "public_stats_viewable": "publicStatsViewable",
    "made_for_kids": "selfDeclaredMadeForKids",
    "contains_synthetic_media": "containsSyntheticMedia",
}
_QUERY: Final = {
    "on_behalf_of_content_owner": "onBehalfOfContentOwner",
    "on_behalf_of_content_owner_channel": "onBehalfOfContentOwnerChannel",
}


@masks("access_token")
@dataclass(frozen=True)
class YouTubeVideo:
    """Upload a video to a YouTube channel.

    `account` says whose channel it is; it names the upload in journals and results. The video is
    private unless `privacy_status` says otherwise. `publish_at` is a time of ISO 8601 with its
    zone, for a private video. `await_processing` asks, after the last byte, until YouTube has
    processed the video; that needs the scope youtube.readonly. `part_size` is in bytes, a multiple
    of 256 KiB. Raises `ConfigurationError`.
    Fields: https://developers.google.com/youtube/v3/docs/videos#properties
    """

    title: str
    _: KW_ONLY
    description: str = ""
    tags: Sequence[str] = ()
    category_id: str | None = None
    privacy_status: str = "private"
    publish_at: str | None = None
    made_for_kids: bool | None = None
    contains_synthetic_media: bool | None = None
    license: str | None = None
    embeddable: bool | None = None
    public_stats_viewable: bool | None = None
    notify_subscribers: bool = True
    default_language: str | None = None
    default_audio_language: str | None = None
    localizations: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    recording_date: str | None = None
    on_behalf_of_content_owner: str | None = None
    on_behalf_of_content_owner_channel: str | None = None
    account: str | None = None
    access_token: Secret | str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = field(default=None, repr=False)
    content_type: str | None = None
    await_processing: bool = False
    part_size: int | None = None
    base_url: str = API_URL

    def __post_init__(self) -> None:
        if isinstance(self.tags, str):
            raise ConfigurationError("tags is one text").hint("give a list of tags")
        object.__setattr__(self, "tags", tuple(self.tags))
        check_title("title", self.title)
        check_description("description", self.description)
        check_tags(self.tags)
        self._check_status()
        self._check_languages()
        if self.category_id is not None and not _CATEGORY.fullmatch(str(self.category_id)):
            raise ConfigurationError(f"{self.category_id!r} is no category id").hint(
                "categories are numbers, such as 22 for people and blogs"
            )
        _check_time("recording_date", self.recording_date)
        check_token(self.access_token)
        object.__setattr__(self, "base_url", checked_endpoint(self.base_url, example=API_URL))
        capabilities(self.part_size)

    @property
    def origin(self) -> str:
        return self.base_url

    def fields(self) -> dict[str, Any]:
        """Return what `YouTubeVideo(**fields)` makes this video of again, the credential aside."""
        plain = {
            each.name: getattr(self, each.name)
            for each in dataclasses.fields(self)
            if each.name not in ("access_token", "credentials")
        }
        plain["tags"] = list(self.tags)
        plain["localizations"] = {name: dict(text) for name, text in self.localizations.items()}
        return {name: value for name, value in plain.items() if value not in (None, [], {})}

    def identity_fields(self) -> dict[str, Any]:
        apart = ("account", "await_processing", "base_url", "part_size")
        return {name: value for name, value in self.fields().items() if name not in apart}

    def metadata(self) -> dict[str, Any]:
        """Return the video's resource as YouTube wants it; its keys are the request's parts."""
        found: dict[str, Any] = {"snippet": _named(_SNIPPET, self), "status": _named(_STATUS, self)}
        if self.recording_date is not None:
            found["recordingDetails"] = {"recordingDate": self.recording_date}
        if self.localizations:
            found["localizations"] = {name: dict(text) for name, text in self.localizations.items()}
        return found

    def transport(self) -> YouTubeTransport:
        query = {name: str(value) for name, value in _named(_QUERY, self).items()}
        if not self.notify_subscribers:
            query["notifySubscribers"] = "false"
        return YouTubeTransport(
            metadata=self.metadata(),
            base_url=self.base_url,
            capabilities=capabilities(self.part_size),
            type=self.content_type,
            query_fields=query,
            await_processing=self.await_processing,
        )

    def _check_status(self) -> None:
        if self.privacy_status not in PRIVACY:
            raise ConfigurationError(f"there is no privacy status {self.privacy_status!r}").hint(
                f"choose one of {', '.join(PRIVACY)}"
            )
        if self.license is not None and self.license not in LICENSES:
            raise ConfigurationError(f"there is no license {self.license!r}").hint(
                f"choose one of {', '.join(LICENSES)}"
            )
        _check_time("publish_at", self.publish_at)
        # "It can be set only if the privacy status of the video is private."
        if self.publish_at is not None and self.privacy_status != "private":
            raise ConfigurationError(
                f"publish_at is given, and the privacy status is {self.privacy_status}, not private"
            )
        owner, channel = self.on_behalf_of_content_owner, self.on_behalf_of_content_owner_channel
        if channel is not None and owner is None:
            raise ConfigurationError(
                "on_behalf_of_content_owner_channel needs on_behalf_of_content_owner"
            )

    def _check_languages(self) -> None:
        spoken = (self.default_language, self.default_audio_language, *self.localizations)
        for language in spoken:
            if language is not None and not _LANGUAGE.fullmatch(language):
                raise ConfigurationError(f"{language!r} is no language code").hint(
                    "write one of BCP-47, such as en or pt-BR"
                )
        if self.localizations and self.default_language is None:
            raise ConfigurationError("localizations are given, and no default_language")
        for language, text in self.localizations.items():
            if set(text) - {"title", "description"} or "title" not in text:
                raise ConfigurationError(
                    f"the localization {language} has other fields than title and description"
                )
            check_title(f"title in {language}", text["title"])
            check_description(f"description in {language}", text.get("description", ""))


def _named(names: Mapping[str, str], video: YouTubeVideo) -> dict[str, Any]:
    """Return what is given of some fields, by YouTube's names."""
    found = {theirs: getattr(video, ours) for ours, theirs in names.items()}
    given = {name: value for name, value in found.items() if value not in (None, "", ())}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
    }


def _check_time(name: str, value: str | None) -> None:
    if value is None:
        return
    try:
        zone = datetime.fromisoformat(value).tzinfo
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} is no time of ISO 8601").hint(
            "write one such as 2026-12-24T18:00:00Z"
        ) from None
    if zone is None:
        raise ConfigurationError(f"{name} has no time zone").hint("end it with Z, or +01:00")
