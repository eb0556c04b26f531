"""What the disk gets, and what happens when it takes no more."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.journals.children import children
from tests.journals.uploads import claimed, upload
from uploader.errors import JournalError
from uploader.journal import PartRecord, State
from uploader.journals import SqliteJournal
from uploader.journals.database import Database

FULL, NORMAL = 2, 1


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect how each transaction is synced: SQLite's own word at its commit."""
    levels: list[int] = []
    transaction = Database.transaction

    @contextmanager
    def watched(self: Database, **how: Any) -> Iterator[sqlite3.Connection]:
        with transaction(self, **how) as db:
            yield db
            levels.append(db.execute("PRAGMA synchronous").fetchone()[0])

    monkeypatch.setattr(Database, "transaction", watched)
    return levels


def test_what_could_post_twice_is_on_the_disk_before_the_call_returns(
    tmp_path: Path, synced: list[int]
) -> None:
    """New entries, durable saves, what is forgotten or made unknown; the rest costs no sync.

    FULL syncs the log at each commit, NORMAL when it is copied into the file:
    https://www.sqlite.org/pragma.html#pragma_synchronous
    """
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        synced.clear()
        lease = claimed(journal, upload("one"))
        journal.add(upload("two"))
        journal.save(lease, {"state": State.OPENING}, durable=True)
        journal.save(lease, {"state": State.SENDING}, part=PartRecord(0, "a"), durable=True)
        journal.forget("two")
        journal.restored(0.0)
        durable = synced.copy()
        synced.clear()
        lease = journal.take("one", 1000)[1]
        journal.save(lease, {"confirmed": 1})
        journal.renew(lease)
        journal.release(lease)

        with journal._base.reading() as db:
            assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert durable == [FULL] * 6
    assert synced == [NORMAL] * 4


def test_a_full_disk_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    """What was recorded stays, and recording goes on when there is room again."""
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        lease = claimed(journal, upload("one"))
        limit_pages(journal, 0)
        with pytest.raises(JournalError, match="full"):
            fill(journal)
        recorded = len(journal.latest(1000))
        with pytest.raises(JournalError, match="full"):
            journal.save(lease, {"fields": {"text": "x" * 100_000}}, part=PartRecord(0, "a"))

        assert journal.parts("one") == []
        assert len(journal.latest(1000)) == recorded
        limit_pages(journal, 1000)
        journal.save(lease, {"state": State.DONE}, durable=True)
        assert journal.check() == []


def fill(journal: SqliteJournal) -> None:
    """Record uploads until there is no room."""
    for number in range(1000):
        journal.add(upload(f"more {number}", name="x" * 500))


def limit_pages(journal: SqliteJournal, more: int) -> None:
    """Let the file grow by so many pages only."""
    with journal._base.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + more}")


def test_a_log_that_cannot_grow_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    """A quota or a limit of the process: every record that was confirmed is there afterwards."""
    path = tmp_path / "uploads.db"
    program = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = SqliteJournal(hear())
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
count = 0
try:
    while True:
        journal.add(upload(f"{count:06}", f"{count}"))
        count += 1
except JournalError as error:
    say([count, str(error), len(journal.latest(10_000))])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.add(upload("after", "after"))
say("added")
hear()
"""
    with children(program) as (writer,):
        writer.say(str(path))
        count, text, listed = writer.hear()
        assert writer.hear() == "added"
        writer.kill()

    assert count == listed > 10
    assert "failed" in text
    with closing(SqliteJournal(path)) as journal:
        assert len(journal.latest(10_000)) == count + 1
        assert journal.check() == []


def test_a_journal_that_stays_locked_is_an_error(tmp_path: Path) -> None:
    """It waits its time, says how long, and works on when the lock is gone."""
    path = tmp_path / "uploads.db"
    with closing(SqliteJournal(path, timeout=0.01)) as journal:
        lease = claimed(journal, upload("one"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for write in (
                lambda: journal.add(upload("two")),
                lambda: journal.save(lease, {"confirmed": 1}, durable=True),
            ):
                with pytest.raises(JournalError, match=r"locked .* more than 0\.01 seconds"):
                    write()
            assert len(journal.latest()) == 1
            other.execute("ROLLBACK")

        journal.save(lease, {"confirmed": 1})
        entry = journal.get("one")
        assert entry is not None
        assert entry.confirmed == 1


def test_a_journal_that_is_locked_while_it_is_made_is_an_error(tmp_path: Path) -> None:
    """SQLite itself does not wait there."""
    path = tmp_path / "uploads.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(JournalError, match="locked"):
            SqliteJournal(path, timeout=0.02)

        other.execute("ROLLBACK")
    SqliteJournal(path).close()


def test_what_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """A lock file that is a folder stands for every mode and mount that forbids it."""
    (tmp_path / "uploads.db.owners").mkdir()

    with pytest.raises(JournalError, match=r"uploads\.db\.owners"):
        SqliteJournal(tmp_path / "uploads.db")


def test_parts_in_quick_succession_leave_the_time_of_the_entry(tmp_path: Path) -> None:
    """An index follows `updated`: it moves with each other change, and once a second with parts."""
    now = [100.0]
    with closing(SqliteJournal(tmp_path / "uploads.db", clock=lambda: now[0])) as journal:
        lease = claimed(journal, upload("one"))

        def saved(seconds: float, part: int, **changes: Any) -> float:
            now[0] += seconds
            journal.save(lease, changes, part=PartRecord(part, None))
            entry = journal.get("one")
            assert entry is not None
            assert len(journal.parts("one")) == part + 1
            return entry.updated

        assert saved(5.0, 0, confirmed=1) == 105.0
        assert saved(0.5, 1, confirmed=2) == 105.0
        assert saved(0.1, 2) == pytest.approx(105.6)
        assert saved(0.1, 3, state=State.COMMITTING) == pytest.approx(105.7)
        assert saved(0.9, 4, confirmed=5) == pytest.approx(105.7)
        assert saved(0.1, 5, confirmed=6) == pytest.approx(106.7)
        assert saved(-50.0, 6, confirmed=7) == pytest.approx(56.7)
