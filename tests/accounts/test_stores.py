"""Both stores pass the suite that third parties hold theirs to."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from uploader.accounts import FileTokenStore, MemoryTokenStore
from uploader.errors import TokenStoreError
from uploader.secret import Secret
from uploader.testing.tokens import SharedTokenStoreContract, TokenStoreContract
from uploader.tokens import AccountTokens, TokenStore


class TestMemoryTokenStore(TokenStoreContract):
    """Without a disk."""

    def make(self) -> TokenStore:
        return MemoryTokenStore()


class TestFileTokenStore(SharedTokenStoreContract):
    """In one file, opened as often as a test wants."""

    def make(self) -> TokenStore:
        return FileTokenStore(self.folder / "accounts.db")


def tokens() -> AccountTokens:
    """Make tokens of an account."""
    return AccountTokens(transport="tiktok", account="acme", access_token=Secret("act.x"))


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """The store, its key and its locks, whatever the umask is."""
    before = os.umask(0)
    try:
        store = FileTokenStore(tmp_path / "accounts.db")
        store.save(tokens())
        with store.lease("tiktok", "acme", 1.0):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert modes == {
        "accounts.db": 0o600,
        "accounts.db.key": 0o600,
        "accounts.db.locks": 0o700,
    }


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Before anything is stored in it."""
    path = tmp_path / "accounts.db"
    path.touch(mode=0o644)
    path.chmod(0o644)
    with pytest.raises(TokenStoreError, match="644"):
        FileTokenStore(path)


def test_a_lost_key_is_not_replaced(tmp_path: Path) -> None:
    """A new one would open nothing of what is there."""
    FileTokenStore(tmp_path / "accounts.db").save(tokens())
    (tmp_path / "accounts.db.key").unlink()

    with pytest.raises(TokenStoreError, match="key"):
        FileTokenStore(tmp_path / "accounts.db")


def test_another_key_opens_nothing_and_an_added_one_does(tmp_path: Path) -> None:
    """Keys are changed by putting the new one first."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    saved = FileTokenStore(tmp_path / "a.db", keys=[old]).save(tokens())

    with pytest.raises(TokenStoreError, match="another key"):
        FileTokenStore(tmp_path / "a.db", keys=[new]).get("tiktok", "acme")
    assert FileTokenStore(tmp_path / "a.db", keys=[new, old]).get("tiktok", "acme") == saved


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """It is refused, and not written to."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
        db.commit()
    path.chmod(0o600)
    before = path.read_bytes()

    with pytest.raises(TokenStoreError, match="another program"):
        FileTokenStore(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """With a sentence that names the file."""
    path = tmp_path / "accounts.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 40)
    path.chmod(0o600)

    with pytest.raises(TokenStoreError, match=r"accounts\.db"):
        FileTokenStore(path)


def test_the_default_place_is_beside_the_journal(tmp_path: Path) -> None:
    """In the user's own state directory."""
    assert FileTokenStore().path.name == "accounts.db"
    assert FileTokenStore().path.parent.name == "mmap-uploader"
