"""A token store in one SQLite file, for the processes of one machine.

Rule: tokens are sealed, the file and its keys have mode 0600, each call opens the file anew (a
forked child inherits nothing), and no error of SQLite's leaves this module.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from uploader.accounts import locks, rules
from uploader.errors import JournalError, TokenStoreError
from uploader.journals.filesystem import refuse_network
from uploader.journals.place import default_path as journal_path
from uploader.journals.sealing import Sealer, read_keys
from uploader.secret import Secret
from uploader.tokens import NEW, AccountState, AccountTokens

FILE: Final = "accounts.db"
APPLICATION: Final = 0x75704163
"""SQLite's application id of the file: a foreign database is refused."""
VERSION: Final = 1
BUSY: Final = 30.0
"""Seconds to wait for another process's write, which takes milliseconds."""
_SCHEMA: Final = """
CREATE TABLE accounts (
    transport TEXT NOT NULL,
    account TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB,
    facts TEXT NOT NULL,
    PRIMARY KEY (transport, account)
) WITHOUT ROWID;
"""
_PUBLIC: Final = ("expires", "refresh_expires", "subject", "reason", "updated")


def default_path() -> Path:
    """Return the path of the user's own store, beside the journal."""
    return journal_path().with_name(FILE)


class FileTokenStore:
    """Keep tokens in a file that the processes of one machine share.

    `keys` are Fernet keys, the first one seals and all open; without any, those in the file
    `<path>.key`, which is made on first use. Who reads both files reads the tokens: keep them from
    others, and out of the same backup.
    """

    def __init__(
        self, path: str | Path | None = None, *, keys: Sequence[Secret | str] = ()
    ) -> None:
        self.path = Path(path) if path is not None else default_path()
        with _told(self.path):
            refuse_network(self.path.parent)
            _make(self.path)
            place = self.path.with_name(f"{self.path.name}.key")
            self._sealer = Sealer(keys or read_keys(place, make=self._is_empty()))

    def get(self, transport: str, account: str) -> AccountTokens | None:
        with self._opened() as db:
            row = db.execute(
                "SELECT * FROM accounts WHERE transport = ? AND account = ? AND sealed IS NOT NULL",
                (transport, account),
            ).fetchone()
        return self._read(row) if row is not None else None

    def save(self, tokens: AccountTokens) -> AccountTokens:
        sealed, facts = self._sealed(tokens), _facts(tokens)
        with self._opened() as db, _begun(db):
            row = db.execute(
                "SELECT version, sealed IS NULL FROM accounts WHERE transport = ? AND account = ?",
                (tokens.transport, tokens.account),
            ).fetchone()
            counted, gone = row if row is not None else (NEW, True)
            if tokens.version != (NEW if gone else counted):
                raise rules.changed(tokens, NEW if gone else counted)
            db.execute(
                "INSERT OR REPLACE INTO accounts (transport, account, version, sealed, facts)"
                " VALUES (?, ?, ?, ?, ?)",
                (tokens.transport, tokens.account, counted + 1, sealed, facts),
            )
        return replace(tokens, version=counted + 1)

    def lease(self, transport: str, account: str, timeout: float) -> AbstractContextManager[None]:
        folder = self.path.with_name(f"{self.path.name}.locks")
        return locks.held(folder, transport, account, timeout=timeout)

    def list(self, transport: str | None = None) -> Sequence[AccountTokens]:
        with self._opened() as db:
            rows = db.execute(
                "SELECT * FROM accounts WHERE sealed IS NOT NULL ORDER BY transport, account"
            ).fetchall()
        return [self._read(row) for row in rows if transport in (None, row[0])]

    def remove(self, transport: str, account: str) -> bool:
        with self._opened() as db, _begun(db):
            # The row stays with its number alone: who held these tokens must not take others that
            # come later for them.
            found = db.execute(
                "UPDATE accounts SET sealed = NULL, facts = '{}'"
                " WHERE transport = ? AND account = ? AND sealed IS NOT NULL",
                (transport, account),
            )
        return found.rowcount > 0

    def close(self) -> None:
        """Nothing is open between calls."""

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"

    # How it is done.

    def _sealed(self, tokens: AccountTokens) -> bytes:
        secrets = {"access_token": tokens.access_token}
        if tokens.refresh_token is not None:
            secrets["refresh_token"] = tokens.refresh_token
        return self._sealer.seal(secrets)

    def _read(self, row: Sequence[Any]) -> AccountTokens:
        transport, account, version, sealed, facts = row
        with _told(self.path):
            opened, public = self._sealer.open(sealed), json.loads(facts)
        return AccountTokens(
            transport=transport,
            account=account,
            access_token=opened["access_token"],
            refresh_token=opened.get("refresh_token"),
            scopes=tuple(public["scopes"]),
            state=AccountState(public["state"]),
            fields=public["fields"],
            version=version,
            **{name: public[name] for name in _PUBLIC},
        )

    def _is_empty(self) -> bool:
        """Tell whether nothing is sealed yet: a lost key file must not be replaced silently."""
        with self._opened() as db:
            return db.execute("SELECT 1 FROM accounts LIMIT 1").fetchone() is None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with _told(self.path), closing(_connect(self.path)) as db:
            yield db


def _facts(tokens: AccountTokens) -> str:
    public: dict[str, Any] = {name: getattr(tokens, name) for name in _PUBLIC}
    public |= {"scopes": tokens.scopes, "state": tokens.state, "fields": dict(tokens.fields)}
    return json.dumps(public)


def _make(path: Path) -> None:
    # Made with its mode, never widened and narrowed again. SQLite gives its journal the same one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077 and os.name == "posix":
        raise TokenStoreError(f"{path} can be read by others (mode {mode:o})").hint(
            f"chmod 600 {path}"
        )
    with closing(_connect(path)) as db, _begun(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and db.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            db.execute(_SCHEMA)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        elif db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise TokenStoreError(f"{path} is another program's database")
        elif version > VERSION:
            raise TokenStoreError(
                f"{path} was written by a newer release: format {version}, this one knows {VERSION}"
            )


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    db.execute("PRAGMA synchronous = EXTRA")
    db.execute("PRAGMA secure_delete = ON")  # what is removed is gone from the file as well
    return db


@contextmanager
def _begun(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what a disk, SQLite or a key says into the store's own error."""
    try:
        yield
        return
    except JournalError as error:
        hints, text = error.hints, str(error).replace("the journal", "the token store")
        failure = TokenStoreError(text.replace("an upload URL in", "a token in"))
    except (sqlite3.Error, OSError) as error:
        why = getattr(error, "strerror", None) or error
        hints, failure = [], TokenStoreError(f"the token store {path}: {why}")
    except (KeyError, ValueError, TypeError):
        hints, failure = [], TokenStoreError(f"the token store {path} is damaged")
    for hint in hints:
        failure.hint(hint)
    raise failure
