"""Pauses in SQLite, and what they hold back.

Rule: statements within the caller's transaction; which pauses stand is asked of the moment given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from uploader.journal import Pause
from uploader.journals.rows import shown, stored

_COLUMNS: Final = "transport, account, reason, since, until, set_by, trial"
_SCOPE: Final = "transport IS ? AND account IS ?"
_COVER: Final = (
    "(p.transport IS NULL OR p.transport = uploads.transport)"
    " AND (p.account IS NULL OR p.account = uploads.account)"
)
HELD: Final = (
    "EXISTS (SELECT 1 FROM pauses p WHERE (p.until IS NULL OR p.until > ?)"  # noqa: S608
    f" AND p.rowid IS NOT ? AND {_COVER})"
)
"""A condition on `uploads`: a pause that stands at a moment covers it, other than one by rowid."""
COVERED: Final = f"EXISTS (SELECT 1 FROM pauses p WHERE p.rowid = ? AND {_COVER})"  # noqa: S608
"""A condition on `uploads`: the pause of a rowid covers it."""


def standing(db: sqlite3.Connection, moment: float) -> Sequence[Pause]:
    """Return the pauses that stand at a moment, the longest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM pauses WHERE until IS NULL OR until > ?"  # noqa: S608
        " ORDER BY since, rowid",
        (moment,),
    )
    return [Pause(*map(shown, row)) for row in rows]


def trials(db: sqlite3.Connection, moment: float) -> list[int]:
    """Return the rowids of the pauses whose trial has come."""
    rows = db.execute(
        "SELECT rowid FROM pauses WHERE trial <= ? AND (until IS NULL OR until > ?)",
        (moment, moment),
    )
    return [row[0] for row in rows]


def put(db: sqlite3.Connection, pause: Pause, *, now: float) -> None:
    """Record a pause, and drop what is over."""
    lift(db, pause.transport, pause.account, by=pause.by, now=now)
    facts = pause.reason, pause.since, pause.until, pause.by, pause.trial
    db.execute(
        f"INSERT INTO pauses ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        tuple(map(stored, (pause.transport, pause.account, *facts))),
    )


def lift(
    db: sqlite3.Connection,
    transport: str | None,
    account: str | None,
    *,
    by: str | None,
    now: float,
) -> int:
    """Remove the pauses of a transport and an account; return how many of them still stood."""
    db.execute("DELETE FROM pauses WHERE until <= ?", (now,))
    return db.execute(
        f"DELETE FROM pauses WHERE {_SCOPE} AND set_by = coalesce(?, set_by)",  # noqa: S608
        (stored(transport), stored(account), stored(by)),
    ).rowcount


def take_trial(db: sqlite3.Connection, pause: Pause, then: float, *, now: float) -> bool:
    """Move a pause's trial, if the pause stands as given."""
    taken = db.execute(
        f"UPDATE pauses SET trial = ? WHERE {_SCOPE} AND set_by = ? AND since = ? AND trial IS ?"  # noqa: S608
        " AND (until IS NULL OR until > ?)",
        (
            then,
            stored(pause.transport),
            stored(pause.account),
            stored(pause.by),
            pause.since,
            pause.trial,
            now,
        ),
    )
    return taken.rowcount == 1
