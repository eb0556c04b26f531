"""The words of the commands that need no account: `demo`, `explain`, `plan`, `sandbox`,
`transports`.

Rule: reads the command line only; what a command does is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uploader.cli.ending import ended
from uploader.cli.options import ChunkSize, Json, To, size_of


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


def sandbox(
    to: To = "tiktok",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 0,
    webhooks: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Tell this address what becomes of posts."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep what arrives here, so that its page plays it."),
    ] = None,
) -> None:
    """Serve a strict stand-in for a destination until Ctrl-C.

    It checks every rule, keeps no bytes unless told where, and prints a line per request. Exit
    code 1 says that a client broke a rule.

    [cyan]uploader sandbox --port 8080[/]
    """

    def command() -> int:
        from uploader.cli.sandbox import sandbox as run

        return run(to=to, port=port, webhooks=webhooks, keep=keep)

    ended(command)


def transports(json: Json = False) -> None:
    """List the installed transports, their limits and their options."""

    def command() -> int:
        from uploader.cli.listing import listing

        return listing(json=json)

    ended(command, json=json)


def explain(
    code: Annotated[str, typer.Argument(help="Of an error, a refusal or a failed post.")],
    json: Json = False,
) -> None:
    """Say what an error's code means, and what to do about it.

    [cyan]uploader explain spam_risk_too_many_posts[/]
    """

    def command() -> int:
        from uploader.cli.explain import explain as run

        return run(code, json=json)

    ended(command, json=json)
