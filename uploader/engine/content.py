"""Reads a file's content to tell what it is: fingerprints, and proofs that it is still the same.

Rule: blocking reads by `pread`, never through a mapping, so that a truncated file is an error and
not a crash. Called on worker threads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import xxhash

from uploader.errors import ConfigurationError, SourceChangedError, SourceReadError
from uploader.identity import sample_places
from uploader.journal import PartRecord
from uploader.model import KIB, Part, Plan
from uploader.source import SourceInput, descriptor_of

Read = Callable[[int, int], bytes]
BLOCK = 256 * KIB
"""Bytes read at once: what stays in the cache between reading and digesting."""


def fingerprint(source: SourceInput, name: str, size: int) -> str:
    """Return size and sampled digest as one word, the same for equal content on any machine."""
    digest = xxhash.xxh3_128()
    with _reading(source, name) as read:
        for start, length in sample_places(size):
            digest.update(_exactly(read, name, start, length))
    return f"{size}-{digest.hexdigest()}"


def check_parts(
    source: SourceInput, name: str, plan: Plan, parts: Sequence[PartRecord]
) -> int | None:
    """Return the index of the first recorded part whose content differs now, `None` when none does.

    Parts without a digest are passed over.
    """
    with _reading(source, name) as read:
        for record in parts:
            if record.digest is None:
                continue
            part = plan.part(record.index)
            digest = xxhash.xxh3_128()
            for start in range(part.start, part.stop, BLOCK):
                digest.update(_exactly(read, name, start, min(BLOCK, part.stop - start)))
            if digest.hexdigest() != record.digest:
                return record.index
    return None


def part_digests(
    source: SourceInput, name: str, part: Part, names: Iterable[str]
) -> dict[str, bytes]:
    """Return the digests of a part that a destination asked for, as raw bytes by name."""
    found = {each: _hasher(each) for each in names}
    with _reading(source, name) as read:
        for start in range(part.start, part.stop, BLOCK):
            piece = _exactly(read, name, start, min(BLOCK, part.stop - start))
            for hasher in found.values():
                hasher.update(piece)
    return {each: hasher.digest() for each, hasher in found.items()}


def block_digests(view: memoryview, names: Iterable[str]) -> dict[str, bytes]:
    """Return the digests of content in memory, as raw bytes by name."""
    found = {each: _hasher(each) for each in names}
    for start in range(0, len(view), BLOCK):
        piece = bytes(view[start : start + BLOCK])  # CRC32C takes no buffer that may change
        for hasher in found.values():
            hasher.update(piece)
    return {each: hasher.digest() for each, hasher in found.items()}


def _hasher(name: str) -> Any:
    match name:
        case "md5" | "sha1":
            return hashlib.new(name, usedforsecurity=False)
        case "sha256":
            return hashlib.sha256()
        case "xxh3_128":
            return xxhash.xxh3_128()
        case "crc32c":
            return _Crc32c()
    raise ConfigurationError(f"there is no digest {name!r}")


class _Crc32c:
    """CRC32C with hashlib's methods."""

    def __init__(self) -> None:
        try:
            import google_crc32c
        except ImportError:
            raise ConfigurationError("CRC32C needs the package google-crc32c").hint(
                "install it, or mmap-uploader with the extra of this destination"
            ) from None
        self._extend = google_crc32c.extend
        self._value = 0

    def update(self, piece: bytes) -> None:
        self._value = self._extend(self._value, piece)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def whole_digest(source: SourceInput, name: str, size: int) -> str:
    """Return the digest of all of the content, for files whose samples are equal."""
    digest = xxhash.xxh3_128()
    with _reading(source, name) as read:
        for start in range(0, size, BLOCK):
            digest.update(_exactly(read, name, start, min(BLOCK, size - start)))
    return digest.hexdigest()


@contextmanager
def _reading(source: SourceInput, name: str) -> Iterator[Read]:
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


def _exactly(read: Any, name: str, start: int, length: int) -> bytes:
    pieces, missing = [], length
    while missing:
        piece = read(start + length - missing, missing)
        if not piece:
            raise SourceChangedError(f"{name} ends at byte {start + length - missing:,}")
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
