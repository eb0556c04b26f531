"""MP4 files of a few hundred bytes: all that a header says, and no picture.

Rule: pure; ISO/IEC 14496-12 has the layouts.
"""

from struct import pack


def box(kind: bytes, *content: bytes, large: bool = False) -> bytes:
    """Return a box; `large` writes its length in 64 bits."""
    payload = b"".join(content)
    if large:
        return pack(">I4sQ", 1, kind, len(payload) + 16) + payload
    return pack(">I4s", len(payload) + 8, kind) + payload


def full(kind: bytes, content: bytes, version: int = 0) -> bytes:
    """Return a box with version and flags."""
    return box(kind, pack(">I", version << 24), content)


def movie(
    *,
    seconds: float = 30.0,
    rate: float = 30.0,
    width: int = 1080,
    height: int = 1920,
    codec: bytes = b"avc1",
    handler: bytes = b"vide",
    version: int = 0,
    brand: bytes = b"isom",
    moov_last: bool = True,
    large: bool = False,
    extra: bytes = b"",
) -> bytes:
    """Return a whole file whose header says this; its media data are empty."""
    media = box(b"mdat", bytes(100), large=large)
    index = box(
        b"moov",
        full(b"mvhd", times(1000, round(seconds * 1000), version) + bytes(80), version),
        extra,
        track(seconds, rate, width, height, codec, handler, version),
    )
    start = box(b"ftyp", brand, bytes(4))
    return start + (media + index if moov_last else index + media)


def track(
    seconds: float, rate: float, width: int, height: int, codec: bytes, handler: bytes, version: int
) -> bytes:
    """Return a `trak`."""
    entry = box(codec, bytes(24), pack(">HH", width, height), bytes(50))
    table = box(
        b"stbl",
        full(b"stsd", pack(">I", 1) + entry),
        full(b"stsz", pack(">II", 0, round(seconds * rate))),
    )
    scale = 90_000
    return box(
        b"trak",
        full(b"tkhd", bytes(80)),
        box(
            b"mdia",
            full(b"mdhd", times(scale, round(seconds * scale), version) + bytes(4), version),
            full(b"hdlr", bytes(4) + handler + bytes(13)),
            box(b"minf", table),
        ),
    )


def times(scale: int, duration: int, version: int) -> bytes:
    """Return the beginning that `mvhd` and `mdhd` share."""
    if version == 1:
        return pack(">QQIQ", 0, 0, scale, duration)
    return pack(">IIII", 0, 0, scale, duration)
