"""Journals: in memory, and in one SQLite file."""

from uploader.journals.memory import MemoryJournal

__all__ = ["MemoryJournal"]
