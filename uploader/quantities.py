"""Sizes and times as people write them.

Rule: pure; MB is a million bytes, MiB is 2**20.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SIZES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_SIZE: Final = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_TIMES: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]?)", re.ASCII | re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return bytes for `64MB` (decimal), `64MiB` (binary) or `64000000`; raise `ValueError`."""
    written = _SIZE.fullmatch(text.strip())
    unit = _SIZES.get(written[2].lower()) if written else None
    if written is None or unit is None:
        raise ValueError(f"{text!r} is no size: write 64MB, 64MiB or 64000000")
    count = Decimal(re.sub("[_,]", "", written[1])) * unit
    if count != int(count):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    if count < 1:
        raise ValueError(f"{text!r} is too small: at least 1 byte")
    return int(count)


def parse_duration(text: str, *, bare: str | None = None) -> float:
    """Return seconds for `30d`, `12h`, `90m`, `45s`, `2w`; raise `ValueError`.

    `bare` is the unit of a number that has none.
    """
    written = _TIME.fullmatch(text.strip())
    unit = _TIMES.get((written[2] or bare or "").lower()) if written else None
    if written is None or unit is None:
        raise ValueError(f"{text!r} is no duration: write 45s, 90m, 12h, 30d or 2w")
    return float(written[1]) * unit
