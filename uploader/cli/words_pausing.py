"""The words of `pause`, `unpause` and `retry`: what a whole fleet is told.

Rule: reads the command line only; what a command does is imported when it is called.
"""

from __future__ import annotations

from typing import Annotated

import typer

from uploader.cli.ending import ended
from uploader.cli.options import JournalPath, Json, age_of, past_of

Transport = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only uploads by this transport; else by all of them."),
]
Account = Annotated[str | None, typer.Option(help="Only uploads of this account; else of all.")]


def pause(
    transport: Transport = None,
    account: Account = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for", parser=age_of, metavar="TIME", help="Such as 2h; else until unpause."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; whoever is held back is told.")] = "",
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Hold uploads back, in every process that uses the journal.

    What waits stays suspended, what runs stops at its next part, what can no longer be taken back
    is finished.

    [cyan]uploader pause --transport tiktok --for 2h --reason "a rule was changed"[/]
    """

    def command() -> int:
        from uploader.cli.pauses import pause as run

        return run(transport, account, seconds=seconds, reason=reason, journal=journal, json=json)

    ended(command, json=json)


def unpause(
    transport: Transport = None,
    account: Account = None,
    everything: Annotated[bool, typer.Option("--all", help="Every pause there is.")] = False,
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Lift the pauses of exactly this transport and account; without either, that of everything.

    Exit code 1: there was none.
    """

    def command() -> int:
        from uploader.cli.pauses import unpause as run

        return run(transport, account, everything=everything, journal=journal, json=json)

    ended(command, json=json)


def retry(
    failed: Annotated[bool, typer.Option("--failed", help="Uploads that failed.")] = False,
    since: Annotated[
        float | None,
        typer.Option(parser=past_of, metavar="TIME", help="Failed since: 12h ago, or ISO 8601."),
    ] = None,
    error: Annotated[
        str | None, typer.Option(metavar="CODE", help="Failed with this code, theirs or ours.")
    ] = None,
    transport: Transport = None,
    account: Account = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which they are.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Take failed uploads up again; `uploader resume --all` then sends them.

    Each becomes an upload of its own that names the failed one. What is unknown or done is never
    among them, and nothing is posted twice. Exit code 1: some of them cannot be sent again.

    [cyan]uploader retry --failed --since 12h --error invalid_params --dry-run[/]
    """

    def command() -> int:
        from uploader.cli.retry import retry as run
        from uploader.engine.retrying import Lost

        wanted = Lost(error=error, since=since, transport=transport, account=account)
        return run(wanted, failed=failed, dry_run=dry_run, yes=yes, journal=journal, json=json)

    ended(command, json=json)
