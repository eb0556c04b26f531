"""The words of the commands that take files: `publish` and `enqueue`.

Rule: reads the command line only; what a command does is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from uploader.cli.ending import ended
from uploader.cli.options import (
    Account,
    Again,
    Bandwidth,
    BaseUrl,
    ChunkSize,
    Concurrency,
    Files,
    Format,
    JournalPath,
    Json,
    Key,
    Level,
    LogFormat,
    MetricsHost,
    MetricsPort,
    More,
    NoJournal,
    Preflight,
    Privacy,
    TimeLimit,
    Title,
    To,
    TokenFile,
    Wait,
    level_of,
    moment_of,
)

if TYPE_CHECKING:
    from uploader.cli.publish import Post


def publish(
    files: Files,
    to: To = "tiktok",
    title: Title = None,
    privacy: Privacy = None,
    account: Account = None,
    option: More = None,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
    chunk_size: ChunkSize = None,
    key: Key = None,
    again: Again = False,
    journal: JournalPath = None,
    no_journal: NoJournal = False,
    concurrency: Concurrency = 4,
    bandwidth: Bandwidth = None,
    wait: Wait = True,
    preflight: Preflight = True,
    time_limit: TimeLimit = None,
    json: Json = False,
    log_format: Format = LogFormat.console,
    log_level: Level = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
) -> None:
    """Publish videos, each of them once.

    The access token comes from the environment, [cyan]TIKTOK_ACCESS_TOKEN[/] for TikTok, or from
    --token-file; never from an argument, which every process of the machine could read.

    [cyan]export TIKTOK_ACCESS_TOKEN=...[/]

    [cyan]uploader publish clip.mp4 --title "Hello #world" --privacy SELF_ONLY --account acme[/]

    [cyan]uploader publish *.mp4 --privacy SELF_ONLY --concurrency 2 --bandwidth 10MB[/]

    [cyan]uploader publish clip.mp4 --privacy SELF_ONLY --json --log-format json 2>log.jsonl[/]

    Everything is checked before the first byte goes out; what the account or the file's header
    rules out is refused with every reason at once. A journal remembers every upload: the same
    command again goes on where it was interrupted, and sends nothing that is posted already. Ctrl-C
    stops within two seconds and says what became of each upload; a second one ends at once.
    """

    def command() -> int:
        from uploader.cli import journals
        from uploader.cli.publish import publish as run
        from uploader.cli.running import Manner

        return run(
            files,
            _post(
                to,
                token_file,
                key,
                option,
                **_fields(title, privacy, account, base_url, chunk_size),
            ),
            again=again,
            manner=Manner(
                wait=wait,
                preflight=preflight,
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


def enqueue(
    files: Files,
    to: To = "tiktok",
    title: Title = None,
    privacy: Privacy = None,
    account: Account = None,
    option: More = None,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
    chunk_size: ChunkSize = None,
    key: Key = None,
    not_before: Annotated[
        float | None,
        typer.Option(parser=moment_of, metavar="TIME", help="ISO 8601, or +2h from now."),
    ] = None,
    not_after: Annotated[
        float | None,
        typer.Option(parser=moment_of, metavar="TIME", help="Later than that it is not sent."),
    ] = None,
    journal: JournalPath = None,
    json: Json = False,
) -> None:
    """Record videos to be sent later by `uploader resume --all`; nothing is sent now.

    With --account no token is needed yet.

    [cyan]uploader enqueue clip.mp4 --privacy SELF_ONLY --account acme --not-before +2h[/]
    """

    def command() -> int:
        from uploader.cli import journals
        from uploader.cli.publish import enqueue as run

        return run(
            files,
            _post(
                to,
                token_file,
                key,
                option,
                **_fields(title, privacy, account, base_url, chunk_size),
            ),
            not_before=not_before,
            not_after=not_after,
            where=journals.place(journal),
            json=json,
        )

    ended(command, json=json)


def _fields(
    title: str | None,
    privacy: str | None,
    account: str | None,
    base_url: str | None,
    chunk_size: int | None,
) -> dict[str, Any]:
    return {
        "title": title,
        "privacy_level": privacy,
        "account": account,
        "base_url": base_url,
        "chunk_size": chunk_size,
    }


def _post(
    to: str, token_file: Path | None, key: str | None, option: list[str] | None, **fields: Any
) -> Post:
    from uploader.cli import destinations
    from uploader.cli.publish import Post

    fields = {**destinations.options(option or []), **fields}
    return Post(to=to, fields=fields, token_file=token_file, key=key)
