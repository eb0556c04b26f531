"""A journal in one SQLite file, for many processes of one machine.

Rule: WAL; each operation is one transaction; records whose loss could post twice are synced to the
disk before the call returns. A file that is damaged, of a newer version, of another environment or
on a network file system is refused and left as it is.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from uploader.errors import ConfigurationError, JournalError
from uploader.journal import (
    DEAD,
    ENDED,
    Claim,
    Entry,
    Lease,
    PartRecord,
    Pause,
    State,
)
from uploader.journals import keeping, pausing, rules, waiting
from uploader.journals.database import Database
from uploader.journals.filesystem import refuse_network
from uploader.journals.rows import COLUMNS, entry_of, part_of, row_of, stored
from uploader.journals.sealing import Sealed, Sealer, read_keys
from uploader.secret import Secret

BUSY: Final = 10.0
"""Seconds to wait for another process's transaction."""


class SqliteJournal:
    """Open or make the journal at `path`, in a folder that exists.

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
        timeout: float = BUSY,
    ) -> None:
        # A later chdir must not lead a forked child to another file.
        self.path = Path(path).resolve()
        self._clock = clock
        if not self.path.parent.is_dir():
            raise JournalError(f"the folder {self.path.parent} does not exist")
        refuse_network(self.path.parent)
        self._leases: dict[str, Lease] = {}
        self._stamps: dict[str, float] = {}
        self._base = Database(
            self.path,
            timeout=timeout,
            environment=environment or os.environ.get("UPLOADER_ENVIRONMENT") or None,
        )
        try:
            self._sealer = self._find_sealer(keys)
        except BaseException:
            self._base.close()
            raise

    @property
    def environment(self) -> str | None:
        return self._base.environment

    def claim(self, entry: Entry, ttl: float, *, again: bool = False) -> Claim:
        with self._base.transaction(durable=True) as db:
            self._base.refuse_migrated(db)
            found = None if again else self._standing(db, entry.identity)
            if found is not None:
                rules.check_key(found, entry)
                free = rules.may_be_driven(found) and found.holder is None
                lease = self._grant(db, found.upload_id, ttl) if free else None
                return Claim(found, lease, fresh=False)
            stored = self._insert(db, entry)
            return Claim(stored, self._grant(db, entry.upload_id, ttl), fresh=True)

    def add(self, entry: Entry) -> Entry:
        with self._base.transaction(durable=True) as db:
            self._base.refuse_migrated(db)
            found = self._standing(db, entry.identity)
            if found is not None:
                rules.check_key(found, entry)
                return found
            return self._insert(db, entry)

    def take(self, upload_id: str, ttl: float) -> tuple[Entry, Lease]:
        with self._base.transaction() as db:
            self._base.refuse_migrated(db)
            entry = self._free(db, upload_id)
            return entry, self._grant(db, upload_id, ttl)

    def renew(self, lease: Lease) -> None:
        with self._base.transaction() as db:
            self._write(db, lease, {"lease_until": self._clock() + lease.ttl})

    def release(self, lease: Lease) -> None:
        with self._base.transaction() as db:
            db.execute(
                "UPDATE uploads SET lease_holder = NULL, lease_owner = NULL, lease_until = 0"
                " WHERE upload_id = ? AND fence = ? AND lease_owner IS ?",
                (lease.upload_id, lease.fence, self._base.owners.name),
            )
        self._leases.pop(lease.upload_id, None)
        self._stamps.pop(lease.upload_id, None)

    def save(
        self,
        lease: Lease,
        changes: Mapping[str, Any],
        *,
        part: PartRecord | None = None,
        durable: bool = False,
    ) -> None:
        rules.check_changes(changes)
        columns = row_of(changes, self._sealer.seal)
        receipt = rules.json_of(part.receipt) if part is not None else None
        now = self._clock()
        stamp = None if changes.keys() - rules.PROGRESS else self._stamps.get(lease.upload_id)
        if not columns or stamp is None or abs(now - stamp) >= rules.GRAIN:
            columns["updated"] = stamp = now
        with self._base.transaction(durable=durable) as db:
            self._write(db, lease, columns)
            if part is not None:
                db.execute(
                    "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)",
                    (lease.upload_id, part.index, part.digest, receipt),
                )
        self._stamps[lease.upload_id] = stamp

    def get(self, upload_id: str) -> Entry | None:
        with self._reading() as db:
            rows = self._select(db, "WHERE upload_id = ?", upload_id)
            return rows[0] if rows else None

    def standing(self, identity: str) -> Entry | None:
        with self._reading() as db:
            return self._standing(db, identity)

    def find(self, prefix: str, limit: int = 100) -> Sequence[Entry]:
        if not prefix:
            return []
        with self._reading() as db:
            # A range, not LIKE: that would read the whole index, and know wildcards.
            return self._select(
                db,
                "WHERE upload_id >= ? AND upload_id < ? ORDER BY upload_id LIMIT ?",
                prefix,
                f"{prefix}\U0010ffff",
                limit,
            )

    def parts(self, upload_id: str) -> Sequence[PartRecord]:
        with self._reading() as db:
            rows = db.execute(
                "SELECT part, digest, receipt FROM parts WHERE upload_id = ? ORDER BY part",
                (upload_id,),
            )
            return [part_of(row) for row in rows]

    def latest(self, limit: int = 100, *, states: Iterable[State] | None = None) -> Sequence[Entry]:
        # State by state along their index, which is the only one that a save has to keep.
        with self._reading() as db:
            found = [
                row
                for state in frozenset(State if states is None else states)
                for row in db.execute(
                    "SELECT updated, rowid FROM uploads WHERE state = ?"
                    " ORDER BY updated DESC, rowid DESC LIMIT ?",
                    (str(state), limit),
                )
            ]
            return [
                entry
                for _, row in heapq.nlargest(limit, found)
                for entry in self._select(db, "WHERE rowid = ?", row)
            ]

    def due(
        self,
        now: float | None = None,
        limit: int = 1000,
        *,
        states: Iterable[State] | None = None,
    ) -> Sequence[str]:
        clock = self._clock()
        moment = clock if now is None else now
        wanted = frozenset(State if states is None else states) - ENDED

        def is_free(lease: Sequence[Any]) -> bool:
            return self._holder(lease, clock) is None

        with self._reading() as db:
            return waiting.due(db, moment, limit, is_free, wanted)

    def referred(self, transport: str, reference: str) -> Sequence[Entry]:
        with self._reading() as db:
            return self._select(
                db,
                "WHERE transport = ? AND reference = ? ORDER BY rowid DESC",
                stored(transport),
                stored(reference),
            )

    def pause(self, pause: Pause) -> None:
        with self._base.transaction(durable=True) as db:
            pausing.put(db, pause, now=self._clock())

    def unpause(
        self, transport: str | None = None, account: str | None = None, *, by: str | None = None
    ) -> int:
        with self._base.transaction(durable=True) as db:
            return pausing.lift(db, transport, account, by=by, now=self._clock())

    def pauses(self) -> Sequence[Pause]:
        with self._reading() as db:
            return pausing.standing(db, self._clock())

    def take_trial(self, pause: Pause, then: float) -> bool:
        with self._base.transaction(durable=True) as db:
            return pausing.take_trial(db, pause, then, now=self._clock())

    def counts(self) -> Mapping[State, tuple[int, float]]:
        with self._reading() as db:
            rows = db.execute("SELECT state, count(*), min(updated) FROM uploads GROUP BY state")
            found = {state: (count, oldest) for state, count, oldest in rows}
        if found.keys() - set(State):
            raise JournalError(
                f"the journal {self.path} is damaged: {len(found.keys() - set(State))} of its"
                " states cannot be read"
            ).hint("it was left as it is: restore it from a backup")
        now = self._clock()
        return {
            state: (found[state][0], max(0.0, now - found[state][1]))
            if state in found
            else (0, 0.0)
            for state in State
        }

    def stand_in(self, text: bytes) -> str:
        key = self._stand_in.reveal().encode()
        return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]

    def forget(self, upload_id: str) -> None:
        with self._base.transaction(durable=True) as db:
            self._free(db, upload_id)
            db.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))

    def prune(self, older_than: float) -> int:
        with self._reading() as db:
            candidates = keeping.prunable(db, older_than, now=self._clock())
        total = 0
        for start in range(0, len(candidates), rules.BATCH):
            with self._base.transaction() as db:
                total += keeping.prune(
                    db, candidates[start : start + rules.BATCH], older_than, now=self._clock()
                )
        return total

    def restored(self, since: float) -> int:
        with self._base.transaction(durable=True) as db:
            return keeping.restore(db, since, now=self._clock())

    def check(self) -> Sequence[str]:
        """Read the whole file and return what is wrong with it; takes seconds for a large one."""
        return self._base.check()

    def close(self) -> None:
        # Where the kernel's locks do not tell that an owner is gone, its leases are given back.
        with suppress(JournalError):
            for lease in list(self._leases.values()):
                self.release(lease)
        self._base.close()

    # How it is done.

    def _find_sealer(self, keys: Sequence[Secret | str] | None) -> Sealer:
        """Return what opens this journal's secrets, and learn the key of `stand_in` with it.

        That key outlives all others: what it stands in for is part of an upload's identity. It is
        kept in the journal, sealed, and tells by the way whether these are the journal's keys.
        """
        kept = self._kept_stand_in()
        if keys is None:
            path = self.path.with_name(f"{self.path.name}.key")
            keys = read_keys(path, make=kept is None)
        sealer = Sealer(keys)
        if kept is None:
            made = Secret(os.urandom(32).hex())
            with self._base.transaction(durable=True) as db:
                db.execute(
                    "INSERT OR IGNORE INTO meta VALUES ('stand_in', ?)",
                    (sealer.seal({"key": made}).decode(),),
                )
            kept = self._kept_stand_in() or b""
        try:
            self._stand_in = sealer.open(kept)["key"]
        except JournalError as error:
            raise ConfigurationError(f"{error.message}: {self.path}").hint(error.hints[0]) from None
        if not sealer.is_current(kept):
            with self._base.transaction(durable=True) as db:
                db.execute(
                    "UPDATE meta SET value = ? WHERE name = 'stand_in'",
                    (sealer.seal({"key": self._stand_in}).decode(),),
                )
        return sealer

    def _kept_stand_in(self) -> bytes | None:
        with self._base.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE name = 'stand_in'").fetchone()
        return None if row is None else str(row[0]).encode()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._base.reading() as db:
            yield db

    def _select(self, db: sqlite3.Connection, where: str, *values: Any) -> list[Entry]:
        cursor = db.execute(
            f"SELECT {COLUMNS}, lease_owner, lease_holder, lease_until FROM uploads {where}",  # noqa: S608
            values,
        )
        now = self._clock()
        return [
            replace(self._entry(row[:-3]), holder=self._holder(row[-3:], now)) for row in cursor
        ]

    def _entry(self, row: Sequence[Any]) -> Entry:
        try:
            return entry_of(row, lambda sealed: Sealed(sealed, self._sealer))
        except (ValueError, TypeError):
            pass
        raise JournalError(
            f"the journal {self.path} is damaged: the upload {row[0]} cannot be read"
        ).hint("it was left as it is: restore the journal from a backup, or forget this upload")

    def _holder(self, lease: Sequence[Any], now: float) -> str | None:
        owner, holder, until = lease
        if until <= now or (owner is not None and self._base.owners.is_dead(owner)):
            return None
        return None if holder is None else str(holder)

    def _free(self, db: sqlite3.Connection, upload_id: str) -> Entry:
        """Return an entry that nobody drives."""
        found = self._select(db, "WHERE upload_id = ?", upload_id)
        if not found:
            raise rules.missing(upload_id)
        if found[0].holder is not None:
            raise rules.held(upload_id, found[0].holder)
        return found[0]

    def _standing(self, db: sqlite3.Connection, identity: str) -> Entry | None:
        """Return the newest entry of an identity that keeps a new one from starting."""
        found = self._select(
            db,
            "WHERE identity = ? AND state NOT IN (?, ?) ORDER BY rowid DESC LIMIT 1",
            identity,
            *map(str, DEAD),
        )
        return found[0] if found else None

    def _insert(self, db: sqlite3.Connection, entry: Entry) -> Entry:
        now = self._clock()
        stored = replace(entry, created=now, updated=now, holder=None)
        columns = row_of(
            {name: getattr(stored, name) for name in Entry.__dataclass_fields__}, self._sealer.seal
        )
        added = db.execute(
            f"INSERT OR IGNORE INTO uploads ({', '.join(columns)})"  # noqa: S608 - our own columns
            f" VALUES ({', '.join('?' * len(columns))})",
            tuple(columns.values()),
        )
        if added.rowcount != 1:
            raise rules.taken(entry.upload_id)
        return stored

    def _grant(self, db: sqlite3.Connection, upload_id: str, ttl: float) -> Lease:
        holder = f"{socket.gethostname()} process {os.getpid()}"
        db.execute(
            "UPDATE uploads SET fence = fence + 1, lease_owner = ?, lease_holder = ?,"
            " lease_until = ?, runs = runs + 1 WHERE upload_id = ?",
            (self._base.owners.name, holder, self._clock() + ttl, upload_id),
        )
        fence = db.execute("SELECT fence FROM uploads WHERE upload_id = ?", (upload_id,))
        lease = self._leases[upload_id] = Lease(upload_id, holder, fence.fetchone()[0], ttl)
        return lease

    def _write(self, db: sqlite3.Connection, lease: Lease, columns: Mapping[str, Any]) -> None:
        """Change a leased row. A lease that lapsed is good until another run takes the upload."""
        names = ", ".join(f"{name} = ?" for name in columns)
        changed = db.execute(
            f"UPDATE uploads SET {names}"  # noqa: S608 - the names are our own columns
            " WHERE upload_id = ? AND fence = ? AND lease_holder IS NOT NULL AND lease_owner IS ?",
            (*columns.values(), lease.upload_id, lease.fence, self._base.owners.name),
        )
        if changed.rowcount != 1:
            raise rules.lost(lease.upload_id)
