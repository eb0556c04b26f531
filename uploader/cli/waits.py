"""Tell of waits for limits of accounts, once for each that many uploads wait for.

Rule: a subscriber; it says what it is told, on stderr, beside the bars.
"""

from __future__ import annotations

from uploader import events
from uploader.cli import screen
from uploader.cli.times import show_span

LEAST = 1.0
"""Seconds; nobody minds a shorter wait."""


class Waits:
    """Say how long an account's uploads wait, and not again before that time is over."""

    def __init__(self) -> None:
        self._until: dict[tuple[str | None, str], float] = {}

    def __call__(self, event: events.Event) -> None:
        if not isinstance(event, events.LimitReached) or event.seconds < LEAST:
            return
        about = event.account, event.limit
        if event.time < self._until.get(about, 0.0):
            return
        self._until[about] = event.time + event.seconds
        whose = f"{event.account}: " if event.account is not None else ""
        screen.remark(f"{whose}waiting {show_span(event.seconds)} {_cause(event.limit)}")


def _cause(limit: str) -> str:
    if not limit:
        return "because the destination asked for it"
    return f"for the account's limit of {limit}"
