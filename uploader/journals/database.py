"""The SQLite file under a journal: opened with care, one transaction at a time.

Rule: what is damaged, newer, foreign or another environment's is refused before anything is
written; no error of SQLite's leaves this module.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from uploader.errors import JournalError
from uploader.journals import forking, rules
from uploader.journals.owners import Owners
from uploader.journals.schema import APPLICATION, MIGRATIONS, VERSION

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_RETRY: Final = 0.005


class Database:
    """One connection, shared by the threads of a process; a forked child gets its own.

    `timeout` is how many seconds to wait for another process's transaction.
    """

    def __init__(self, path: Path, *, timeout: float, environment: str | None) -> None:
        self.path = path
        self.environment = environment
        self._timeout = timeout
        self._lock = threading.RLock()
        self._closed = False
        self._used = False
        self._connection: sqlite3.Connection | None = None
        self._owners: Owners | None = None
        with self._lock, self._naming_errors():
            self._make_or_look()
        forking.watch(self)

    @property
    def owners(self) -> Owners:
        """The owners of leases; within a transaction or a reading."""
        assert self._owners is not None
        return self._owners

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Write all of it or nothing; `durable` makes the disk have it before this returns."""
        # One generator for all of it: a part's record spends as much on three as on its rows.
        with self._lock:
            try:
                db = self._mine()
                if durable:
                    # In WAL mode NORMAL syncs at checkpoints only, FULL at each commit: the log
                    # with all that was written before as well.
                    db.execute("PRAGMA synchronous = FULL")
                try:
                    # What reads first and writes later could fail in the middle without IMMEDIATE.
                    db.execute("BEGIN IMMEDIATE")
                    try:
                        yield db
                        db.execute("COMMIT")
                    except BaseException:
                        _roll_back(db)
                        raise
                finally:
                    if durable:
                        db.execute("PRAGMA synchronous = NORMAL")
                return
            except (sqlite3.Error, OSError) as error:
                failed = error
            raise self._named(failed)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read; all statements see the same moment."""
        with self._lock, self._naming_errors():
            db = self._mine()
            with _begun(db, "BEGIN"):
                yield db

    def refuse_migrated(self, db: sqlite3.Connection) -> None:
        """Refuse to start what a newer release, which came meanwhile, would have to finish."""
        self._refuse_newer(_number(db, "user_version"))

    def close(self) -> None:
        """Close the file; leases that were taken through it are free at once."""
        with self._lock, suppress(sqlite3.Error):
            self._closed = True
            if self._connection is not None:
                self._connection.close()
            if self._owners is not None:
                self._owners.close()

    def check(self) -> list[str]:
        """Read the whole file and return what is wrong with it; seconds for a large journal."""
        with self.reading() as db:
            try:
                found = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
            except sqlite3.DatabaseError as error:
                if _code(error) not in _DAMAGED:
                    raise
                found = [str(error)]
        return [] if found == ["ok"] else found

    # Forks.

    @property
    def fork_lock(self) -> threading.RLock:
        return self._lock

    def before_fork(self) -> None:
        """Close the connection; parent and child open their own when they need one.

        SQLite counts a process's locks in memory. A child that inherits the count takes no lock of
        its own, even through a new connection, and a third process would reset the log under it.
        https://www.sqlite.org/howtocorrupt.html, "Carrying an open database connection across a
        fork()".
        """
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def start_in_child(self) -> None:
        self._lock = threading.RLock()
        if self._owners is not None:
            self._owners.close()
            self._owners = None

    # Opening.

    def _mine(self) -> sqlite3.Connection:
        if self._closed:
            raise JournalError(f"the journal {self.path} is closed")
        if self._connection is None:
            if not self.path.exists():
                raise JournalError(f"the journal {self.path} was removed while it was in use")
            self._connect()
        assert self._connection is not None
        return self._connection

    def _make_or_look(self) -> None:
        exists = self.path.exists()
        self._owners = self._new_owners()
        try:
            if exists:
                # Asked before the file is looked at: its maker may finish at this moment.
                self._used = self._owners.marked
                self._look()
            else:
                self._owners.mark(used=False)
            self._connect(new=not exists)
            self._used = True
        except BaseException:
            self._owners.close()
            raise

    def _new_owners(self) -> Owners:
        return Owners(self.path.with_name(f"{self.path.name}.owners"))

    def _connect(self, *, new: bool = False) -> None:
        if self._owners is None:
            self._owners = self._new_owners()
        db = self._open(str(self.path))
        try:
            if new:
                # Its first reading makes the file. SQLite gives the log the same mode.
                _number(db, "user_version")
                self.path.chmod(0o600)
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        self._connection = db

    def _open(self, name: str, *, uri: bool = False) -> sqlite3.Connection:
        return sqlite3.connect(
            name, timeout=self._timeout, isolation_level=None, check_same_thread=False, uri=uri
        )

    def _look(self) -> None:
        """Examine a file without writing to it, not even what its log holds."""
        db = self._open(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            with _begun(db, "BEGIN"):
                self._examine(db)
                self._refuse_torn(_number(db, "page_size"))
        except sqlite3.Error as error:
            # Who made it was killed before the first commit; SQLite rolls that back when the file
            # is opened for writing, and it is examined again then.
            if _code(error) != sqlite3.SQLITE_READONLY:
                raise
        finally:
            db.close()

    def _examine(self, db: sqlite3.Connection) -> int:
        """Return the version of the schema, 0 for an empty file; raise for what is not ours.

        Within a transaction: another process may be making the journal at this moment.
        """
        version, application = _number(db, "user_version"), _number(db, "application_id")
        if not version and not application and not db.execute(_TABLES).fetchone()[0]:
            if self._used:
                raise JournalError(
                    f"the journal {self.path} is damaged: it is empty, though it was in use"
                ).hint(_LEFT)
            return 0
        if application != APPLICATION:
            raise JournalError(f"{self.path} is an SQLite file, but no journal of uploads")
        self._refuse_newer(version)
        row = db.execute("SELECT value FROM meta WHERE name = 'environment'").fetchone()
        if row is not None:
            if self.environment is not None and row[0] != self.environment:
                raise rules.other_environment(self.path, row[0], self.environment)
            self.environment = row[0]
        return version

    def _refuse_newer(self, version: int) -> None:
        if version > VERSION:
            raise JournalError(
                f"{self.path} has schema version {version}, this release knows {VERSION}"
            ).hint("use the newer release, or another journal")

    def _refuse_torn(self, page_size: int) -> None:
        """Refuse a file that ends within a page: SQLite would read zeros for what is missing.

        While pages are copied from the log, it may look like that for a moment.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        if self.path.stat().st_size % page_size and not (log.exists() and log.stat().st_size):
            raise JournalError(f"the journal {self.path} is damaged: it was cut off").hint(_LEFT)

    def _prepare(self, db: sqlite3.Connection) -> None:
        with _begun(db, "BEGIN"):
            version = self._examine(db)
        if version < VERSION:
            self._write_ahead(db)
            with _begun(db):
                # Another process may have been faster.
                version = self._examine(db)
                for script in MIGRATIONS[version:]:
                    for statement in filter(str.strip, script.split(";\n")):
                        db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {VERSION}")
        self._write_ahead(db)
        self.owners.mark(used=True)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA fullfsync = ON")  # macOS: fsync(2) alone stops at the drive's cache
        db.execute("PRAGMA synchronous = NORMAL")
        if self.environment is not None:
            self._carry(db, self.environment)

    def _write_ahead(self, db: sqlite3.Connection) -> None:
        """Turn WAL on, once for the file. SQLite does not wait for others here; this does."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if _code(error) not in _BUSY or time.monotonic() > deadline:
                    raise
                threading.Event().wait(_RETRY)
                continue
            if mode != "wal":
                raise JournalError(f"{self.path} cannot have a write-ahead log here ({mode})")
            return

    def _carry(self, db: sqlite3.Connection, environment: str) -> None:
        question = "SELECT value FROM meta WHERE name = 'environment'"
        if db.execute(question).fetchone() is None:
            with _begun(db):
                db.execute("INSERT OR IGNORE INTO meta VALUES ('environment', ?)", (environment,))
                (carried,) = db.execute(question).fetchone()
                if carried != environment:
                    raise rules.other_environment(self.path, carried, environment)

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
            return
        except (sqlite3.Error, OSError) as error:
            failed = error
        raise self._named(failed)

    def _named(self, error: sqlite3.Error | OSError) -> JournalError:
        """Return what to raise, outside of the handler, for an error of SQLite or the system."""
        if isinstance(error, OSError):
            code, text = None, f"{error.filename or self.path}: {error.strerror}"
        else:
            code, text = _code(error), str(error)
            if code is None and "decode" in text:
                # Python's own complaint of a text that is no UTF-8; it quotes the text.
                code, text = sqlite3.SQLITE_CORRUPT, "a text is no UTF-8"
        if code in _DAMAGED:
            return JournalError(f"the journal {self.path} is damaged: {text}").hint(_LEFT)
        if code in _BUSY:
            return JournalError(
                f"the journal {self.path} was locked by another process"
                f" for more than {self._timeout:g} seconds: {text}"
            )
        return JournalError(f"the journal {self.path} failed: {text}")


_TABLES: Final = "SELECT count(*) FROM sqlite_master"
_LEFT: Final = "it was left as it is: restore it from a backup, or name another one"


@contextmanager
def _begun(db: sqlite3.Connection, how: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    # IMMEDIATE unless it only reads: what reads first and writes later could fail in the middle.
    db.execute(how)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise


def _roll_back(db: sqlite3.Connection) -> None:
    # What fails in a full disk or a broken file may have been rolled back already.
    with suppress(sqlite3.Error):
        if db.in_transaction:
            db.execute("ROLLBACK")


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code; the bits above tell the kind."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
