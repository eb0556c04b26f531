"""The words of `put`.

Rule: reads the command line only; what it does is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from uploader.cli.ending import ended
from uploader.cli.options import (
    Again,
    Bandwidth,
    Concurrency,
    Format,
    JournalPath,
    Json,
    Key,
    Level,
    LogFormat,
    MetricsHost,
    MetricsPort,
    NoJournal,
    TimeLimit,
    TokenFile,
    Wait,
    level_of,
)


def put(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="What to upload.")],
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help='Where to; in one that ends in "/", by its own name.'),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="NAME=VALUE",
            help="A further option of the destination; see `uploader transports`.",
        ),
    ] = None,
    token_file: TokenFile = None,
    key: Key = None,
    again: Again = False,
    journal: JournalPath = None,
    no_journal: NoJournal = False,
    concurrency: Concurrency = 4,
    bandwidth: Bandwidth = None,
    wait: Wait = True,
    time_limit: TimeLimit = None,
    json: Json = False,
    log_format: Format = LogFormat.console,
    log_level: Level = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
) -> None:
    """Put files where a URL says: object stores and upload servers.

    [cyan]uploader put backup.tar s3://bucket/nightly/backup.tar[/]

    [cyan]uploader put *.mp4 s3://bucket/films/ --set storage_class=STANDARD_IA[/]

    [cyan]uploader put clip.mp4 gs://bucket/clip.mp4 --set cache_control=no-store[/]

    [cyan]uploader put clip.mp4 tus+https://uploads.example.com/files/ --set parallel=4[/]

    Object stores sign with what their own tools find: AWS_ACCESS_KEY_ID or a profile, Google's
    application default credentials. Where a token is needed, --token-file brings it.

    The journal, Ctrl-C, resume and the exit codes are those of `publish`: the same command again
    goes on where it was interrupted, and sends nothing that is there already.
    """

    def command() -> int:
        from uploader.cli import journals
        from uploader.cli.put import put as run
        from uploader.cli.running import Manner

        return run(
            files,
            url,
            settings=settings or [],
            token_file=token_file,
            key=key,
            again=again,
            manner=Manner(
                wait=wait,
                time_limit=time_limit,
                concurrency=concurrency,
                bandwidth=bandwidth,
                json=json,
                log_format=cast(Any, str(log_format)),
                log_level=level_of(log_level),
                metrics=(metrics_host, metrics_port) if metrics_port else None,
            ),
            where=journals.place(journal, none=no_journal),
        )

    ended(command, json=json)
