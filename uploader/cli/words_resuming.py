"""The words of the commands over recorded uploads that need a token: `resume` and `resolve`.

Rule: reads the command line only; what a command does is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from uploader.cli.ending import ended
from uploader.cli.options import (
    Bandwidth,
    Concurrency,
    Format,
    JournalPath,
    Json,
    Level,
    LogFormat,
    Preflight,
    TimeLimit,
    TokenFile,
    UploadId,
    Wait,
    level_of,
)


def resume(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or how they begin.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Whatever waits, is due and is not driven by anybody.")
    ] = False,
    processing: Annotated[
        bool,
        typer.Option("--processing", help="Of these only what a destination still works on."),
    ] = False,
    account: Annotated[
        str | None, typer.Option(help="With --all: only the uploads of this account.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Where the file of the one upload is now.")
    ] = None,
    token_file: TokenFile = None,
    journal: JournalPath = None,
    concurrency: Concurrency = 4,
    bandwidth: Bandwidth = None,
    wait: Wait = True,
    preflight: Preflight = True,
    time_limit: TimeLimit = None,
    json: Json = False,
    log_format: Format = LogFormat.console,
    log_level: Level = None,
) -> None:
    """Go on with uploads that were interrupted, suspended or enqueued.

    The destination is asked what it holds; what it has is not sent again.

    [cyan]uploader resume 3f9c[/]

    [cyan]uploader resume --all --time-limit 15m[/]

    [cyan]uploader resume --processing[/]  only watch; no byte is sent
    """

    def command() -> int:
        from uploader.cli import journals
        from uploader.cli.resume import resume as run
        from uploader.cli.running import Manner

        return run(
            ids or [],
            everything=everything or processing,
            processing=processing,
            account=account,
            file=file,
            token_file=token_file,
            manner=Manner(
                wait=wait,
                preflight=preflight,
                time_limit=time_limit,
                concurrency=concurrency,
                bandwidth=bandwidth,
                json=json,
                log_format=cast(Any, str(log_format)),
                log_level=level_of(log_level),
            ),
            where=journals.place(journal),
        )

    ended(command, json=json)


def resolve(
    upload_id: UploadId,
    token_file: TokenFile = None,
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Ask the destination how an upload stands; no byte is sent."""

    def command() -> int:
        from uploader.cli import journals
        from uploader.cli.resume import resolve as run
        from uploader.cli.running import Manner

        return run(
            upload_id,
            token_file=token_file,
            manner=Manner(json=json),
            where=journals.place(journal),
        )

    ended(command, json=json)
