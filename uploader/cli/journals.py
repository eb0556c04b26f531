"""Which journal the command uses: the one that is named, the application's, or the user's own.

Rule: looking never makes a journal. What cannot be opened is refused before anything is sent.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from uploader.cli import host, screen
from uploader.cli.host import Host
from uploader.errors import ConfigurationError, JournalError
from uploader.journal import Entry, Journal
from uploader.journals import SqliteJournal, default_path

VARIABLE: Final = "UPLOADER_JOURNAL"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the journal is: a file, the application's own, or in memory when it is neither.

    `named` tells that an option said so.
    """

    path: Path | None
    named: bool = False
    host: Host | None = None

    def __str__(self) -> str:
        return self.host.place if self.host is not None else str(self.path)

    @property
    def journal(self) -> Path | Journal | None:
        """What an uploader is given."""
        return self.host.journal if self.host is not None else self.path

    def command(self, verb: str, upload_id: str) -> str:
        """Return a command about an upload of this journal, to be pasted."""
        words = [screen.command(), verb, upload_id]
        if self.named:
            words += ["--journal", shlex.quote(str(self.path))]
        return " ".join(words)

    @property
    def exists(self) -> bool:
        """Tell whether there is a journal already."""
        if self.path is None:
            return self.host is not None
        try:
            return self.path.exists()
        except OSError as error:
            raise JournalError(f"the journal {self.path}: {error.strerror}") from None


MEMORY: Final = Place(None)


def place(path: Path | None = None, *, none: bool = False) -> Place:
    """Return the journal of `--journal`, else the application's that the command runs in.

    Where it runs in none: that of the environment, else the user's own.
    """
    if none:
        if path is not None:
            raise ConfigurationError("--journal and --no-journal contradict each other")
        return MEMORY
    if path is not None:
        return Place(path, named=True)
    if (application := host.current()) is not None:
        return Place(None, host=application)
    named = os.environ.get(VARIABLE)
    return Place(Path(named) if named else default_path())


@contextmanager
def opened(where: Place) -> Iterator[Journal]:
    """Open a journal that exists; raise `JournalError` when there is none."""
    if where.host is not None:
        yield where.host.journal
        return
    if where.path is None or not where.exists:
        raise JournalError(f"there is no journal at {where}").hint(
            f"name another one: --journal PATH, or {VARIABLE}=PATH"
        )
    journal = SqliteJournal(where.path)
    try:
        yield journal
    finally:
        journal.close()


def find(journal: Journal, prefix: str) -> Entry:
    """Return the upload whose id begins with `prefix`; raise when none or several do."""
    found = journal.find(prefix.strip(), 3)
    exact = [entry for entry in found if entry.upload_id == prefix]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise JournalError(f"the journal has no upload {prefix}").hint(
            f"{screen.command()} list shows them"
        )
    ids = ", ".join(entry.upload_id for entry in found)
    raise ConfigurationError(f"{prefix} may be any of {ids}").hint("write more of the id")
