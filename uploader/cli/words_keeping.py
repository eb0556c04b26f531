"""The words of the commands over the journal alone: they send nothing and need no token.

Rule: reads the command line only; what a command does is imported when it is called.
"""

from __future__ import annotations

from typing import Annotated

import typer

from uploader.cli.ending import ended
from uploader.cli.options import JournalPath, Json, UploadId, age_of, moment_of
from uploader.journal import State


def listing(
    state: Annotated[
        list[State] | None, typer.Option(help="Only uploads in this state; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 30,
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """List the uploads that changed last.

    [cyan]uploader list --state unknown --state sending[/]
    """

    def command() -> int:
        from uploader.cli.entries import listing as run

        return run(journal=journal, states=state, limit=limit, json=json)

    ended(command, json=json)


def show(upload_id: UploadId, journal: JournalPath = None, json: Json = False) -> None:
    """Show an upload, what its state means, and what to do next."""

    def command() -> int:
        from uploader.cli.entries import show as run

        return run(upload_id, journal=journal, json=json)

    ended(command, json=json)


def forget(
    upload_id: UploadId,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also when the same file could then be posted twice.")
    ] = False,
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Remove an upload from the journal; nothing is asked of the destination.

    What is posted, or may be, needs --yes: the journal is what keeps it from being posted twice.
    """

    def command() -> int:
        from uploader.cli.upkeep import forget as run

        return run(upload_id, yes=yes, journal=journal, json=json)

    ended(command, json=json)


def prune(
    older_than: Annotated[
        float,
        typer.Option(parser=age_of, metavar="AGE", help="Such as 30d, 12h or 2w."),
    ],
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Drop what ended long ago; whatever keeps a post from being made twice stays.

    [cyan]uploader prune --older-than 30d[/]
    """

    def command() -> int:
        from uploader.cli.upkeep import prune as run

        return run(older_than, journal=journal, json=json)

    ended(command, json=json)


def restored(
    since: Annotated[
        float,
        typer.Option(parser=moment_of, metavar="TIME", help="When the backup was taken, ISO 8601."),
    ],
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Say that the journal was restored from a backup, before anything uses it.

    Whatever had not ended then may have gone on since: it becomes unknown, and is not sent again
    before somebody has looked.

    [cyan]uploader journal restored --since 2026-01-31T03:00Z[/]
    """

    def command() -> int:
        from uploader.cli.upkeep import restored as run

        return run(since, journal=journal, json=json)

    ended(command, json=json)
