"""Opens a video to learn what it says of itself.

Rule: an edge that reads, by `pread` and a few bytes at a time: a caller's position in an open file
stays where it is. MP4 and MOV are read here, the rest by pymediainfo where it is installed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Final

from transports.tiktok.media_header import MediaInfo, read_header
from uploader.errors import SourceReadError
from uploader.source import SourceInput, descriptor_of

ReadAt = Callable[[int, int], bytes]

# https://mediaarea.net/en/MediaInfo/Support/Formats
_FORMATS: Final = {"AVC": "h264", "HEVC": "h265", "VP8": "vp8", "VP9": "vp9", "AV1": "av1"}
WITHOUT_LIBRARY: Final = (
    "the file's header was not read: install mmap-uploader[media] to have WebM checked as well"
)


def read_media(
    source: SourceInput, name: str, size: int, content_type: str
) -> tuple[MediaInfo | None, str | None]:
    """Return what is known of a video, `None` for nothing, and a remark on what was not read.

    Raises `MediaHeaderError` for a broken MP4 or MOV, `SourceError` for a file that cannot be read.
    """
    found: MediaInfo | None = None
    with _reading(source, name) as read_at:
        if content_type != "video/webm":
            found = read_header(read_at, size)
        if found is not None and None not in (found.duration, found.codec, found.frame_rate):
            return found, None
        try:
            from pymediainfo import MediaInfo as Library
        except ImportError:
            return found, None if found is not None else WITHOUT_LIBRARY
        with io.BufferedReader(_View(read_at, size)) as file:
            return _joined(found, _by_library(Library, file)), None


def _by_library(library: Any, file: Any) -> MediaInfo | None:
    try:
        tracks = library.parse(file, output=None).video_tracks
    except (OSError, RuntimeError, ValueError):  # libmediainfo is missing, or made nothing of it
        return None
    if not tracks:
        return None
    video = tracks[0]
    milliseconds, rate = _positive(video.duration), _positive(video.frame_rate)
    width, height = _positive(video.width), _positive(video.height)
    return MediaInfo(
        duration=milliseconds / 1000 if milliseconds else None,
        width=int(width) if width else None,
        height=int(height) if height else None,
        codec=_FORMATS.get(video.format, str(video.format).lower()) if video.format else None,
        frame_rate=rate,
    )


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None


def _joined(own: MediaInfo | None, other: MediaInfo | None) -> MediaInfo | None:
    """Return our own facts, completed by the library's."""
    if own is None or other is None:
        return own or other
    names = [each.name for each in fields(MediaInfo)]
    return MediaInfo(
        **{
            name: getattr(other, name) if getattr(own, name) is None else getattr(own, name)
            for name in names
        }
    )


@contextmanager
def _reading(source: SourceInput, name: str) -> Iterator[ReadAt]:
    """Yield a function that reads bytes from a place."""
    if isinstance(source, bytes):
        yield lambda start, length: source[start : start + length]
        return
    fd = descriptor_of(source, name)
    try:
        yield lambda start, length: os.pread(fd, length, start)
    except OSError as error:
        raise SourceReadError(f"{name} cannot be read: {error.strerror}") from None
    finally:
        os.close(fd)


class _View(io.RawIOBase):
    """A file with a position of its own."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._read_at(self._position, len(buffer))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position
