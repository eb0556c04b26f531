"""What proves that an object has the bytes that were sent.

Rule: pure, over the digests of parts; no content passes through here.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from uploader.errors import ConfigurationError

NONE: Final = "none"
"""How a command and a journal write `None`."""
COMPOSITE: Final = "COMPOSITE"
_MD5: Final = re.compile(r'"?([0-9a-f]{32})"?', re.ASCII)


@dataclass(frozen=True, slots=True)
class Checksum:
    """One of S3's algorithms: our word for it, and the words of its headers and elements."""

    name: str
    algorithm: str
    header: str
    element: str


CHECKSUMS: Final = {
    each.name: each
    for each in (
        Checksum("crc32c", "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C"),
        Checksum("sha256", "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256"),
    )
}


def checksum_named(name: str | None) -> Checksum | None:
    """Return the algorithm, or raise `ConfigurationError`."""
    if name is None or name == NONE:
        return None
    if name not in CHECKSUMS:
        raise ConfigurationError(f"there is no checksum {name!r}").hint(
            f"choose one of {', '.join(CHECKSUMS)}, or None for a server that knows none"
        )
    return CHECKSUMS[name]


def text_of(digest: bytes) -> str:
    """Write a digest as S3's headers and elements do."""
    return base64.b64encode(digest).decode()


def composite(name: str, parts: Sequence[str]) -> str:
    """Return the checksum of checksums of an object of parts: base64, a hyphen, their count."""
    joined = b"".join(map(base64.b64decode, parts))
    if name == "crc32c":
        import google_crc32c

        digest = google_crc32c.value(joined).to_bytes(4, "big")
    else:
        digest = hashlib.new(name, joined, usedforsecurity=False).digest()
    return f"{text_of(digest)}-{len(parts)}"


def agrees(stored: str, expected: str, kind: str) -> bool | None:
    """Tell whether an object's checksum is the one expected; `None` where they are not comparable.

    `kind` is the server's word for the type. FULL_OBJECT is a sum of content that nobody took here.
    Some servers leave the number of parts out.
    """
    if not stored or not expected or (kind != COMPOSITE and "-" not in stored):
        return None
    return stored.partition("-")[0] == expected.partition("-")[0]


def multipart_etag(parts: Sequence[str]) -> str | None:
    """Return the ETag of an object of parts, `None` where theirs are no MD5 digests.

    That it is the MD5 of the parts' MD5 digests is no promise: equality proves, a difference
    does not.
    """
    found = [_MD5.fullmatch(etag) for etag in parts]
    if not all(found):
        return None
    joined = b"".join(bytes.fromhex(each[1]) for each in found if each)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"
