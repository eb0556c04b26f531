"""A journal in one SQLite file, for many processes of one machine.

Rule: WAL; each operation is one transaction; records whose loss could post twice are synced to the
disk before the call returns. A file that is damaged, of a newer version, of another environment or
on a network file system is refused and left as it is.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from uploader.errors import ConfigurationError, JournalError
from uploader.journal import ENDED, Claim, Entry, Lease, PartRecord, State
from uploader.journals import rules
from uploader.journals.filesystem import refuse_network
from uploader.journals.owners import Owners
from uploader.journals.rows import COLUMNS, entry_of, row_of
from uploader.journals.schema import MIGRATIONS, VERSION
from uploader.journals.sealing import Sealer
from uploader.secret import Secret

BUSY = 10.0
"""Seconds to wait for another process's transaction."""


class SqliteJournal:
    """Open or make the journal at `path`.

    `keys` seal upload URLs (the first one) and open them (all); without them a key file is made
    beside the journal. `environment` names what the journal belongs to, such as "production": a
    journal that carries another name refuses to open. `clock` returns seconds since the epoch.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keys: Sequence[Secret | str] | None = None,
        environment: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._environment = environment or os.environ.get("UPLOADER_ENVIRONMENT")
        self._lock = threading.RLock()
        self._pid = os.getpid()
        if not self.path.parent.is_dir():
            raise JournalError(f"the folder {self.path.parent} does not exist")
        refuse_network(self.path.parent)
        self._sealer = (
            Sealer(keys)
            if keys is not None
            else Sealer.of_file(self.path.with_name(f"{self.path.name}.key"))
        )
        self._db = self._connect()

    # What the contract asks for.

    def claim(self, entry: Entry, ttl: float, *, again: bool = False) -> Claim:
        with self._transaction(durable=True) as db:
            found = self._by_identity(db, entry.identity)
            if found is not None and rules.stands_in_the_way(found, again=again):
                rules.check_key(found, entry)
                free = rules.may_be_driven(found) and found.holder is None
                lease = self._grant(db, found.upload_id, ttl) if free else None
                return Claim(found, lease, fresh=False)
            stored = self._insert(db, entry)
            return Claim(stored, self._grant(db, entry.upload_id, ttl), fresh=True)

    def add(self, entry: Entry) -> Entry:
        with self._transaction(durable=True) as db:
            found = self._by_identity(db, entry.identity)
            if found is not None and rules.stands_in_the_way(found, again=False):
                rules.check_key(found, entry)
                return found
            return self._insert(db, entry)

    def take(self, upload_id: str, ttl: float) -> tuple[Entry, Lease]:
        with self._transaction() as db:
            entry = self._one(db, upload_id)
            if entry.holder is not None:
                raise rules.held(entry, entry.holder)
            return entry, self._grant(db, upload_id, ttl)

    def renew(self, lease: Lease) -> None:
        with self._transaction() as db:
            self._changed(
                db.execute(
                    "UPDATE uploads SET lease_until = ?"
                    " WHERE upload_id = ? AND fence = ? AND lease_until > ?",
                    (self._clock() + lease.ttl, lease.upload_id, lease.fence, self._clock()),
                ),
                lease.upload_id,
            )

    def release(self, lease: Lease) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE uploads SET lease_until = 0 WHERE upload_id = ? AND fence = ?",
                (lease.upload_id, lease.fence),
            )

    def save(
        self,
        lease: Lease,
        changes: Mapping[str, Any],
        *,
        part: PartRecord | None = None,
        durable: bool = False,
    ) -> None:
        now = self._clock()
        columns = {**row_of(changes, self._sealer.seal), "updated": now}
        names = ", ".join(f"{name} = ?" for name in columns)
        with self._transaction(durable=durable) as db:
            self._changed(
                db.execute(
                    f"UPDATE uploads SET {names}"  # noqa: S608 - the names are our own columns
                    " WHERE upload_id = ? AND fence = ? AND lease_until > ?",
                    (*columns.values(), lease.upload_id, lease.fence, now),
                ),
                lease.upload_id,
            )
            if part is not None:
                db.execute(
                    "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)",
                    (lease.upload_id, part.index, part.digest, json.dumps(dict(part.receipt))),
                )

    def get(self, upload_id: str) -> Entry | None:
        with self._reading() as db:
            rows = self._select(db, "WHERE upload_id = ?", upload_id)
            return rows[0] if rows else None

    def parts(self, upload_id: str) -> Sequence[PartRecord]:
        with self._reading() as db:
            rows = db.execute(
                "SELECT part, digest, receipt FROM parts WHERE upload_id = ? ORDER BY part",
                (upload_id,),
            )
            return [PartRecord(part, digest, json.loads(text)) for part, digest, text in rows]

    def latest(self, limit: int = 100, *, states: Iterable[State] | None = None) -> Sequence[Entry]:
        wanted = [str(state) for state in (states if states is not None else State)]
        where = f"WHERE state IN ({', '.join('?' * len(wanted))})" if states is not None else ""
        with self._reading() as db:
            return self._select(
                db,
                f"{where} ORDER BY updated DESC LIMIT ?",
                *(wanted if where else ()),
                limit,
            )

    def due(self, now: float | None = None, limit: int = 1000) -> Sequence[str]:
        moment = self._clock() if now is None else now
        waiting = [str(state) for state in State if state not in ENDED]
        with self._reading() as db:
            found = self._select(
                db,
                f"WHERE state IN ({', '.join('?' * len(waiting))})"
                " AND coalesce(not_before, 0) <= ? ORDER BY updated LIMIT ?",
                *waiting,
                moment,
                limit,
            )
            return [entry.upload_id for entry in found if entry.holder is None]

    def stand_in(self, text: bytes) -> str:
        return self._sealer.stand_in(text)

    def forget(self, upload_id: str) -> None:
        with self._transaction(durable=True) as db:
            entry = self._one(db, upload_id)
            if entry.holder is not None:
                raise rules.held(entry, entry.holder)
            db.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))

    def close(self) -> None:
        # In a forked child the inherited connection is abandoned: closing it could drop the
        # parent's locks.
        if os.getpid() == self._pid:
            with self._lock, suppress(sqlite3.Error):
                self._db.close()

    # How it is done.

    def _connect(self) -> sqlite3.Connection:
        with self._naming_errors():
            db = sqlite3.connect(
                self.path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            self._owners = Owners.of(self.path.with_name(f"{self.path.name}.owners"))
            return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        # The version is read before anything is written, so that what is refused stays untouched.
        version = db.execute("PRAGMA user_version").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version > VERSION:
            raise JournalError(
                f"{self.path} has schema version {version}, this release knows {VERSION}"
            ).hint("use the newer release, or another journal")
        if version == 0 and tables:
            raise JournalError(f"{self.path} is an SQLite file, but no journal of uploads")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = NORMAL")
        if version < VERSION:
            self._migrate(db)
        self._check_environment(db)

    def _migrate(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            for script in MIGRATIONS[version:]:
                for statement in script.split(";\n"):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def _check_environment(self, db: sqlite3.Connection) -> None:
        row = db.execute("SELECT value FROM meta WHERE name = 'environment'").fetchone()
        if row is None:
            if self._environment is not None:
                db.execute("INSERT INTO meta VALUES ('environment', ?)", (self._environment,))
            return
        if self._environment is not None and row[0] != self._environment:
            raise ConfigurationError(
                f"the journal {self.path} belongs to the environment {row[0]!r},"
                f" this is {self._environment!r}"
            ).hint("a copy of production would post again what production has posted")

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock, self._naming_errors():
            db = self._mine()
            if durable:
                # In WAL mode NORMAL syncs at checkpoints only, FULL at each commit.
                db.execute("PRAGMA synchronous = FULL")
            try:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
            finally:
                if durable:
                    db.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._naming_errors():
            yield self._mine()

    def _mine(self) -> sqlite3.Connection:
        """Return the connection, a new one in a forked child."""
        if os.getpid() != self._pid:
            self._pid = os.getpid()
            self._db = self._connect()
        return self._db

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
            return
        except sqlite3.Error as error:
            text = str(error)
            damaged = "malformed" in text or "not a database" in text
            failure = JournalError(
                f"the journal {self.path} {'is damaged' if damaged else 'failed'}: {text}"
            )
        if damaged:
            failure.add_note("it was left as it is: restore it from a backup, or name another one")
        raise failure

    def _select(self, db: sqlite3.Connection, where: str, *values: Any) -> list[Entry]:
        cursor = db.execute(
            f"SELECT {COLUMNS}, lease_owner, lease_holder, lease_until FROM uploads {where}",  # noqa: S608
            values,
        )
        now = self._clock()
        return [
            replace(entry_of(row[:-3], self._sealer.open), holder=self._holder(*row[-3:], now=now))
            for row in cursor
        ]

    def _holder(
        self, owner: int | None, holder: str | None, until: float, *, now: float
    ) -> str | None:
        if until <= now or (owner is not None and self._owners.is_dead(owner)):
            return None
        return holder

    def _one(self, db: sqlite3.Connection, upload_id: str) -> Entry:
        found = self._select(db, "WHERE upload_id = ?", upload_id)
        if not found:
            raise rules.missing(upload_id)
        return found[0]

    def _by_identity(self, db: sqlite3.Connection, identity: str) -> Entry | None:
        found = self._select(db, "WHERE identity = ? ORDER BY created DESC LIMIT 1", identity)
        return found[0] if found else None

    def _insert(self, db: sqlite3.Connection, entry: Entry) -> Entry:
        now = self._clock()
        # Of several entries of one identity the last one made counts: their times must grow.
        before = db.execute(
            "SELECT max(created) FROM uploads WHERE identity = ?", (entry.identity,)
        ).fetchone()[0]
        created = now if before is None else max(now, before + 1e-5)
        stored = replace(entry, created=created, updated=now)
        columns = row_of(
            {
                name: getattr(stored, name)
                for name in Entry.__dataclass_fields__
                if name != "holder"
            },
            self._sealer.seal,
        )
        db.execute(
            f"INSERT INTO uploads ({', '.join(columns)})"  # noqa: S608 - our own columns
            f" VALUES ({', '.join('?' * len(columns))})",
            tuple(columns.values()),
        )
        return stored

    def _grant(self, db: sqlite3.Connection, upload_id: str, ttl: float) -> Lease:
        holder = f"{socket.gethostname()} process {os.getpid()}"
        db.execute(
            "UPDATE uploads SET fence = fence + 1, lease_owner = ?, lease_holder = ?,"
            " lease_until = ?, runs = runs + 1 WHERE upload_id = ?",
            (self._owners.number, holder, self._clock() + ttl, upload_id),
        )
        fence = db.execute("SELECT fence FROM uploads WHERE upload_id = ?", (upload_id,))
        return Lease(upload_id, holder, fence.fetchone()[0], ttl)

    @staticmethod
    def _changed(cursor: sqlite3.Cursor, upload_id: str) -> None:
        if cursor.rowcount != 1:
            raise rules.lost(upload_id)
