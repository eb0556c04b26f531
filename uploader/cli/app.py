"""The command, and the order in which its help shows what it can do.

Rule: what a command does is imported when it is called, so that `--help` is there at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from uploader import __version__
from uploader.cli import (
    words_account,
    words_doctor,
    words_keeping,
    words_pausing,
    words_putting,
    words_resuming,
    words_sending,
    words_trying,
)
from uploader.cli.ending import told
from uploader.cli.exits import Exit

EPILOG = (
    "[bold]Exit codes[/]: 0 done, 1 failed, 2 bad input (nothing was sent), 3 outcome unknown (it"
    " may be posted: look before sending it again), 4 not finished (processing,"
    " suspended, driven by another run), 130 interrupted. With several files the most serious"
    " counts: 130, then 3, 1, 4, 0."
)

app = typer.Typer(
    name="uploader",
    help="Upload large files, each of them once: resumable, zero-copy, in constant memory."
    "\n\n[cyan]uploader publish clip.mp4 --title Hi --privacy SELF_ONLY[/]  [dim]to TikTok[/]"
    "\n\n[cyan]uploader put backup.tar s3://bucket/nightly/[/]  [dim]to an object store[/]"
    "\n\n[cyan]uploader put clip.mp4 tus+https://host/files/[/]  [dim]to an upload server[/]"
    "\n\n[dim]Try it without an account:[/] [cyan]uploader demo[/]",
    epilog=EPILOG,
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they print locals, and locals may hold tokens
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"mmap-uploader {__version__}")
        raise typer.Exit


@app.callback()
def _uploader(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
) -> None:
    pass


app.command(no_args_is_help=True, epilog=EPILOG)(words_sending.publish)
app.command(no_args_is_help=True, epilog=EPILOG)(words_putting.put)
app.command()(words_resuming.resume)
app.command("list")(words_keeping.listing)
app.command(no_args_is_help=True)(words_keeping.show)
app.command(no_args_is_help=True)(words_resuming.resolve)
app.command(no_args_is_help=True)(words_sending.enqueue)
app.command(no_args_is_help=True)(words_pausing.retry)
app.command()(words_pausing.pause)
app.command()(words_pausing.unpause)
app.command(no_args_is_help=True)(words_keeping.forget)
app.command(no_args_is_help=True)(words_keeping.prune)
app.command(no_args_is_help=True)(words_trying.plan)
app.command(no_args_is_help=True)(words_trying.explain)
app.command()(words_doctor.doctor)
app.command()(words_trying.demo)
app.command()(words_trying.sandbox)
app.command()(words_trying.transports)

journal = typer.Typer(help="Look after the journal itself.", no_args_is_help=True)
journal.command(no_args_is_help=True)(words_keeping.restored)
journal.callback()(lambda: None)
app.add_typer(journal, name="journal")

account = typer.Typer(help="Accounts that log in: whose tokens are kept.", no_args_is_help=True)
account.command(no_args_is_help=True)(words_account.login)
account.command(no_args_is_help=True)(words_account.add)
account.command("list")(words_account.listing)
account.command(no_args_is_help=True)(words_account.remove)
account.command(no_args_is_help=True)(words_account.forget)
app.add_typer(account, name="account")


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. Never raises what can be said in a line."""
    try:
        return int(app(list(arguments), prog_name="uploader", standalone_mode=False) or 0)
    except typer.Abort:
        return Exit.INTERRUPTED
    except Exception as error:
        return told(error, debug="--debug" in arguments or "UPLOADER_DEBUG" in os.environ)
