"""The commands, their options and their help.

Rule: this room only reads the command line; what a command does is imported when it is called, so
that `--help` is there at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from uploader import __version__
from uploader.cli.ending import ended, told
from uploader.cli.exits import Exit
from uploader.cli.options import ChunkSize, Json, LogFormat, LogLevel, To, size_of

EPILOG = (
    "[bold]Exit codes[/]: 0 done, 1 failed, 2 bad input (nothing was sent), 3 outcome unknown (it"
    " may be posted: look before sending it again), 4 not finished (processing, suspended), 130"
    " interrupted. With several files the most serious counts: 130, then 3, 1, 4, 0."
)

app = typer.Typer(
    name="uploader",
    help="Publish large videos: in order, zero-copy, in constant memory."
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


@app.command(no_args_is_help=True, epilog=EPILOG)
def publish(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="MP4, MOV or WebM.")],
    to: To = "tiktok",
    title: Annotated[str | None, typer.Option(help="The caption, # and @ included.")] = None,
    privacy: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="Who may see it, e.g. SELF_ONLY.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Whose post it is: a name of your own for it.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="NAME=VALUE", help="Any other of the transport's."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Its first line is the access token."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Another API host, e.g. a sandbox.")
    ] = None,
    chunk_size: ChunkSize = None,
    concurrency: Annotated[int, typer.Option(min=1, help="So many files are sent at once.")] = 4,
    bandwidth: Annotated[
        int | None,
        typer.Option(parser=size_of, metavar="SIZE", help="At most so much a second, in all."),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait",
            help="Wait for the destination to have processed it; --no-wait ends with exit code 4.",
        ),
    ] = True,
    json: Json = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="json also logs the uploads themselves, without bars.")
    ] = LogFormat.console,
    log_level: Annotated[
        LogLevel | None,
        typer.Option(help="By default warning, and info as JSON.", show_default=False),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Serve Prometheus metrics on this port meanwhile."),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="The address that metrics are served on.")
    ] = "127.0.0.1",
) -> None:
    """Publish videos.

    The access token comes from the environment, [cyan]TIKTOK_ACCESS_TOKEN[/] for TikTok, or from
    --token-file; never from an argument, which every process of the machine could read.

    [cyan]export TIKTOK_ACCESS_TOKEN=...[/]

    [cyan]uploader publish clip.mp4 --title "Hello #world" --privacy SELF_ONLY[/]

    [cyan]uploader publish *.mp4 --privacy SELF_ONLY --concurrency 2 --bandwidth 10MB[/]

    [cyan]uploader publish clip.mp4 --privacy SELF_ONLY --json --log-format json 2>log.jsonl[/]

    Everything is checked before the first byte goes out. Ctrl-C stops within two seconds and says
    what became of each upload; a second one ends at once.
    """

    def command() -> int:
        from uploader.cli import destinations
        from uploader.cli.publish import publish as run

        fields = {
            **destinations.options(option or []),
            "title": title,
            "privacy_level": privacy,
            "account": account,
            "base_url": base_url,
            "chunk_size": chunk_size,
        }
        return run(
            files,
            to=to,
            fields=fields,
            token_file=token_file,
            wait=wait,
            concurrency=concurrency,
            bandwidth=bandwidth,
            json=json,
            log_format=cast(Any, str(log_format)),
            log_level=str(log_level) if log_level else None,
            metrics=(metrics_host, metrics_port) if metrics_port else None,
        )

    ended(command, json=json)


@app.command()
def demo(
    file: Annotated[Path | None, typer.Argument(help="A video of yours.")] = None,
    size: Annotated[
        int | None,
        typer.Option(
            parser=size_of,
            metavar="SIZE",
            help="How large the video that comes along grows.  [dim]\\[default: 256MB][/]",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Publish a video to a sandbox on this machine, and prove what arrived.

    Needs no account and no network: a strict stand-in for TikTok is started on a free port.

    [cyan]uploader demo[/]

    [cyan]uploader demo --size 2GB[/]

    [cyan]uploader demo clip.mp4[/]
    """

    def command() -> int:
        from uploader.cli.demo import demo as run

        return run(file, size=size, json=json)

    ended(command, json=json)


@app.command(no_args_is_help=True)
def plan(
    file: Annotated[Path, typer.Argument(help="The video.")],
    to: To = "tiktok",
    chunk_size: ChunkSize = None,
    json: Json = False,
) -> None:
    """Show how a file would be cut, and why. Sends nothing, needs no token.

    [cyan]uploader plan clip.mp4[/]

    [cyan]uploader plan clip.mp4 --chunk-size 10MB --json[/]
    """

    def command() -> int:
        from uploader.cli.plan import plan as run

        return run(file, to=to, chunk_size=chunk_size, json=json)

    ended(command, json=json)


@app.command()
def sandbox(
    to: To = "tiktok",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 0,
) -> None:
    """Serve a strict stand-in for a destination until Ctrl-C.

    It keeps no bytes, checks every rule, and prints a line per request. Exit code 1 says that a
    client broke a rule.

    [cyan]uploader sandbox --port 8080[/]
    """

    def command() -> int:
        from uploader.cli.sandbox import sandbox as run

        return run(to=to, port=port)

    ended(command)


@app.command()
def transports(json: Json = False) -> None:
    """List the installed transports, their limits and their options."""

    def command() -> int:
        from uploader.cli.listing import listing

        return listing(json=json)

    ended(command, json=json)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. Never raises what can be said in a line."""
    try:
        return int(app(list(arguments), prog_name="uploader", standalone_mode=False) or 0)
    except typer.Abort:
        return Exit.INTERRUPTED
    except Exception as error:
        return told(error, debug="--debug" in arguments or "UPLOADER_DEBUG" in os.environ)
