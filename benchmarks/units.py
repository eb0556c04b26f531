"""Sizes as people write and read them.

Rule: pure. GB is 10**9 bytes, GiB is 2**30; the tables say which they mean.
"""

from __future__ import annotations

import re

KIB, MIB, GIB = 2**10, 2**20, 2**30
MB, GB = 10**6, 10**9

_FACTORS = {
    "": 1,
    "b": 1,
    "k": KIB,
    "kb": 10**3,
    "kib": KIB,
    "m": MIB,
    "mb": MB,
    "mib": MIB,
    "g": GIB,
    "gb": GB,
    "gib": GIB,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Read `64MB`, `2GiB`, `1.5G` or a plain number of bytes; anything else is a ValueError."""
    found = _SIZE.fullmatch(text)
    if found is None or found[2].lower() not in _FACTORS:
        raise ValueError(f"{text!r} is not a size; write 64MB, 2GiB or a number of bytes")
    size = int(float(found[1]) * _FACTORS[found[2].lower()])
    if size < 1:
        raise ValueError(f"{text!r} is no bytes at all")
    return size


def size_text(size: int) -> str:
    """Write a size in the largest unit that divides it evenly, decimal units first."""
    for unit, factor in (("GB", GB), ("GiB", GIB), ("MB", MB), ("MiB", MIB), ("KiB", KIB)):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size:,} B"
