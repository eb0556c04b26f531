"""Entries and parts as rows of the tables, and back.

Rule: the same forms as in SQLite's journal (`uploader.journals.rows`); only known columns are ever
named, so that a newer release may have added others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from uploader.contrib.django.models import Part, Pause, Upload
from uploader.journal import Entry, PartRecord
from uploader.journal import Pause as PauseRecord
from uploader.journals.rows import COLUMNS, entry_of, row_of
from uploader.secret import Secret

_RENAMED: Final = {"parts": "part_count"}
_NAMES: Final = tuple(_RENAMED.get(name, name) for name in COLUMNS.split(", "))
KNOWN: Final = (*_NAMES, "id", "fence", "lease_owner", "lease_holder", "lease_until")
"""The columns that are read of an upload."""
PAUSE: Final = ("transport", "account", "reason", "since", "until", "by", "trial")


def columns_of(
    facts: Mapping[str, Any], seal: Callable[[Mapping[str, Secret]], bytes]
) -> dict[str, Any]:
    """Return the columns of some fields of an entry."""
    return {_RENAMED.get(name, name): _text(value) for name, value in row_of(facts, seal).items()}


def entry_from(row: Upload, unseal: Callable[[bytes], Mapping[str, Secret]]) -> Entry:
    """Return the entry of a row, without its holder; raise `ValueError` for a broken one."""
    return entry_of([getattr(row, name) for name in _NAMES], unseal)


def facts_of(entry: Entry) -> dict[str, Any]:
    """Return all fields of an entry."""
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


def part_from(row: Part) -> PartRecord:
    """Return the part of a row."""
    return PartRecord(row.number, row.digest, json.loads(row.receipt))


def pause_from(row: Pause) -> PauseRecord:
    """Return the pause of a row."""
    return PauseRecord(**{name: getattr(row, name) for name in PAUSE})


def _text(value: Any) -> Any:
    # SQLite takes bytes for what is no text; our columns write it in a way of their own.
    return value.decode(errors="surrogatepass") if isinstance(value, bytes) else value
