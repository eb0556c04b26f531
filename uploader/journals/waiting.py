"""Which uploads in SQLite wait to be driven.

Rule: readings alone, along the index of states; whether somebody drives one the caller tells.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from uploader.journal import PAUSABLE, State
from uploader.journals import pausing

IsFree: TypeAlias = Callable[[Sequence[Any]], bool]
"""Of a row's lease_owner, lease_holder and lease_until: does nobody drive it?"""
_APART: Final = f"AND NOT {pausing.HELD}"
_TRIED: Final = f"AND {pausing.COVERED} AND NOT {pausing.HELD}"


def due(
    db: sqlite3.Connection, moment: float, limit: int, is_free: IsFree, states: Collection[State]
) -> list[str]:
    """Return the ids of what is due at a moment, of some states, what changed longest ago first."""
    found: list[tuple[bool, float, str]] = []
    for state in states:
        apart = (_APART, moment, None) if state in PAUSABLE else ("",)
        waiting = islice(_waiting(db, state, moment, is_free, *apart), limit)
        found += [(state is State.UNKNOWN, *each) for each in waiting]
    for pause in pausing.trials(db, moment):
        tried = [
            each
            for state in PAUSABLE.intersection(states)
            for each in islice(
                _waiting(db, state, moment, is_free, _TRIED, pause, moment, pause), 1
            )
        ]
        found += [(False, *each) for each in sorted(tried)[:1]]
    return [upload_id for *_, upload_id in sorted(found)[:limit]]


def _waiting(
    db: sqlite3.Connection,
    state: State,
    moment: float,
    is_free: IsFree,
    condition: str,
    *values: Any,
) -> Iterator[tuple[float, str]]:
    rows = db.execute(
        "SELECT updated, upload_id, lease_owner, lease_holder, lease_until FROM uploads"  # noqa: S608
        f" WHERE state = ? AND coalesce(not_before, 0) <= ? {condition}"
        " ORDER BY updated, rowid",
        (str(state), moment, *values),
    )
    for updated, upload_id, *lease in rows:
        if is_free(lease):
            yield updated, upload_id
