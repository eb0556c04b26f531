"""A journal of an older release, and one that an older release still has open."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journals.children import children
from tests.journals.uploads import claimed, upload
from uploader.journal import Pause, State
from uploader.journals import SqliteJournal
from uploader.journals.schema import MIGRATIONS, VERSION

OLDER = """
from uploader.journals import database, rows, sqlite

database.VERSION, database.MIGRATIONS = 1, database.MIGRATIONS[:1]
rows._NAMES = tuple(name for name in rows._NAMES if name != "reference")
sqlite.COLUMNS = ", ".join(rows._NAMES)
newer = sqlite.row_of
sqlite.row_of = lambda facts, seal: {
    name: value for name, value in newer(facts, seal).items() if name != "reference"
}
journal = SqliteJournal(hear())
lease = journal.claim(upload("1"), 1000).lease
journal.save(lease, {"state": State.SENDING}, part=PartRecord(0, "a"))
say("sending")
hear()
try:
    journal.add(upload("2", "another"))
except JournalError as error:
    say(str(error))
journal.renew(lease)
journal.save(lease, {"confirmed": 2}, part=PartRecord(1, "b"))
journal.save(lease, {"state": State.DONE, "confirmed": 3}, durable=True)
journal.release(lease)
say([journal.get("1").state, journal.get("1").confirmed])
"""
"""A release that knows the first schema alone: its columns, its statements."""


def version_of(path: Path) -> int:
    """Return the schema's version."""
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_an_older_release_ends_what_it_drives(tmp_path: Path) -> None:
    """The newer one opens the journal meanwhile; nothing of what either records is lost."""
    path = tmp_path / "uploads.db"
    with children(OLDER) as (older,):
        older.say(str(path))
        assert older.hear() == "sending"
        assert version_of(path) == 1

        with closing(SqliteJournal(path)) as newer:
            assert version_of(path) == VERSION
            newer.pause(Pause("tiktok", None, "a rule was changed", since=0.0))
            lease = claimed(newer, upload("3", reference="v_pub~3"))
            older.say("the newer one has come")

            assert f"version {VERSION}" in older.hear()
            assert older.hear() == ["done", 3]
            newer.save(lease, {"state": State.DONE})
            entry = newer.get("1")
            assert entry is not None
            assert (entry.state, entry.reference) == (State.DONE, None)
            assert [part.digest for part in newer.parts("1")] == ["a", "b"]
            assert [each.upload_id for each in newer.referred("tiktok", "v_pub~3")] == ["3"]


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_journal_of_any_older_release_is_taken_over(tmp_path: Path, version: int) -> None:
    """With all that it holds; what came later is empty."""
    path = tmp_path / "uploads.db"
    with closing(SqliteJournal(path)) as journal:
        entry = journal.add(upload("1"))
    with closing(sqlite3.connect(path)) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(uploads)")]
        kept = db.execute("SELECT * FROM uploads").fetchone()
        meta = db.execute("SELECT * FROM meta").fetchall()
        for table in ("pauses", "parts", "uploads", "meta"):
            db.execute(f"DROP TABLE {table}")
        for script in MIGRATIONS[:version]:
            db.executescript(script)
        known = {row[1] for row in db.execute("PRAGMA table_info(uploads)")}
        row = {name: value for name, value in zip(columns, kept, strict=True) if name in known}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        db.execute(f"INSERT INTO uploads ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta)
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()

    with closing(SqliteJournal(path)) as journal:
        assert journal.get("1") == replace(entry, reference=None)
        assert list(journal.pauses()) == []
        assert journal.due() == ["1"]
        assert journal.check() == []
    assert version_of(path) == VERSION


def test_a_column_that_came_later_may_be_empty(tmp_path: Path) -> None:
    """Or an older release, which does not name it, could record nothing any more."""
    path = tmp_path / "uploads.db"
    SqliteJournal(path).close()
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(":memory:")) as first:
        first.executescript(MIGRATIONS[0])
        for table in ("meta", "uploads", "parts"):
            question = f"SELECT name, \"notnull\", dflt_value FROM pragma_table_info('{table}')"  # noqa: S608
            old = {row[0] for row in first.execute(question)}
            later = [row for row in db.execute(question) if row[0] not in old]
            assert all(not required or default is not None for _, required, default in later)
            assert old <= {row[0] for row in db.execute(question)}
