"""What a journal knows of the uploads that were opened lately, as counts of their accounts.

Rule: blocking, asked once by an engine, before the first upload is opened. What has no account's
name is left out: its token is not in the journal.
"""

from __future__ import annotations

from collections.abc import Iterator

from uploader import registry
from uploader.engine.gate import whose
from uploader.engine.limiting import Opened
from uploader.journal import Entry, Journal, State
from uploader.limits import Rate, RateChanges

MOST = 2000
"""Entries that are looked at, the newest first."""


def opened_lately(journal: Journal, changes: RateChanges, now: float) -> list[Opened]:
    """Return the openings that still count under some rate, the oldest first."""
    found: list[Opened] = []
    limited: dict[str, float] = {}
    for entry in journal.latest(MOST):
        if entry.transport not in limited:
            limited[entry.transport] = _longest(entry.transport, changes)
        longest, moment = limited[entry.transport], _opened(entry)
        if entry.account is None or moment is None or moment + longest <= now:
            continue
        found += _counts(entry, changes, moment, now)
    return sorted(found, key=lambda each: each.moment)


def _opened(entry: Entry) -> float | None:
    """Return when it was opened last, or may have been."""
    if entry.session is not None:
        return entry.session.created_at
    return entry.updated if entry.state in (State.OPENING, State.UNKNOWN) else None


def _longest(transport: str, changes: RateChanges) -> float:
    try:
        declared = registry.load(transport).capabilities.rates
    except Exception:
        return 0.0  # what is not installed opens nothing here
    spans = [rate.window for rate in changes.of(transport, declared) if rate.opens]
    return max(spans, default=0.0)


def _counts(entry: Entry, changes: RateChanges, moment: float, now: float) -> Iterator[Opened]:
    try:
        destination = registry.load(entry.transport).destination(None, entry.destination)
        transport = destination.transport()
    except Exception:
        return  # an entry of another version, which a run will speak of
    account = whose(destination, transport)
    rates: tuple[Rate, ...] = changes.of(transport.name, transport.capabilities.rates)
    for rate in rates:
        if rate.opens and moment + rate.window > now:
            yield Opened(account, rate.name, moment)
