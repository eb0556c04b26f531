"""Upload URLs are sealed: who opens them, and that nobody reads them."""

import stat
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.journals.uploads import claimed, upload
from uploader.errors import ConfigurationError, JournalError, UploaderError
from uploader.journals import SqliteJournal
from uploader.journals.sealing import Sealer, read_keys
from uploader.model import Session
from uploader.secret import Secret

URL = "https://upload.example/?signature=zw9-never-in-clear"


def key() -> str:
    """Make a key."""
    return Fernet.generate_key().decode()


def record(journal: SqliteJournal, upload_id: str) -> None:
    """Record an upload that has a session."""
    session = Session({"publish_id": "p"}, {"upload_url": Secret(URL)})
    claimed(journal, upload(upload_id, session=session))


def url(journal: SqliteJournal, upload_id: str) -> str:
    """Open the URL of an upload."""
    entry = journal.get(upload_id)
    assert entry is not None
    assert entry.session is not None
    return entry.session.secrets["upload_url"].reveal()


def test_no_file_of_the_journal_holds_a_secret_in_clear(tmp_path: Path) -> None:
    """Neither the file nor its log, while it is open and when it is closed."""
    journal = SqliteJournal(tmp_path / "uploads.db")
    record(journal, "one")
    journal.stand_in(b"act.zw9-never-in-clear")

    opened = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    journal.close()
    closed = [path.read_bytes() for path in tmp_path.iterdir()]

    assert {"uploads.db", "uploads.db-wal", "uploads.db-shm", "uploads.db.key"} <= opened.keys()
    assert not any(b"never-in-clear" in data for data in [*opened.values(), *closed])


def test_nothing_that_is_printed_holds_a_key_or_a_secret(tmp_path: Path) -> None:
    """Reprs of all objects on the way."""
    first = key()
    journal = SqliteJournal(tmp_path / "uploads.db", keys=[first])
    record(journal, "one")
    entry = journal.get("one")
    assert entry is not None
    assert entry.session is not None

    unopened = f"{entry!r} {entry.session.secrets!r} {entry.session.secrets}"
    assert url(journal, "one") == URL
    opened = f"{entry!r} {vars(journal)!r} {vars(journal._sealer)!r}"
    journal.close()

    for text in (unopened, opened):
        assert "never-in-clear" not in text
        assert first not in text


def test_the_key_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """Whole, and of mode 0600; the next opening reads it."""
    path = tmp_path / "uploads.db"
    with closing(SqliteJournal(path)) as journal:
        record(journal, "one")
    made = (tmp_path / "uploads.db.key").read_bytes()

    with closing(SqliteJournal(path)) as journal:
        assert url(journal, "one") == URL

    assert (tmp_path / "uploads.db.key").read_bytes() == made
    assert stat.S_IMODE((tmp_path / "uploads.db.key").stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "uploads.db",
        "uploads.db.key",
        "uploads.db.owners",
    ]


def test_a_key_file_that_appeared_meanwhile_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that open a new journal at once, the slower one takes the faster one's key."""
    path, theirs = tmp_path / "uploads.db.key", key()
    generate = Fernet.generate_key

    def meanwhile() -> bytes:
        path.write_text(theirs)
        path.chmod(0o600)
        return generate()

    monkeypatch.setattr(Fernet, "generate_key", meanwhile)

    assert [found.reveal() for found in read_keys(path, make=True)] == [theirs]
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_for_all_to_read_is_refused(tmp_path: Path) -> None:
    """With the command that mends it."""
    SqliteJournal(tmp_path / "uploads.db").close()
    (tmp_path / "uploads.db.key").chmod(0o644)

    with pytest.raises(JournalError, match=r"mode 644") as caught:
        SqliteJournal(tmp_path / "uploads.db")

    assert caught.value.hints == [f"chmod 600 {tmp_path / 'uploads.db.key'}"]


def test_a_journal_without_its_key_gets_no_new_one(tmp_path: Path) -> None:
    """What it holds would be lost, and uploads without an account be taken for new ones."""
    SqliteJournal(tmp_path / "uploads.db").close()
    (tmp_path / "uploads.db.key").unlink()

    with pytest.raises(JournalError, match="cannot be read"):
        SqliteJournal(tmp_path / "uploads.db")

    assert not (tmp_path / "uploads.db.key").exists()


@pytest.mark.parametrize("text", [b"", b"\n", b"\xff\xfe", b"zw9-no-key"])
def test_a_key_file_with_something_else_in_it_is_refused(tmp_path: Path, text: bytes) -> None:
    """And what it holds is not printed."""
    SqliteJournal(tmp_path / "uploads.db").close()
    (tmp_path / "uploads.db.key").write_bytes(text)

    with pytest.raises(UploaderError) as caught:
        SqliteJournal(tmp_path / "uploads.db")

    assert "zw9" not in "".join(traceback.format_exception(caught.value))


def test_the_wrong_keys_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """They would seal what the right ones cannot open."""
    path = tmp_path / "uploads.db"
    SqliteJournal(path, keys=[key()]).close()
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match="sealed with another key"):
        SqliteJournal(path, keys=[key()])

    assert path.read_bytes() == before


def test_the_first_key_seals_and_all_of_them_open(tmp_path: Path) -> None:
    """An old key can go when nothing that it sealed is needed any more."""
    path, old, new = tmp_path / "uploads.db", key(), key()
    with closing(SqliteJournal(path, keys=[old])) as journal:
        record(journal, "old")
        stand_in = journal.stand_in(b"token")

    with closing(SqliteJournal(path, keys=[Secret(new), old])) as journal:
        record(journal, "new")
        assert url(journal, "old") == url(journal, "new") == URL
        assert journal.stand_in(b"token") == stand_in

    with closing(SqliteJournal(path, keys=[new])) as journal:
        assert url(journal, "new") == URL
        assert journal.stand_in(b"token") == stand_in
        assert len(journal.latest()) == 2
        with pytest.raises(JournalError, match="another key") as caught:
            url(journal, "old")
    assert "besides the new one" in caught.value.hints[0]


@pytest.mark.parametrize("keys", [[], ["zw9-short"], ["ключ"], [key(), "zw9" * 20]])
def test_a_malformed_key_is_refused_and_not_shown(tmp_path: Path, keys: list[Any]) -> None:
    """Neither the error nor what hangs on it says what it was."""
    with pytest.raises(ConfigurationError) as caught:
        SqliteJournal(tmp_path / "uploads.db", keys=keys)

    assert caught.value.__context__ is None
    assert not any(text in repr(vars(caught.value)) + str(caught.value) for text in keys)


def test_a_sealed_text_that_was_tampered_with_is_refused() -> None:
    """Whoever can write the journal cannot send uploads elsewhere."""
    sealer = Sealer([key()])
    sealed = bytearray(sealer.seal({"upload_url": Secret(URL)}))
    sealed[40] ^= 1

    with pytest.raises(JournalError) as caught:
        sealer.open(bytes(sealed))

    assert caught.value.__context__ is None


def test_what_was_sealed_for_something_else_is_refused() -> None:
    """The same key elsewhere in the application opens texts that are no secrets of ours."""
    made = key()

    with pytest.raises(JournalError) as caught:
        Sealer([made]).open(Fernet(made).encrypt(b"zw9"))

    assert caught.value.__context__ is None
