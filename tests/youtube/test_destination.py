"""A video's fields are refused when it is made, or they are such as YouTube takes."""

import json
from typing import Any

import pytest

from transports.youtube import YouTubeVideo
from transports.youtube.factory import YOUTUBE
from uploader.errors import ConfigurationError
from uploader.model import SourceFacts
from uploader.secret import Secret


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""}, {"title": " "}, {"title": "a" * 101}, {"title": "😀" * 51},
        {"title": "a<b"}, {"title": "\ud800"}, {"description": "ü" * 2501}, {"description": ">"},
        {"tags": "one"}, {"tags": ["a" * 501]}, {"tags": ["a b"] * 84}, {"tags": ["a,b"]},
        {"tags": [""]}, {"tags": ["<"]}, {"privacy_status": "friends"}, {"license": "mit"},
        {"publish_at": "2026-12-24T18:00:00Z", "privacy_status": "public"},
        {"publish_at": "tomorrow"}, {"publish_at": "2026-12-24T18:00:00"}, {"category_id": "film"},
        {"recording_date": "2026"}, {"default_language": "english!"},
        {"localizations": {"de": {"title": "W"}}},
        {"default_language": "en", "localizations": {"de": {"name": "W"}}},
        {"default_language": "en", "localizations": {"de": {"title": "a" * 101}}},
        {"on_behalf_of_content_owner_channel": "c"}, {"part_size": 1000}, {"part_size": 0},
        {"base_url": "http://www.example"}, {"base_url": "https://u@x"}, {"access_token": ""},
        {"access_token": "ya29.x y"},
    ],
)  # fmt: skip
def test_what_youtube_refuses_is_refused(fields: dict[str, Any]) -> None:
    """With an error of ours, before anything is sent; no token is in its text."""
    given = {"title": "Winter", **fields}
    with pytest.raises(ConfigurationError) as caught:
        YouTubeVideo(given.pop("title"), **given)
    assert "ya29" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "a" * 100}, {"title": "😀" * 50}, {"description": "ü" * 2500},
        {"tags": ["a" * 500]}, {"tags": ["a b"] * 83}, {"tags": ["ab"] * 167},
        {"publish_at": "2026-12-24T18:00:00+01:00"},
    ],
)  # fmt: skip
def test_what_youtube_takes_is_taken(fields: dict[str, Any]) -> None:
    """Up to the last character, comma and quote."""
    YouTubeVideo(**{"title": "Winter", **fields})


FULL: dict[str, Any] = {
    "description": "Snow",
    "tags": ["snow", "long winter"],
    "category_id": "22",
    "privacy_status": "private",
    "publish_at": "2026-12-24T18:00:00Z",
    "made_for_kids": False,
    "contains_synthetic_media": True,
    "license": "creativeCommon",
    "embeddable": False,
    "public_stats_viewable": True,
    "notify_subscribers": False,
    "default_language": "en",
    "default_audio_language": "en-GB",
    "localizations": {"de": {"title": "Winter", "description": "Schnee"}},
    "recording_date": "2026-01-24T18:00:00Z",
    "on_behalf_of_content_owner": "owner",
    "on_behalf_of_content_owner_channel": "channel",
    "account": "acme",
    "content_type": "video/mp4",
    "await_processing": True,
    "part_size": 524_288,
    "base_url": "https://youtube.googleapis.com",
}


def test_its_fields_make_it_again() -> None:
    """All of them, through JSON; the credential is not among them."""
    made = YouTubeVideo("Winter", access_token="ya29.secret", **FULL)
    fields = json.loads(json.dumps(made.fields()))
    assert fields == {"title": "Winter", **FULL}
    assert "ya29.secret" not in repr(made) + json.dumps(made.identity_fields())
    again = YOUTUBE.destination(Secret("ya29.other"), fields)
    assert again.fields() == made.fields()
    assert again.identity_fields() == made.identity_fields()


def test_the_resource_is_as_youtube_wants_it() -> None:
    """Every field under YouTube's own name; false is said, what is not given is not."""
    made = YouTubeVideo("Winter", **FULL)
    assert made.metadata() == {
        "snippet": {
            "title": "Winter",
            "description": "Snow",
            "tags": ["snow", "long winter"],
            "categoryId": "22",
            "defaultLanguage": "en",
            "defaultAudioLanguage": "en-GB",
        },
        "status": {
            "privacyStatus": "private",
            "publishAt": "2026-12-24T18:00:00Z",
            "license": "creativeCommon",
            "embeddable": False,
            "publicStatsViewable": True,
            "selfDeclaredMadeForKids": False,
            "containsSyntheticMedia": True,
        },
        "recordingDetails": {"recordingDate": "2026-01-24T18:00:00Z"},
        "localizations": {"de": {"title": "Winter", "description": "Schnee"}},
    }
    assert YouTubeVideo("Winter").metadata() == {
        "snippet": {"title": "Winter"},
        "status": {"privacyStatus": "private"},
    }


def test_the_words_of_a_command_are_read() -> None:
    """Numbers, switches and tags come as text."""
    made = YOUTUBE.destination(
        None,
        {"title": "Winter", "tags": "snow, ice", "part_size": "524288", "embeddable": "no",
         "await_processing": "true", "made_for_kids": "false", "license": None},
    )  # fmt: skip
    assert (made.tags, made.part_size) == (("snow", "ice"), 524_288)
    assert (made.embeddable, made.await_processing, made.made_for_kids) == (False, True, False)
    for wrong in ({"part_size": "many"}, {"embeddable": "maybe"}, {"colour": "x"}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            YOUTUBE.destination(None, {"title": "Winter", **wrong})
    with pytest.raises(ConfigurationError, match="title"):
        YOUTUBE.destination(None, {})


def test_only_videos_are_taken() -> None:
    """And what is not recognised, as YouTube does."""
    flows = YouTubeVideo("Winter").transport()
    assert flows.content_type(SourceFacts("a.mov", 1)) == "video/quicktime"
    assert flows.content_type(SourceFacts("a", 1)) == "application/octet-stream"
    with pytest.raises(ConfigurationError, match="no video"):
        flows.content_type(SourceFacts("a.png", 1))
