"""Pieces of pages: badges, bars, spans of time, facts by name.

Rule: every text of others is escaped; no inline style, so that a strict content policy holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from uploader.cli.screen import plain
from uploader.cli.sizes import show_size
from uploader.cli.times import show_span
from uploader.journal import State

TONES: Final[Mapping[str, str]] = {
    State.DONE: "good",
    State.PROCESSING: "busy",
    State.SENDING: "busy",
    State.OPENING: "busy",
    State.COMMITTING: "warn",
    State.UNKNOWN: "warn",
    State.FAILED: "bad",
    State.CANCELLED: "calm",
    State.QUEUED: "calm",
    "active": "good",
    "revoked": "bad",
    "paused": "warn",
}
NOTHING: Final = "-"


def badge(word: str, note: str = "") -> SafeString:
    """Return a state as a coloured word, with a note beside it."""
    made = format_html('<span class="up-badge up-{}">{}</span>', TONES.get(word, "calm"), word)
    return format_html('{} <span class="up-note">{}</span>', made, note) if note else made


def bar(confirmed: int, size: int) -> SafeString:
    """Return how much of a file is confirmed."""
    return format_html(
        '<progress class="up-bar" max="{}" value="{}"></progress>'
        '<span class="up-note">{} of {}</span>',
        size,
        confirmed,
        show_size(confirmed),
        show_size(size),
    )


def ago(moment: float | None) -> SafeString | str:
    """Return how long ago something was, or in how long it will be, with the time as its title."""
    if moment is None:
        return NOTHING
    seconds = time.time() - moment
    words = f"{show_span(seconds)} ago" if seconds >= 0 else f"in {show_span(-seconds)}"
    return format_html('<span title="{}">{}</span>', clock(moment), words)


def age(created: float, updated: float) -> SafeString:
    """Return how old something is, with its times as the title."""
    span = show_span(max(0.0, time.time() - created))
    title = f"recorded {clock(created)}, changed {clock(updated)}"
    return format_html('<span title="{}">{}</span>', title, span)


def clock(moment: float) -> str:
    """Return a time in the site's zone."""
    from datetime import UTC, datetime

    from django.utils.formats import date_format
    from django.utils.timezone import localtime

    return date_format(localtime(datetime.fromtimestamp(moment, UTC)), "Y-m-d H:i:s T")


def text(value: object) -> str:
    """Return somebody's text without control characters."""
    return plain(value)


def facts(values: Mapping[str, Any]) -> SafeString | str:
    """Return public facts by name, one a line."""
    rows = [(name, text(value)) for name, value in values.items() if value not in (None, "", [])]
    if not rows:
        return NOTHING
    return format_html_join(
        "", '<div><span class="up-note">{}</span> {}</div>', ((name, value) for name, value in rows)
    )


def address(location: str | None) -> SafeString | str:
    """Return where an upload is, as a link where it can be opened."""
    if not location:
        return NOTHING
    if location.startswith(("https://", "http://")):
        return format_html('<a href="{}" rel="noreferrer">{}</a>', location, location)
    return text(location)
