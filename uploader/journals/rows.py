"""Entries as rows of a table, and back.

Rule: what is not a number or a text of its own is JSON; a session's secrets are sealed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from uploader.journal import Entry, PartRecord, State
from uploader.journals.rules import json_of
from uploader.model import Plan, Session
from uploader.secret import Secret

_NAMES: Final = (
    "upload_id",
    "identity",
    "transport",
    "account",
    "key",
    "name",
    "source",
    "fingerprint",
    "digest",
    "content_type",
    "destination",
    "size",
    "part_size",
    "parts",
    "session",
    "sealed",
    "session_created",
    "reference",
    "state",
    "confirmed",
    "location",
    "fields",
    "error",
    "created",
    "updated",
    "not_before",
    "not_after",
    "runs",
)
COLUMNS: Final = ", ".join(_NAMES)


def row_of(
    facts: Mapping[str, Any], seal: Callable[[Mapping[str, Secret]], bytes]
) -> dict[str, Any]:
    """Return the columns of some fields of an entry."""
    row: dict[str, Any] = {}
    for name, value in facts.items():
        match name:
            case "holder":
                pass
            case "plan":
                row.update(size=value.size, part_size=value.part_size, parts=value.count)
            case "session" if value is None:
                row.update(session=None, sealed=None, session_created=None)
            case "session":
                row.update(
                    session=json_of(value.fields),
                    sealed=seal(value.secrets).decode() if value.secrets else None,
                    session_created=value.created_at,
                )
            case "state":
                row[name] = str(State(value))
            case "destination" | "fields":
                row[name] = json_of(value)
            case "error":
                row[name] = None if value is None else json_of(value)
            case _:
                row[name] = stored(value)
    return row


def entry_of(row: Sequence[Any], unseal: Callable[[bytes], Mapping[str, Secret]]) -> Entry:
    """Return the entry of a row in the order of COLUMNS; raise `ValueError` for a broken one."""
    facts = dict(zip(_NAMES, map(shown, row), strict=True))
    plan = Plan(facts.pop("size"), facts.pop("part_size"), facts.pop("parts"))
    session, created_at = facts.pop("session"), facts.pop("session_created")
    sealed = facts.pop("sealed")
    opened = None
    if session is not None:
        opened = Session(json.loads(session), unseal(sealed.encode()) if sealed else {}, created_at)
    facts["state"] = State(facts["state"])
    for name in ("destination", "fields"):
        facts[name] = json.loads(facts[name])
    facts["error"] = json.loads(facts["error"]) if facts["error"] is not None else None
    return Entry(plan=plan, session=opened, **facts)


def part_of(row: Sequence[Any]) -> PartRecord:
    """Return the part of a row: number, digest, receipt."""
    part, digest, receipt = row
    return PartRecord(part, digest, json.loads(receipt))


def stored(value: Any) -> Any:
    """Return a value as SQLite takes it."""
    # A file's name may hold bytes that are no text; Python reads them as lone surrogates, which
    # SQLite takes for no text either.
    if isinstance(value, str) and not value.isascii():
        data = value.encode(errors="surrogatepass")
        try:
            data.decode()
        except UnicodeDecodeError:
            return data
    return value


def shown(value: Any) -> Any:
    """Return a value that was `stored`."""
    return value.decode(errors="surrogatepass") if isinstance(value, bytes) else value
