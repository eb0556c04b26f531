"""Both journals pass the suite that third parties hold theirs to."""

from uploader.journal import Journal
from uploader.journals import MemoryJournal, SqliteJournal
from uploader.testing.journals import JournalContract, SharedJournalContract


class TestMemoryJournal(JournalContract):
    """Without a disk."""

    def make(self) -> Journal:
        return MemoryJournal(clock=self.clock)


class TestSqliteJournal(SharedJournalContract):
    """In one file, opened as often as a test wants."""

    def make(self) -> Journal:
        return SqliteJournal(self.folder / "uploads.db", clock=self.clock)
