"""`uploader forget`, `uploader prune` and `uploader journal restored`: what the journal lets go of.

Rule: what keeps a post from being made twice goes only when somebody says so in so many words.
"""

from __future__ import annotations

import time
from pathlib import Path

from uploader.cli import journals, screen
from uploader.cli.exits import Exit
from uploader.cli.states import MAY_BE_POSTED
from uploader.cli.times import iso, show_moment
from uploader.errors import ConfigurationError
from uploader.journals import rules


def forget(upload_id: str, *, yes: bool, journal: Path | None, json: bool) -> int:
    """Remove an upload from the journal and return the exit code."""
    where = journals.place(journal)
    with journals.opened(where) as book:
        entry = journals.find(book, upload_id)
        if entry.holder is not None:
            raise rules.held(entry.upload_id, entry.holder).hint("stop that run first")
        if entry.state in MAY_BE_POSTED and not yes:
            what = "is posted" if entry.state == "done" else "may be posted"
            raise ConfigurationError(
                f"{entry.upload_id} ({entry.name}) {what}: once forgotten, the same file would be"
                " posted a second time"
            ).hint("give --yes when you want that")
        book.forget(entry.upload_id)
    if json:
        screen.document({"exit_code": 0, "forgotten": entry.upload_id})
    else:
        screen.say(screen.plain(f"forgot {entry.upload_id} ({entry.name}, {entry.state})"))
    return Exit.DONE


def prune(seconds: float, *, journal: Path | None, json: bool) -> int:
    """Drop what ended longer ago than that and return the exit code."""
    where, before = journals.place(journal), time.time() - seconds
    with journals.opened(where) as book:
        count = book.prune(before)
    if json:
        screen.document({"exit_code": 0, "pruned": count, "older_than": iso(before)})
    else:
        screen.say(
            f"pruned: {count:,} uploads that ended before {show_moment(before)};"
            " what keeps a post from being made twice stays"
        )
    return Exit.DONE


def restored(since: float, *, journal: Path | None, json: bool) -> int:
    """Mark as unknown what may have gone on since a backup and return the exit code."""
    where = journals.place(journal)
    if since > time.time():
        raise ConfigurationError(f"--since {show_moment(since)} is still to come").hint(
            "give the time at which the backup was taken"
        )
    with journals.opened(where) as book:
        count = book.restored(since)
    if json:
        screen.document({"exit_code": 0, "unknown": count, "since": iso(since)})
    else:
        screen.say(
            f"unknown now, for they may have gone on since {show_moment(since)}: {count:,} uploads"
        )
        if count:
            screen.say(f"look at each of them: {screen.command()} list --state unknown")
    return Exit.DONE
