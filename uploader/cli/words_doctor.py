"""The words of `doctor`.

Rule: reads the command line only; what a command does is imported when it is called.
"""

from __future__ import annotations

from typing import Annotated

import typer

from uploader.cli.ending import ended
from uploader.cli.options import BaseUrl, JournalPath, Json, More, TokenFile


def doctor(
    to: Annotated[
        str, typer.Argument(metavar="[TRANSPORT]", help="See `uploader transports`.")
    ] = "tiktok",
    account: Annotated[
        list[str] | None,
        typer.Option(help="Whose token and settings to look at; else all that have logged in."),
    ] = None,
    option: More = None,
    base_url: BaseUrl = None,
    token_file: TokenFile = None,
    journal: JournalPath = None,
    probe: Annotated[
        str | None,
        typer.Option(
            metavar="ACCOUNT",
            help="Ask the server by inits of this test account which rules it follows now.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a --probe.")] = False,
    json: Json = False,
) -> None:
    """Check one thing after the other that uploads need, and say what to do about each.

    The journal and its disk, extras, limits of the system, variables that nobody reads, names,
    certificates and proxies, the clock, and of every account the token, its scopes and what may be
    posted. Nothing is opened and nothing is posted. Exit code 1 says that something has to be
    mended; warnings alone are 0.

    [cyan]uploader doctor[/]

    [cyan]uploader doctor s3 --option bucket=media --json[/]

    [cyan]uploader doctor --probe my-test-account[/]  which reading of TikTok's rules holds today
    """

    def command() -> int:
        from uploader.cli import destinations, journals
        from uploader.cli.doctor.run import doctor as run

        fields = {**destinations.options(option or []), "base_url": base_url}
        return run(
            to,
            named=account or [],
            fields={name: value for name, value in fields.items() if value is not None},
            token_file=token_file,
            where=journals.place(journal),
            probe=probe,
            yes=yes,
            json=json,
        )

    ended(command, json=json)
