"""Questions are answered along an index, however long the journal is."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.journals.uploads import claimed, upload
from uploader.journal import State
from uploader.journals import SqliteJournal

QUESTIONS = {
    "latest": lambda journal: journal.latest(),
    "latest of states": lambda journal: journal.latest(states=[State.DONE, State.FAILED]),
    "due": lambda journal: journal.due(),
    "referred": lambda journal: journal.referred("tiktok", "v_pub~1"),
    "standing": lambda journal: journal.standing("identity of 1"),
    "get": lambda journal: journal.get("1"),
    "find": lambda journal: journal.find("1"),
    "parts": lambda journal: journal.parts("1"),
    "counts": lambda journal: journal.counts(),
    "claim": lambda journal: journal.claim(upload("2"), 1000),
    "add": lambda journal: journal.add(upload("3")),
    "take": lambda journal: journal.take("1", 1000),
    "save": lambda journal: journal.save(claimed(journal, upload("4")), {"confirmed": 1}),
    "forget": lambda journal: journal.forget("1"),
    "prune": lambda journal: journal.prune(10.0),
}
PAUSES = {"SCAN p", "SCAN pauses"}
"""A table of a few rows, if any."""


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_reads_or_sorts_the_whole_table(tmp_path: Path, name: str) -> None:
    """SQLite's own plan for each statement names an index, and no sorting by itself.

    https://www.sqlite.org/eqp.html
    """
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        journal.add(upload("1"))
        statements: list[str] = []
        with journal._base.reading() as db:
            db.set_trace_callback(statements.append)
        QUESTIONS[name](journal)
        with journal._base.reading() as db:
            db.set_trace_callback(None)
            plans = [
                row[3]
                for statement in statements
                if statement.startswith(("SELECT", "UPDATE", "DELETE"))
                for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")
            ]

    assert plans
    for plan in plans:
        assert "TEMP B-TREE" not in plan
        known = any(name in plan for name in ("INDEX", "PRIMARY KEY", "SUBQUERY", "rowid=?"))
        assert known or plan in PAUSES, plan


def test_what_belongs_to_others_is_not_read(tmp_path: Path) -> None:
    """A list of the latest opens no session: a key that is gone does not hide the uploads."""
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        journal.add(upload("1"))
        (entry,) = journal.latest()
        assert entry.session is None
