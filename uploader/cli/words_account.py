"""The words of `uploader account`.

Rule: reads the command line only; what a command does is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uploader.cli.destinations import DEFAULT
from uploader.cli.ending import ended
from uploader.cli.options import JournalPath, Json, seconds_of

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name of your own for the account.", show_default=False),
]
To = Annotated[str, typer.Option(metavar="TRANSPORT", help="Which transport's account it is.")]
BaseUrl = Annotated[
    str | None, typer.Option(help="Another API host, such as a sandbox.", show_default=False)
]


def login(
    name: Name,
    to: To = DEFAULT,
    base_url: BaseUrl = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="Ask for this scope; may be repeated.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The callback's port; 0 takes a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser here.")
    ] = True,
    timeout: Annotated[
        float | None,
        typer.Option(parser=seconds_of, metavar="SECONDS", help="Wait at most so long, else 300."),
    ] = None,
    json: Json = False,
) -> None:
    """Log an account in: agree on a page, and its tokens are kept and refreshed from then on.

    Register http://127.0.0.1:PORT/callback/ with the app, and name its key and secret in
    TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET. Logging in again takes up a consent that has ended.
    """

    def command() -> int:
        from uploader.cli.account import login as run

        return run(
            name,
            to=to,
            base_url=base_url,
            scopes=scope or [],
            port=port,
            browser=browser,
            timeout=300.0 if timeout is None else timeout,
            json=json,
        )

    ended(command, json=json)


def add(
    name: Name,
    refresh_token_file: Annotated[
        Path, typer.Option(metavar="PATH", help="Its first line is the refresh token.")
    ],
    to: To = DEFAULT,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Take over an account that agreed elsewhere, by its refresh token.

    The token is refreshed at once: what it was before stops working wherever else it is.
    """

    def command() -> int:
        from uploader.cli.account import add as run

        return run(name, to=to, base_url=base_url, refresh_token_file=refresh_token_file, json=json)

    ended(command, json=json)


def listing(
    to: Annotated[
        str | None, typer.Option(metavar="TRANSPORT", help="Only this transport's.")
    ] = None,
    json: Json = False,
) -> None:
    """List the accounts that have logged in here, and how long their consent lasts."""

    def command() -> int:
        from uploader.cli.account import listing as run

        return run(to=to, json=json)

    ended(command, json=json)


def remove(name: Name, to: To = DEFAULT, json: Json = False) -> None:
    """Delete an account's tokens here; the service keeps its consent, the journal its uploads."""

    def command() -> int:
        from uploader.cli.account import remove as run

        return run(name, to=to, json=json)

    ended(command, json=json)


def forget(
    name: Name,
    to: To = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; it cannot be undone.")] = False,
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Give an account's consent back, delete its tokens, and erase it from the journal.

    Ids, captions, file names and the account's own name go. Of each upload that is posted, or may
    be, a digest stays that names nobody: should the account come back under the same NAME, the same
    file with the same caption is still taken for posted, and not posted twice. With another name,
    caption or file, nothing prevents it. Uploads that were not posted yet are dropped.
    """

    def command() -> int:
        from uploader.cli.account import forget as run

        return run(name, to=to, yes=yes, journal=journal, json=json)

    ended(command, json=json)
