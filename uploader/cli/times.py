"""Times as people write them, and as they read them.

Rule: pure; seconds since the epoch in the program, the machine's own zone on the screen, UTC for
machines.
"""

from __future__ import annotations

from datetime import UTC, datetime

from uploader.quantities import parse_duration

__all__ = ["iso", "parse_duration", "parse_moment", "show_moment", "show_span"]


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
