"""Which notices came before, and which wait for the upload that they tell of.

Rule: a notice is remembered in one step with the question whether it is new. Of one that is settled
only a digest stays; after `KEEP` seconds nothing does.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final, Protocol

from transports.tiktok.webhooks.notices import WebhookEvent
from uploader.errors import JournalError
from uploader.journals.filesystem import refuse_network

KEEP: Final = 7 * 86_400.0
"""Seconds. TikTok repeats for 72 hours; a publish_id is written within the hour of its upload."""
BUSY: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS notices (
    key TEXT PRIMARY KEY,
    came REAL NOT NULL,
    waiting TEXT
) WITHOUT ROWID
"""


class Inbox(Protocol):
    """Where notices wait. Thread-safe; one that processes share is safe between them, too."""

    def add(self, event: WebhookEvent) -> bool:
        """Keep a notice, unless it came before; tell whether it is new."""
        ...

    def waiting(self) -> Sequence[WebhookEvent]:
        """Return what is not settled, the oldest first."""
        ...

    def settle(self, event: WebhookEvent) -> None:
        """Let go of what a notice says, and remember that it came."""
        ...


class MemoryInbox:
    """Keep notices as long as the process lives."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, WebhookEvent | None]] = {}

    def add(self, event: WebhookEvent) -> bool:
        with self._lock:
            now = self._clock()
            for key in [key for key, (came, _) in self._kept.items() if came < now - KEEP]:
                del self._kept[key]
            if event.key in self._kept:
                return False
            self._kept[event.key] = (now, event)
            return True

    def waiting(self) -> Sequence[WebhookEvent]:
        with self._lock:
            return [event for _, event in self._kept.values() if event is not None]

    def settle(self, event: WebhookEvent) -> None:
        with self._lock:
            if event.key in self._kept:
                self._kept[event.key] = (self._kept[event.key][0], None)


class FileInbox:
    """Keep notices in a SQLite file of mode 0600, for the processes of one machine."""

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self._clock = clock
        refuse_network(self.path.parent)
        with self._opened() as db:
            db.execute(_SCHEMA)

    def add(self, event: WebhookEvent) -> bool:
        with self._opened() as db:
            now = self._clock()
            db.execute("DELETE FROM notices WHERE came < ?", (now - KEEP,))
            added = db.execute(
                "INSERT OR IGNORE INTO notices (key, came, waiting) VALUES (?, ?, ?)",
                (event.key, now, json.dumps(asdict(event))),
            )
            return added.rowcount > 0

    def waiting(self) -> Sequence[WebhookEvent]:
        with self._opened() as db:
            rows = db.execute(
                "SELECT waiting FROM notices WHERE waiting IS NOT NULL ORDER BY came, key"
            ).fetchall()
        return [WebhookEvent(**json.loads(row[0])) for row in rows]

    def settle(self, event: WebhookEvent) -> None:
        with self._opened() as db:
            db.execute("UPDATE notices SET waiting = NULL WHERE key = ?", (event.key,))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file anew for each step: a forked child inherits nothing."""
        failed: sqlite3.Error | OSError
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            with closing(sqlite3.connect(self.path, timeout=BUSY)) as db:
                db.execute("PRAGMA secure_delete = ON")
                with db:
                    yield db
            return
        except (sqlite3.Error, OSError) as error:
            failed = error
        raise JournalError(f"the inbox {self.path}: {failed}")
