"""Which journal it is, and what is said when it cannot be opened."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import (
    publishing,
    run,
)
from tests.cli.recorded import Capture, uploads
from transports.tiktok.sandbox import Sandbox


def _damaged(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)


def _foreign(path: Path) -> None:
    path.write_bytes(b"not a database at all, but a text of some length\n" * 100)


def _nowhere(path: Path) -> None:
    path.parent.rmdir()


@pytest.mark.parametrize("spoil", [_damaged, _foreign, _nowhere])
@pytest.mark.parametrize("command", ["publish", "list"])
def test_a_journal_that_cannot_be_opened(
    spoil: Any, command: str, sandbox: Sandbox, clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    """One line that names it, exit code 2, no request; the file is left as it is."""
    path = tmp_path / "journal" / "uploads.db"
    path.parent.mkdir()
    spoil(path)
    before = path.read_bytes() if path.exists() else None
    words = publishing(sandbox, clip) if command == "publish" else ("list",)

    ended = run(capsys, *words, "--journal", path)

    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert str(path.parent) in line
    assert sandbox.requests == []
    assert (path.read_bytes() if path.exists() else None) == before


def test_the_journal_of_another_environment(
    sandbox: Sandbox, clip: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of production refuses to run in staging."""
    monkeypatch.setenv("UPLOADER_ENVIRONMENT", "production")
    assert run(capsys, *publishing(sandbox, clip)).code == 0
    monkeypatch.setenv("UPLOADER_ENVIRONMENT", "staging")

    ended = run(capsys, *publishing(sandbox, clip), "--title", "other")

    assert ended.code == 2
    assert "belongs to the environment 'production', this is 'staging'" in ended.complaints[0]
    assert len(sandbox.posts) == 1


def test_the_users_own_journal_is_in_the_state_directory(
    sandbox: Sandbox, clip: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default; its folder is closed to others, and looking makes no file."""
    monkeypatch.delenv("UPLOADER_JOURNAL")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "state" / "mmap-uploader" / "uploads.db"

    assert "no uploads in" in run(capsys, "list").err
    assert not path.exists()
    assert run(capsys, *publishing(sandbox, clip)).code == 0
    assert len(uploads(capsys, "--journal", path)) == 1
    assert path.parent.stat().st_mode & 0o777 == 0o700
