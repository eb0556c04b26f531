"""Sizes as people write them, and as they read them.

Rule: MB is a million bytes, MiB is 2**20; what is printed is decimal.
"""

from __future__ import annotations

from uploader.quantities import parse_size

__all__ = ["parse_size", "show_seconds", "show_size"]


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
