"""Journals: in memory, and in one SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uploader.journals.memory import MemoryJournal
from uploader.journals.place import default_path

if TYPE_CHECKING:
    from uploader.journals.sqlite import SqliteJournal

__all__ = ["MemoryJournal", "SqliteJournal", "default_path"]


def __getattr__(name: str) -> Any:
    # sqlite3 and cryptography load when they are first needed.
    if name == "SqliteJournal":
        from uploader.journals.sqlite import SqliteJournal

        return SqliteJournal
    raise AttributeError(name)
