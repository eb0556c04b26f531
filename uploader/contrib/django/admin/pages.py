"""What the pages tell of an upload, in the words of the command.

Rule: facts of the journal only; no secret is among them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from uploader.cli.entries import confirmed_bytes, limits_of, reference
from uploader.cli.explain import meaning_of
from uploader.cli.sizes import show_size
from uploader.cli.states import Meaning, meaning
from uploader.cli.times import show_span
from uploader.contrib.django.admin import shown
from uploader.contrib.django.models import Upload
from uploader.journal import ENDED, PAUSABLE, Entry, Journal, PartRecord, Pause, State
from uploader.model import Plan

SHOWN_PARTS: Final = 100
"""Parts on a page: the last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong and what helps, with the recorded sentence and code."""

    says: str
    advice: str = ""
    message: str = ""
    code: str = ""
    over: bool = True
    """Whether the upload has ended by it."""


def trouble_of(transport: str, error: Mapping[str, Any] | None, state: str) -> Trouble | None:
    """Return an upload's recorded error in plain words, `None` where nothing is wrong."""
    if not error or state == State.DONE:
        return None
    message = shown.text(error.get("message", ""))
    code = str(error.get("vendor_code") or error.get("code") or "")
    hints = "; ".join(map(shown.text, error.get("hints", ())))
    found = meaning_of(transport, error)
    over = state in ENDED
    if found is None:
        return Trouble(says=message or code, advice=hints, code=code, over=over)
    says, advice = found.sentences
    if code in message:
        code = ""
    return Trouble(says=says, advice=advice, message=message, code=code, over=over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the list, beyond the table's columns."""

    note: str
    confirmed: int
    trouble: Trouble | None


def line(row: Upload, pauses: Sequence[Pause]) -> Line:
    """Return what the list tells of a row; no query is made."""
    now = time.time()
    error = json.loads(row.error) if row.error else None
    whole = row.state in (State.PROCESSING, State.DONE) or row.confirmed >= row.part_count
    holder = row.lease_holder if row.lease_holder and row.lease_until > now else None
    return Line(
        note=_note(row.state, row.transport, row.account, row.not_before, holder, pauses, now),
        confirmed=row.size if whole else row.confirmed * row.part_size,
        trouble=trouble_of(row.transport, error, row.state),
    )


def _note(
    state: str,
    transport: str,
    account: str | None,
    not_before: float | None,
    holder: str | None,
    pauses: Sequence[Pause],
    now: float,
) -> str:
    if holder is not None:
        return f"driven by {shown.text(holder)}"
    if state in ENDED:
        return ""
    if state in PAUSABLE and any(pause.covers(transport, account) for pause in pauses):
        return "paused"
    if not_before is not None and not_before > now:
        return f"due in {show_span(not_before - now)}"
    return "interrupted" if state in (State.OPENING, State.SENDING, State.COMMITTING) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One upload's page."""

    entry: Entry
    meaning: Meaning
    note: str
    trouble: Trouble | None
    confirmed: int
    facts: Mapping[str, Any]
    told: Mapping[str, Any]
    """What the destination said of the result."""
    parts: Sequence[Mapping[str, Any]]
    hidden_parts: int


def page(entry: Entry, journal: Journal) -> Page:
    """Return all that is told of an upload."""
    now = time.time()
    means = meaning(entry, limits_of(entry), now)
    trouble = trouble_of(entry.transport, entry.error, entry.state)
    if trouble is not None and trouble.says in means.says:  # nobody is told a thing twice
        trouble = replace(trouble, says=trouble.message, advice="", message="")
    records = journal.parts(entry.upload_id)
    return Page(
        entry=entry,
        meaning=means,
        note=_note(
            entry.state,
            entry.transport,
            entry.account,
            entry.not_before,
            entry.holder,
            journal.pauses(),
            now,
        ),
        trouble=trouble,
        confirmed=confirmed_bytes(entry),
        facts=dict(_facts(entry)),
        told={name: shown.text(value) for name, value in entry.fields.items() if value != ""},
        parts=[_part(entry, each) for each in records[-SHOWN_PARTS:]],
        hidden_parts=max(0, len(records) - SHOWN_PARTS),
    )


def summary(entry: Entry) -> Mapping[str, str]:
    """Return by what a person recognises an upload, on a page that asks."""
    title = entry.destination.get("title")
    return {
        "file": shown.text(entry.name) or "(a stream)",
        "account": shown.text(entry.account) if entry.account is not None else shown.NOTHING,
        "to": entry.transport,
        "title": shown.text(title) if title else shown.NOTHING,
        "found": shown.text(reference(entry)) or shown.NOTHING,
    }


def _facts(entry: Entry) -> Iterator[tuple[str, Any]]:
    plan = entry.plan
    yield "id", entry.upload_id
    yield "destination", entry.transport
    yield "account", shown.text(entry.account) if entry.account is not None else shown.NOTHING
    for name, value in entry.destination.items():
        if name not in ("account", "limits") and value not in (None, "", False):
            yield name.replace("_", " "), shown.text(value)
    yield "file", shown.text(entry.source or entry.name)
    yield "size", f"{plan.size:,} bytes in {_parts(plan)}"
    if entry.key is not None:
        yield "key", shown.text(entry.key)
    if entry.reference:
        yield "reference", shown.text(entry.reference)
    if entry.location:
        yield "location", shown.address(entry.location)
    yield "runs", str(entry.runs)
    yield "driven by", shown.text(entry.holder) if entry.holder else "nobody"


def _parts(plan: Plan) -> str:
    if plan.count == 1:
        return "one part"
    return f"{plan.count:,} parts of {show_size(plan.part_size)}"


def times(entry: Entry) -> Iterator[tuple[float, str]]:
    """Tell what happened when, as far as the journal knows; what is to come too."""
    yield entry.created, "recorded"
    if entry.session is not None and entry.session.created_at is not None:
        yield entry.session.created_at, "opened at the destination"
    yield entry.updated, f"last change: {entry.state}"
    if entry.not_before is not None:
        yield entry.not_before, "not before"
    if entry.not_after is not None:
        yield entry.not_after, "not after"


def _part(entry: Entry, record: PartRecord) -> Mapping[str, Any]:
    part = entry.plan.part(record.index) if record.index < entry.plan.count else None
    return {
        "number": record.index + 1,
        "start": f"{part.start:,}" if part else shown.NOTHING,
        "length": show_size(part.length) if part else shown.NOTHING,
        "digest": record.digest or shown.NOTHING,
        "receipt": shown.facts(record.receipt),
    }
