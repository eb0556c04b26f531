"""What a journal in a file refuses, and that it leaves the file as it was."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from tests.journals.uploads import claimed, upload
from uploader.errors import ConfigurationError, JournalError
from uploader.journal import State
from uploader.journals import SqliteJournal
from uploader.journals.filesystem import kind_of, refuse_network
from uploader.journals.schema import VERSION


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file with nothing but SQLite."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a journal with 300 uploads, the first of them done."""
    path = tmp_path_factory.mktemp("made") / "uploads.db"
    journal = SqliteJournal(path, environment="production")
    lease = claimed(journal, upload("done", fields={"post_ids": ["7"]}))
    journal.save(lease, {"state": State.DONE})
    journal.release(lease)
    with journal._base.transaction() as db:
        for number in range(300):
            journal._insert(db, upload(f"{number:016x}", name="clip" * 40))
    journal.close()
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """Copy it."""
    for file in made.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / made.name


def use(path: Path) -> None:
    """Do a little of everything."""
    with closing(SqliteJournal(path)) as journal:
        journal.latest(1000)
        journal.due()
        journal.counts()
        journal.claim(upload("again", "identity of done"), 30)
        journal.prune(0)
        journal.take(f"{7:016x}", 30)


def test_a_newer_schema_is_refused_untouched(path: Path) -> None:
    """A release that was rolled back must not write what it does not know."""
    with raw(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()

    with pytest.raises(JournalError, match=f"version {VERSION + 1}, .* {VERSION}") as caught:
        SqliteJournal(path)

    assert path.read_bytes() == before
    assert "newer release" in caught.value.hints[0]


def test_not_even_the_log_of_a_newer_one_is_worked_in(path: Path, tmp_path: Path) -> None:
    """The newer release was killed, and its last records are still in the log."""
    killed = tmp_path / "killed" / path.name
    killed.parent.mkdir()
    with raw(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
        db.execute("CREATE TABLE new (a)")
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(path.with_name(name), killed.with_name(name))
    log = killed.with_name(f"{path.name}-wal")
    before = killed.read_bytes(), log.read_bytes()

    with pytest.raises(JournalError, match="version"):
        SqliteJournal(killed)

    assert len(before[1]) > 4096
    assert (killed.read_bytes(), log.read_bytes()) == before


def test_a_newer_release_that_comes_while_it_is_open_stops_the_older(path: Path) -> None:
    """It starts nothing more, and records what it has started: else that would be unknown."""
    with closing(SqliteJournal(path)) as journal:
        lease = claimed(journal, upload("started"))
        with raw(path) as db:
            db.execute(f"PRAGMA user_version = {VERSION + 1}")

        for start in (
            lambda: journal.add(upload("one")),
            lambda: journal.claim(upload("one"), 30),
            lambda: journal.take(f"{7:016x}", 30),
        ):
            with pytest.raises(JournalError, match="version"):
                start()
        assert journal.get("one") is None
        journal.save(lease, {"state": State.DONE}, durable=True)


@pytest.mark.parametrize("version", [0, VERSION])
def test_the_file_of_another_program_is_refused_untouched(tmp_path: Path, version: int) -> None:
    """Whatever number it gave its own schema."""
    path = tmp_path / "theirs.db"
    with raw(path) as db:
        db.execute("CREATE TABLE theirs (a)")
        db.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()

    with pytest.raises(JournalError, match="no journal of uploads"):
        SqliteJournal(path)

    assert path.read_bytes() == before


def test_another_environments_journal_is_refused_untouched(path: Path) -> None:
    """A copy of production in staging would post again what production has posted."""
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match="'production', this is 'staging'"):
        SqliteJournal(path, environment="staging")

    assert path.read_bytes() == before


def test_the_environment_is_carried_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come from the process's surroundings; who names none may open it."""
    path = tmp_path / "uploads.db"
    with closing(SqliteJournal(path)) as journal:
        assert journal.environment is None

    monkeypatch.setenv("UPLOADER_ENVIRONMENT", "production")
    with closing(SqliteJournal(path)) as journal:
        assert journal.environment == "production"
    monkeypatch.delenv("UPLOADER_ENVIRONMENT")
    with closing(SqliteJournal(path)) as journal:
        assert journal.environment == "production"
    monkeypatch.setenv("UPLOADER_ENVIRONMENT", "staging")
    with pytest.raises(ConfigurationError, match="staging"):
        SqliteJournal(path)


@pytest.mark.parametrize(
    "keep", [0, 1, 50, 100, 512, 4095, 4096, 4097, 0.5, 0.99, -1], ids=lambda keep: f"keep {keep}"
)
def test_a_truncated_file_is_reported_and_left(path: Path, keep: float) -> None:
    """To any length; an empty one is not taken for a new journal."""
    whole = path.read_bytes()
    length = int(len(whole) * keep) if keep % 1 else int(keep) % len(whole)
    path.write_bytes(whole[:length])

    with pytest.raises(JournalError, match="damaged") as caught:
        use(path)

    assert path.read_bytes() == whole[:length]
    assert "was left as it is" in caught.value.hints[0]


@pytest.mark.parametrize(("start", "length"), [(0, 16), (0, 100), (0, 4096), (16, 20), (96, 4000)])
def test_a_broken_header_is_reported_and_left(path: Path, start: int, length: int) -> None:
    """Zeros where a disk lost a sector."""
    broken = bytearray(path.read_bytes())
    broken[start : start + length] = bytes(length)
    path.write_bytes(broken)

    with pytest.raises(JournalError):
        use(path)

    assert path.read_bytes() == broken


@pytest.mark.parametrize("place", range(12))
def test_a_lost_page_is_reported_where_it_is_needed(path: Path, place: int) -> None:
    """Reading everything finds it, and each error that comes of it is the journal's own."""
    broken = bytearray(path.read_bytes())
    pages = len(broken) // 4096
    start = (1 + place * (pages - 1) // 12) * 4096
    broken[start : start + 4096] = bytes(byte ^ 0x55 for byte in broken[start : start + 4096])
    path.write_bytes(broken)

    with suppress(JournalError), closing(SqliteJournal(path)) as journal:
        assert journal.check() != []
    with suppress(JournalError):
        use(path)


def test_a_flipped_bit_anywhere_is_no_foreign_error(path: Path) -> None:
    """What goes wrong is the journal's to say, wherever in the file the bit was."""
    whole = path.read_bytes()
    random = Random(20)
    for _ in range(30):
        broken = bytearray(whole)
        broken[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        path.write_bytes(broken)
        with suppress(JournalError, ConfigurationError):
            use(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "'burning'"),
        ("destination", "'{'"),
        ("fields", "x'ff00'"),
        ("parts", "0"),
        ("size", "'much'"),
        ("session", "'['"),
        ("account", "CAST(x'80' AS TEXT)"),
    ],
)
def test_a_row_that_makes_no_sense_is_reported(path: Path, column: str, value: str) -> None:
    """By its id; the others can still be read, and it can be forgotten or restored."""
    with raw(path) as db:
        db.execute(f"UPDATE uploads SET {column} = {value} WHERE upload_id = 'done'")  # noqa: S608

    with closing(SqliteJournal(path)) as journal:
        with pytest.raises(JournalError, match="damaged"):
            journal.get("done")
        with pytest.raises(JournalError, match="damaged"):
            journal.claim(upload("again", "identity of done"), 30)
        assert journal.get(f"{7:016x}") is not None


def test_a_journal_that_was_removed_in_use_is_not_made_anew(path: Path) -> None:
    """A forked child, too, opens what was there or nothing."""
    journal = SqliteJournal(path)
    journal._base.before_fork()
    path.unlink()

    with pytest.raises(JournalError, match="removed while it was in use"):
        journal.latest()

    assert not path.exists()
    journal.close()


def test_a_removed_journal_can_be_begun_again(path: Path) -> None:
    """Who deletes the file means it; what lay beside it does no harm."""
    path.unlink()

    with closing(SqliteJournal(path)) as journal:
        assert journal.latest() == []


def test_what_a_killed_maker_left_is_finished(tmp_path: Path) -> None:
    """An empty file, or one whose first transaction must be rolled back."""
    empty, half = tmp_path / "empty.db", tmp_path / "half.db"
    empty.touch()
    source = tmp_path / "source.db"
    with raw(source) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("CREATE TABLE uploads (a)")
        db.executemany("INSERT INTO uploads VALUES (?)", [("x" * 1000,)] * 100)
        shutil.copy(source, half)
        shutil.copy(tmp_path / "source.db-journal", tmp_path / "half.db-journal")

    for path in (empty, half):
        with closing(SqliteJournal(path)) as journal:
            journal.add(upload("one"))
            assert journal.check() == []


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """SQLite's log needs memory that all its users share."""
    mounts = tmp_path / "mounts"
    mounts.write_bytes(
        b"/dev/vda / ext4 rw 0 0\n"
        b"server:/x /srv/my\\040videos nfs4 rw 0 0\n"
        b"/dev/vdb /srv/my\\040videos/local xfs rw 0 0\n"
        b"share /srv/caf\xc3\xa9 cifs rw 0 0\n"
        b"garbage\n"
    )

    assert kind_of(Path("/srv"), mounts) == "ext4"
    assert kind_of(Path("/srv/my videos/a"), mounts) == "nfs4"
    assert kind_of(Path("/srv/my videos/local"), mounts) == "xfs"
    assert kind_of(Path("/srv/café"), mounts) == "cifs"
    assert kind_of(Path("/srv"), tmp_path / "nothing") is None
    refuse_network(Path("/srv"), mounts)
    with pytest.raises(JournalError, match="nfs4, a network file system") as caught:
        refuse_network(Path("/srv/my videos"), mounts)
    assert "local disk" in caught.value.hints[0]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """Only the default place is made by itself."""
    with pytest.raises(JournalError, match="/nowhere does not exist"):
        SqliteJournal(tmp_path / "nowhere" / "uploads.db")


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    """Whatever the system says, it comes as the journal's error."""
    (tmp_path / "uploads.db").mkdir()

    with pytest.raises(JournalError, match=r"uploads\.db"):
        SqliteJournal(tmp_path / "uploads.db")


def test_a_closed_journal_does_nothing(tmp_path: Path) -> None:
    """It says so, for reading and writing."""
    journal = SqliteJournal(tmp_path / "uploads.db")
    journal.close()

    for use_it in (journal.latest, lambda: journal.add(upload("one"))):
        with pytest.raises(JournalError, match="closed"):
            use_it()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Titles and accounts are nobody else's business; a mode that was given is kept."""
    old = os.umask(0)
    try:
        journal = SqliteJournal(tmp_path / "uploads.db")
        journal.add(upload("one"))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
        journal.close()
        (tmp_path / "uploads.db").chmod(0o640)
        SqliteJournal(tmp_path / "uploads.db").close()
    finally:
        os.umask(old)

    assert set(modes.values()) == {0o600}
    assert {"uploads.db", "uploads.db-wal", "uploads.db.key", "uploads.db.owners"} <= modes.keys()
    assert stat.S_IMODE((tmp_path / "uploads.db").stat().st_mode) == 0o640


def test_a_journal_is_the_same_by_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path, a link, and a process that goes elsewhere afterwards."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "uploads.db")
    monkeypatch.chdir(tmp_path)
    journal = SqliteJournal("uploads.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    journal._base.before_fork()
    journal.add(upload("one"))
    linked = SqliteJournal(tmp_path / "link.db")

    assert linked.get("one") is not None
    assert linked.path == journal.path
    journal.close()
    linked.close()
