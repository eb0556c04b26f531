"""Times as people write them, and as they read them.

Rule: pure; seconds since the epoch in the program, the machine's own zone on the screen, UTC for
machines.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_WRITTEN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]?)", re.ASCII | re.IGNORECASE)


def parse_duration(text: str, *, bare: str | None = None) -> float:
    """Return seconds for `30d`, `12h`, `90m`, `45s`, `2w`; raise `ValueError`.

    `bare` is the unit of a number that has none.
    """
    written = _WRITTEN.fullmatch(text.strip())
    unit = _UNITS.get((written[2] or bare or "").lower()) if written else None
    if written is None or unit is None:
        raise ValueError(f"{text!r} is no duration: write 45s, 90m, 12h, 30d or 2w")
    return float(written[1]) * unit


def parse_moment(text: str, now: float) -> float:
    """Return seconds since the epoch for an ISO time, or for `+2h` from `now`.

    A time without a zone is the machine's. Raises `ValueError`.
    """
    if text.startswith("+"):
        return now + parse_duration(text[1:])
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is no time: write 2026-01-31T18:00, 2026-01-31T18:00Z or +2h"
        ) from None


def show_moment(moment: float) -> str:
    """Return `2026-01-31 18:00:05+01:00`, in the machine's zone."""
    return datetime.fromtimestamp(moment, UTC).astimezone().isoformat(" ", "seconds")


def iso(moment: float | None) -> str | None:
    """Return a time for machines, in UTC."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def show_span(seconds: float) -> str:
    """Return `45 s`, `12 min`, `3 h`, `5 days`: how long something takes or took, roughly."""
    for unit, name in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
