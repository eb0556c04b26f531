"""Reads what an MP4 or MOV file says of itself: duration, picture, codec, frame rate.

Rule: pure and bounded. It is given a way to read, asks for a few bytes at a time and for at most
`MAX_READS` of them, and believes nothing: a size that does not fit ends the walk. The media data
itself is never read. https://developer.apple.com/documentation/quicktime-file-format,
ISO/IEC 14496-12
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

ReadAt = Callable[[int, int], bytes]
"""`read_at(start, length)`: the bytes there, fewer at the end of the file."""

MAX_READS: Final = 2_000
"""A file of our encoders takes about fifty; each reads at most `MAX_READ` bytes."""
MAX_READ: Final = 104
UNKNOWN_32: Final = 0xFFFF_FFFF
UNKNOWN_64: Final = 0xFFFF_FFFF_FFFF_FFFF

# Sample entries: https://mp4ra.org/registered-types/sampleentries
_CODECS: Final = {
    b"avc1": "h264", b"avc2": "h264", b"avc3": "h264", b"avc4": "h264",
    b"hvc1": "h265", b"hev1": "h265", b"dvh1": "h265", b"dvhe": "h265",
    b"vp08": "vp8", b"vp09": "vp9", b"av01": "av1", b"mp4v": "mpeg4",
    b"apch": "prores", b"apcn": "prores", b"apcs": "prores", b"apco": "prores",
    b"ap4h": "prores", b"ap4x": "prores", b"jpeg": "mjpeg", b"mjpa": "mjpeg",
    b"encv": "encrypted",
}  # fmt: skip
# Boxes that may stand first in a file: https://mp4ra.org/registered-types/boxes
_FIRST: Final = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp", b"sidx"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What is known of a video: seconds, pixels, frames a second; `None` where nothing is said.

    `codec` is a common name such as "h264", or the file's own word for one that is not known here.
    """

    duration: float | None = None
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    frame_rate: float | None = None


class MediaHeaderError(Exception):
    """The bytes are no MP4 or MOV with a video in it; the text says why."""


class _TooMuchError(Exception):
    """The file asks for more reads than any sound one does."""


class _Box(NamedTuple):
    kind: bytes
    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


def read_header(read_at: ReadAt, size: int) -> MediaInfo | None:
    """Return what the file says, or `None` for one that is too long-winded to be read here.

    Raises `MediaHeaderError` for what is no video file of this kind, and what `read_at` raises.
    """
    reader = _Reader(read_at, size)
    try:
        return _file(reader)
    except _TooMuchError:
        return None


class _Reader:
    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self.size = size
        self._left = MAX_READS

    def read(self, start: int, length: int, stop: int) -> bytes:
        """Return exactly these bytes, zeros in the place of those beyond `stop`."""
        self._left -= 1
        if self._left < 0:
            raise _TooMuchError
        wanted = max(0, min(length, MAX_READ, stop - start))
        found = self._read_at(start, wanted)[:wanted] if wanted else b""
        return found.ljust(length, b"\0")

    def boxes(self, start: int, stop: int) -> Iterator[_Box]:
        """Yield the boxes of a range; one whose size does not fit ends it."""
        while stop - start >= 8:
            head = self.read(start, 16, stop)
            length, kind, begin = _number(head[:4]), head[4:8], 8
            if length == 1:
                length, begin = _number(head[8:16]), 16
            elif length == 0:
                length = stop - start
            if length < begin or length > stop - start:
                # What follows is no box. The last one may be cut off: it is read as far as it goes.
                if length > stop - start and start + begin <= stop:
                    yield _Box(kind, start + begin, stop)
                return
            yield _Box(kind, start + begin, start + length)
            start += length

    def first(self, parent: _Box, *path: bytes) -> _Box | None:
        """Return the first box on a path below another one."""
        found: _Box | None = parent
        for kind in path:
            if found is None:
                return None
            inside = self.boxes(found.start, found.stop)
            found = next((box for box in inside if box.kind == kind), None)
        return found

    def full(self, box: _Box, length: int) -> tuple[int, bytes]:
        """Return the version of a full box, and its first bytes after version and flags."""
        content = self.read(box.start, length + 4, box.stop)
        return content[0], content[4:]


def _file(reader: _Reader) -> MediaInfo:
    movie: _Box | None = None
    for index, box in enumerate(reader.boxes(0, reader.size)):
        if index == 0 and box.kind not in _FIRST:
            break
        if box.kind == b"moov":
            movie = box
            break
    else:
        raise MediaHeaderError("it has no index (moov): the recording was not finished")
    if movie is None:
        raise MediaHeaderError("it is no MP4 or MOV file")
    if reader.first(movie, b"cmov") is not None:
        raise _TooMuchError  # a compressed index, of an age before H.264
    scale, duration = _movie_times(reader, movie)
    fragments = reader.first(movie, b"mvex")
    if duration is None and fragments is not None:
        duration = _fragment_duration(reader, fragments)
    tracks = [
        track
        for box in reader.boxes(movie.start, movie.stop)
        if box.kind == b"trak" and (track := _track(reader, box, fragments)) is not None
    ]
    if not tracks:
        raise MediaHeaderError("it has no video track")
    video = max(tracks, key=lambda track: (track.width or 0) * (track.height or 0))
    seconds = duration / scale if duration and scale else video.duration
    return MediaInfo(
        duration=seconds,
        width=video.width,
        height=video.height,
        codec=video.codec,
        frame_rate=video.frame_rate,
    )


def _movie_times(reader: _Reader, movie: _Box) -> tuple[int, int | None]:
    header = reader.first(movie, b"mvhd")
    return _times(reader, header) if header is not None else (0, None)


def _times(reader: _Reader, header: _Box) -> tuple[int, int | None]:
    """Return the time scale and the duration of an `mvhd` or `mdhd`, whose beginnings are alike."""
    version, content = reader.full(header, 28)
    if version == 1:
        scale, duration, unknown = _number(content[16:20]), _number(content[20:28]), UNKNOWN_64
    else:
        scale, duration, unknown = _number(content[8:12]), _number(content[12:16]), UNKNOWN_32
    return scale, None if duration in (0, unknown) else duration


def _fragment_duration(reader: _Reader, fragments: _Box) -> int | None:
    header = reader.first(fragments, b"mehd")
    if header is None:
        return None
    version, content = reader.full(header, 8)
    return (_number(content[:8]) if version == 1 else _number(content[:4])) or None


def _track(reader: _Reader, track: _Box, fragments: _Box | None) -> MediaInfo | None:
    """Return what a video track says; `None` for sound, subtitles and time codes."""
    media = reader.first(track, b"mdia")
    handler = reader.first(media, b"hdlr") if media is not None else None
    if media is None or handler is None or reader.full(handler, 8)[1][4:8] != b"vide":
        return None
    header, table = reader.first(media, b"mdhd"), reader.first(media, b"minf", b"stbl")
    scale, duration = _times(reader, header) if header is not None else (0, None)
    codec, width, height = _description(reader, table) if table is not None else (None, 0, 0)
    if not (width and height):
        width, height = _presented(reader, track)
    samples = _samples(reader, table) if table is not None else 0
    rate = samples * scale / duration if samples and scale and duration else None
    if rate is None and scale and fragments is not None:
        rate = _fragment_rate(reader, track, fragments, scale)
    return MediaInfo(
        duration=duration / scale if duration and scale else None,
        width=width or None,
        height=height or None,
        codec=codec,
        frame_rate=rate,
    )


def _description(reader: _Reader, table: _Box) -> tuple[str | None, int, int]:
    """Return codec, width and height of the first sample description."""
    box = reader.first(table, b"stsd")
    entry = next(reader.boxes(box.start + 8, box.stop), None) if box is not None else None
    if entry is None:
        return None, 0, 0
    content = reader.read(entry.start, 28, entry.stop)
    codec = _CODECS.get(entry.kind) or entry.kind.decode("ascii", "replace").strip()
    return codec, _number(content[24:26]), _number(content[26:28])


def _presented(reader: _Reader, track: _Box) -> tuple[int, int]:
    """Return width and height as the track is shown, 16.16 fixed-point at the end of `tkhd`."""
    box = reader.first(track, b"tkhd")
    if box is None:
        return 0, 0
    version, content = reader.full(box, 92)
    end = 92 if version == 1 else 80
    return _number(content[end - 8 : end - 6]), _number(content[end - 4 : end - 2])


def _samples(reader: _Reader, table: _Box) -> int:
    """Return how many frames there are: `stsz` and `stz2` hold the number at one place."""
    box = reader.first(table, b"stsz") or reader.first(table, b"stz2")
    return _number(reader.full(box, 8)[1][4:8]) if box is not None else 0


def _fragment_rate(reader: _Reader, track: _Box, fragments: _Box, scale: int) -> float | None:
    """Return the rate by the usual duration of a frame in a fragmented file."""
    header = reader.first(track, b"tkhd")
    if header is None:
        return None
    version, content = reader.full(header, 20)
    number = _number(content[16:20] if version == 1 else content[8:12])
    for box in reader.boxes(fragments.start, fragments.stop):
        if box.kind == b"trex":
            _, defaults = reader.full(box, 12)
            if _number(defaults[:4]) == number and _number(defaults[8:12]):
                return scale / _number(defaults[8:12])
    return None


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big")
