"""Where a journal lies when nobody says where."""

import stat
import sys
from pathlib import Path

import pytest

from uploader.errors import ConfigurationError, JournalError
from uploader.journals import SqliteJournal, default_path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, ".local/state/mmap-uploader/uploads.db"),
        ("linux", {"XDG_STATE_HOME": "/HOME/state"}, "state/mmap-uploader/uploads.db"),
        ("linux", {"XDG_STATE_HOME": "relative"}, ".local/state/mmap-uploader/uploads.db"),
        ("linux", {"XDG_STATE_HOME": ""}, ".local/state/mmap-uploader/uploads.db"),
        ("freebsd14", {}, ".local/state/mmap-uploader/uploads.db"),
        ("darwin", {}, "Library/Application Support/mmap-uploader/uploads.db"),
        ("win32", {"LOCALAPPDATA": "/HOME/local"}, "local/mmap-uploader/uploads.db"),
        ("win32", {}, "AppData/Local/mmap-uploader/uploads.db"),
    ],
)
def test_each_system_has_its_own_custom(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    environment: dict[str, str],
    expected: str,
) -> None:
    """The folder is made, for its owner alone."""
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("/HOME", str(tmp_path)))
    monkeypatch.setattr(sys, "platform", platform)

    path = default_path()

    assert path == tmp_path / expected
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_default_place_takes_a_journal() -> None:
    """And is still there the second time."""
    SqliteJournal(default_path()).close()
    SqliteJournal(default_path()).close()

    assert default_path().is_file()


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / ".local").touch()

    with pytest.raises(JournalError, match=r"\.local/state/mmap-uploader cannot be made"):
        default_path()


def test_a_user_without_a_home_must_name_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a bare user id."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)

    with pytest.raises(ConfigurationError, match="no home directory") as caught:
        default_path()
    assert "XDG_STATE_HOME" in caught.value.hints[0]
