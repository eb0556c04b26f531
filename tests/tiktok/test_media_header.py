"""The reader of MP4 and MOV: right about real files, unmoved by hostile ones."""

import sys
from contextlib import suppress
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiktok.boxes import box, full, movie
from transports.tiktok.media_file import read_media
from transports.tiktok.media_header import (
    MAX_READ,
    MAX_READS,
    MediaHeaderError,
    MediaInfo,
    read_header,
)
from uploader.cli.clip import CLIP


class Meter:
    """Read from bytes, and count."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads = 0

    def __call__(self, start: int, length: int) -> bytes:
        self.reads += 1
        assert start >= 0
        assert 0 < length <= MAX_READ
        return self.content[start : start + length]


def header(content: bytes) -> MediaInfo | None:
    """Read a file that lies in memory, within bounds."""
    meter = Meter(content)
    try:
        return read_header(meter, len(content))
    finally:
        assert meter.reads <= MAX_READS


WHOLE = MediaInfo(duration=30.0, width=1080, height=1920, codec="h264", frame_rate=30.0)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("moov_last", [True, False])
@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("brand", [b"isom", b"qt  "])
def test_a_header_is_read(version: int, moov_last: bool, large: bool, brand: bytes) -> None:
    """Both widths of times and lengths, the index before and after the media, both brands."""
    assert header(movie(version=version, moov_last=moov_last, large=large, brand=brand)) == WHOLE


def test_a_real_file_is_read() -> None:
    """The clip that the demonstration uploads, as its encoder made it."""
    content = CLIP.read_bytes()
    assert header(content) == MediaInfo(
        duration=4.0, width=720, height=1280, codec="h264", frame_rate=30.0
    )


@pytest.mark.parametrize(
    ("fourcc", "codec"),
    [(b"avc1", "h264"), (b"hvc1", "h265"), (b"hev1", "h265"), (b"vp09", "vp9"), (b"av01", "av1"),
     (b"apcn", "prores"), (b"zzz ", "zzz")],
)  # fmt: skip
def test_codecs_have_their_common_names(fourcc: bytes, codec: str) -> None:
    """One that is not known keeps the file's word."""
    found = header(movie(codec=fourcc))
    assert found is not None
    assert found.codec == codec


def test_a_rate_is_frames_by_time() -> None:
    """23.976 is what cinema files have."""
    found = header(movie(rate=24000 / 1001, seconds=1001.0))
    assert found is not None
    assert found.frame_rate == pytest.approx(23.976, abs=0.001)


def test_a_fragmented_file_says_it_elsewhere() -> None:
    """Its index has no samples: duration and rate are in `mehd` and `trex`."""
    extends = box(
        b"mvex",
        full(b"mehd", pack(">I", 90_000)),
        full(b"trex", pack(">IIIII", 0, 1, 3600, 0, 0)),
    )
    content = movie(seconds=0.0, extra=extends)
    found = header(content)
    assert found is not None
    assert (found.duration, found.frame_rate) == (90.0, 25.0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "moov"),
        (b"\x1aE\xdf\xa3 webm and more", "no MP4"),
        (b"# a text that somebody renamed", "no MP4"),
        (movie()[:60], "moov"),
        (box(b"ftyp", b"isom") + box(b"mdat", bytes(900))[:400], "moov"),
        (movie(handler=b"soun"), "no video"),
        (box(b"ftyp", b"isom") + box(b"moov"), "no video"),
    ],
)
def test_what_is_no_video_says_why(content: bytes, why: str) -> None:
    """A recording that was cut off, sound alone, another format."""
    with pytest.raises(MediaHeaderError, match=why):
        header(content)


def test_a_file_of_countless_boxes_is_given_up() -> None:
    """Two thousand reads are enough: what is not known then is no reason to refuse it."""
    assert header(box(b"ftyp") + box(b"free") * 10_000 + movie()) is None
    assert header(box(b"ftyp") + box(b"moov", box(b"trak") * 10_000)) is None


@given(st.binary(max_size=400))
def test_noise_is_survived(content: bytes) -> None:
    """Whatever the bytes are: an answer or the one exception."""
    for head in (b"", b"\0\0\0\x08ftyp", b"\0\0\0\0moov"):
        with suppress(MediaHeaderError):
            header(head + content)


@settings(max_examples=400)
@given(
    st.sampled_from([movie(), movie(version=1, large=True), CLIP.read_bytes()[-3000:]]),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=9)), max_size=12),
    st.integers(0, 6000),
)
def test_a_damaged_file_is_survived(
    content: bytes, damage: list[tuple[int, bytes]], cut: int
) -> None:
    """Bytes overwritten and the end cut off: sizes lie, boxes overlap, fields are missing."""
    broken = bytearray(content)
    for place, piece in damage:
        start = place % len(broken)
        broken[start : start + len(piece)] = piece
    try:
        found = header(bytes(broken[: cut or None]))
    except MediaHeaderError:
        return
    if found is not None:
        assert found.duration is None or found.duration > 0
        assert found.frame_rate is None or found.frame_rate > 0


def test_a_claimed_size_is_not_believed() -> None:
    """A box of 2**64 bytes costs a read, no more."""
    huge = pack(">I4sQ", 1, b"moov", 2**64 - 1)
    with pytest.raises(MediaHeaderError):
        header(box(b"ftyp") + huge)


def test_a_callers_position_stays_where_it_is(tmp_path: Path) -> None:
    """An open file is read by place: who goes on reading it notices nothing."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(movie())
    with path.open("rb") as file:
        file.seek(7)
        found, remark = read_media(file, "clip.mp4", path.stat().st_size, "video/mp4")
        assert file.tell() == 7
    assert (found, remark) == (WHOLE, None)


def test_the_library_says_the_same_of_a_real_file() -> None:
    """pymediainfo, asked in our place, agrees on the demonstration's clip."""
    content = CLIP.read_bytes()
    # A WebM by name is left to the library whatever it holds.
    found, remark = read_media(content, "clip.webm", len(content), "video/webm")
    assert (found, remark) == (header(content), None)


def test_without_the_library_webm_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said so, with what to install; MP4 does not need it."""
    monkeypatch.setitem(sys.modules, "pymediainfo", None)
    content = CLIP.read_bytes()
    found, remark = read_media(content, "clip.webm", len(content), "video/webm")
    assert found is None
    assert remark is not None
    assert "mmap-uploader[media]" in remark
    assert read_media(content, "clip.mp4", len(content), "video/mp4") == (header(content), None)
