"""Sizes as people write them, and as they read them.

Rule: MB is a million bytes, MiB is 2**20; what is printed is decimal.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_UNITS: Final = {
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
_WRITTEN = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return bytes for `64MB` (decimal), `64MiB` (binary) or `64000000`; raise `ValueError`."""
    written = _WRITTEN.fullmatch(text.strip())
    unit = _UNITS.get(written[2].lower()) if written else None
    if written is None or unit is None:
        raise ValueError(f"{text!r} is no size: write 64MB, 64MiB or 64000000")
    count = Decimal(re.sub("[_,]", "", written[1])) * unit
    if count != int(count):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    if count < 1:
        raise ValueError(f"{text!r} is too small: at least 1 byte")
    return int(count)


def show_size(count: float) -> str:
    """Return `256 MB`, `25.8 MB`, `1.02 GB`: three digits that matter."""
    value, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, bigger
    digits = 0 if unit == "B" else max(0, 3 - len(str(int(value))))
    number = f"{value:.{digits}f}"
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}"


def show_seconds(seconds: float) -> str:
    """Return `0.58 s`, `42.0 s`, `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"
