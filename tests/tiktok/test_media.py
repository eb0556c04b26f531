"""Which media type a file is sent as, and what a post may say."""

import pytest

from tests.tiktok.answers import direct_post
from transports.tiktok import DirectPost
from uploader.errors import ConfigurationError
from uploader.model import SourceFacts

FTYP = b"\x00\x00\x00\x20ftyp"
HEADS = {
    "mp4": FTYP + b"isom",
    "mov": FTYP + b"qt  ",
    "webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86",
    "text": b"hello, this is no video",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip.mp4", "video/mp4"), ("CLIP.MP4", "video/mp4"), ("a.b.m4v", "video/mp4"),
        ("clip.mov", "video/quicktime"), ("clip.Mov", "video/quicktime"),
        ("clip.qt", "video/quicktime"), ("clip.webm", "video/webm"), ("日本 .mp4", "video/mp4"),
    ],
)  # fmt: skip
def test_the_name_decides(name: str, expected: str) -> None:
    """A known ending is believed, whatever the letter case and the first bytes."""
    assert direct_post().content_type(SourceFacts(name, 1, HEADS["text"])) == expected


@pytest.mark.parametrize("name", ["", "clip", ".mp4", "the file"])
@pytest.mark.parametrize(
    ("head", "expected"),
    [("mp4", "video/mp4"), ("mov", "video/quicktime"), ("webm", "video/webm")],
)
def test_without_an_ending_the_first_bytes_decide(name: str, head: str, expected: str) -> None:
    """Content without a telling name is recognised."""
    assert direct_post().content_type(SourceFacts(name, 1, HEADS[head])) == expected


@pytest.mark.parametrize(
    ("name", "head"),
    [("clip.avi", "mp4"), ("clip.mkv", "webm"), ("notes.txt", "text"), ("", "text"), ("x", "text")],
)
def test_another_type_is_refused_with_a_hint(name: str, head: str) -> None:
    """What TikTok does not take is refused before a request, with what to do."""
    with pytest.raises(ConfigurationError, match="MP4, MOV and WebM") as caught:
        direct_post().content_type(SourceFacts(name, 1, HEADS[head]))
    assert caught.value.hints


@pytest.mark.parametrize("head", [b"", b"\x00", FTYP[:7]])
def test_a_short_head_is_no_crash(head: bytes) -> None:
    """A file of a few bytes is an unknown type, not an exception of another kind."""
    with pytest.raises(ConfigurationError):
        direct_post().content_type(SourceFacts("x", 1, head))


@pytest.mark.parametrize("level", ["public", "PUBLIC", "", "self_only", "EVERYONE", None, 3])
def test_a_privacy_level_that_does_not_exist_is_refused(level: object) -> None:
    """Only TikTok's own four levels are taken, and the hint lists them."""
    with pytest.raises(ConfigurationError, match="privacy level") as caught:
        DirectPost(privacy_level=level, access_token="act.x")  # type: ignore[arg-type]
    assert "MUTUAL_FOLLOW_FRIENDS" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("title", "taken"),
    [("x" * 2200, True), ("x" * 2201, False), ("😀" * 1100, True), ("😀" * 1100 + "x", False),
     ("\ud83d" * 2200, True), ("", True)],
    ids=["2200", "2201", "1100 pairs", "1100 pairs and one", "lone halves", "empty"],
)  # fmt: skip
def test_a_title_is_counted_in_utf16_units(title: str, taken: bool) -> None:
    """An emoji costs two of the 2200 units; the refusal names both numbers."""
    if taken:
        assert (direct_post(title=title).post_info or {})["title"] == title
        return
    with pytest.raises(ConfigurationError, match="2,201 UTF-16 units, TikTok takes 2,200"):
        direct_post(title=title)


@pytest.mark.parametrize(
    "token", ["", "act.x\n", "act.x\r\nX-Evil: 1", "act x", "act.\x00", "ключ"]
)
def test_a_token_that_cannot_be_a_header_is_refused(token: str) -> None:
    """An empty token, or one with the line end of its file, is refused before a request."""
    with pytest.raises(ConfigurationError, match="token") as caught:
        DirectPost(privacy_level="SELF_ONLY", access_token=token)
    assert not token or token not in str(caught.value)


def test_a_post_that_is_printed_shows_no_token() -> None:
    """The repr of a destination has its public fields only."""
    post = DirectPost(privacy_level="SELF_ONLY", access_token="act.very-secret", title="Hi")
    assert "very-secret" not in repr(post)
    assert "Hi" in repr(post)


def test_optional_fields_are_left_out_unless_given() -> None:
    """`is_aigc` and the cover's time are sent only when the caller said them."""
    info = direct_post().post_info or {}
    assert "is_aigc" not in info
    assert "video_cover_timestamp_ms" not in info
    info = direct_post(is_aigc=False, cover_timestamp_ms=0, disable_duet=True).post_info or {}
    assert (info["is_aigc"], info["video_cover_timestamp_ms"]) == (False, 0)
    assert (info["disable_duet"], info["disable_comment"]) == (True, False)
