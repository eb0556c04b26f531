"""What may go from a journal in SQLite, and what a restored backup makes uncertain.

Rule: an entry that could prevent a second post stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from uploader.journal import RESTORED
from uploader.journals import rules

_OLD: Final = "updated < ? AND lease_until <= ?"
_DEAD: Final = f"state IN ('failed', 'cancelled') AND {_OLD}"
_DONE: Final = (
    f"state = 'done' AND {_OLD} AND (session IS NOT NULL OR source IS NOT NULL OR EXISTS"  # noqa: S608
    " (SELECT 1 FROM parts WHERE parts.upload_id = uploads.upload_id AND receipt <> '{}'))"
)
_SLIM: Final = "session = NULL, sealed = NULL, session_created = NULL, source = NULL"


def prunable(db: sqlite3.Connection, older_than: float, *, now: float) -> list[str]:
    """Return the ids of what is old enough and has something to lose."""
    return [
        row[0]
        for where in (_DEAD, _DONE)
        for row in db.execute(f"SELECT upload_id FROM uploads WHERE {where}", (older_than, now))  # noqa: S608
    ]


def prune(db: sqlite3.Connection, ids: Sequence[str], older_than: float, *, now: float) -> int:
    """Prune those of some uploads that still may be; return how many.

    Of what is DONE the row stays, with the digests of its parts: they prevent a second post.
    """
    keys = [(upload_id, older_than, now) for upload_id in ids]
    dead = db.executemany(f"DELETE FROM uploads WHERE upload_id = ? AND {_DEAD}", keys).rowcount  # noqa: S608
    done = db.executemany(
        f"UPDATE uploads SET {_SLIM} WHERE upload_id = ? AND {_DONE}",  # noqa: S608
        keys,
    ).rowcount
    db.executemany(
        "UPDATE parts SET receipt = '{}' WHERE upload_id = ? AND receipt <> '{}'"
        " AND EXISTS (SELECT 1 FROM uploads WHERE upload_id = parts.upload_id AND state = 'done')",
        [(upload_id,) for upload_id in ids],
    )
    return dead + done


def restore(db: sqlite3.Connection, since: float, *, now: float) -> int:
    """Void all leases and make UNKNOWN what may have gone on since a moment."""
    db.execute(
        "UPDATE uploads SET fence = fence + 1, lease_holder = NULL, lease_owner = NULL,"
        " lease_until = 0 WHERE lease_holder IS NOT NULL"
    )
    return db.execute(
        "UPDATE uploads SET state = 'unknown', error = ?, updated = ? WHERE state <> 'done'"
        " AND (state NOT IN ('failed', 'cancelled') OR updated >= ?)",
        (rules.json_of(RESTORED), now, since),
    ).rowcount
