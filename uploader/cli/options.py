"""Options that several commands share, and how their words are read.

Rule: reads words only; what an option means, the command knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from uploader.cli.sizes import parse_size
from uploader.cli.times import parse_duration, parse_moment

T = TypeVar("T")


class LogFormat(StrEnum):
    """How log lines are written."""

    console = "console"
    json = "json"


class LogLevel(StrEnum):
    """The least that is logged."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def _read(parse: Callable[[str], T], text: str) -> T:
    """Parse in typer's way: what cannot be is a usage error."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def size_of(text: str) -> int:
    """Read a size."""
    return _read(parse_size, text)


def seconds_of(text: str) -> float:
    """Read a duration; a bare number is seconds."""
    return _read(lambda words: parse_duration(words, bare="s"), text)


def age_of(text: str) -> float:
    """Read a duration that names its unit."""
    return _read(parse_duration, text)


def moment_of(text: str) -> float:
    """Read a time."""
    return _read(lambda words: parse_moment(words, time.time()), text)


def past_of(text: str) -> float:
    """Read a time, or how long ago it was."""
    now = time.time()

    def parse(words: str) -> float:
        try:
            return now - parse_duration(words)
        except ValueError:
            return parse_moment(words, now)

    return _read(parse, text)


def level_of(level: LogLevel | None) -> str | None:
    """Return the level's name."""
    return str(level) if level is not None else None


To = Annotated[
    str, typer.Option("--to", metavar="NAME", help="The transport; see `uploader transports`.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ChunkSize = Annotated[
    int | None,
    typer.Option(
        parser=size_of, metavar="SIZE", help="About so much per part, e.g. 64MB, 16MiB, 10000000."
    ),
]

# What a post is.
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="MP4, MOV or WebM.")]
Title = Annotated[str | None, typer.Option(help="The caption, # and @ included.")]
Privacy = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="Who may see it, e.g. SELF_ONLY.")
]
Account = Annotated[str | None, typer.Option(help="Whose post it is: a name of your own for it.")]
More = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", metavar="NAME=VALUE", help="Any other of the transport's."),
]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Its first line is the access token.")
]
BaseUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Another API host, e.g. a sandbox.")
]
Key = Annotated[
    str | None,
    typer.Option(
        help="A name of your own for the upload: the same key is the same upload, whatever its"
        " title."
    ),
]

# Which upload of which journal.
JournalPath = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="PATH",
        help="Where uploads are remembered; else $UPLOADER_JOURNAL, else a file of your own.",
    ),
]
UploadId = Annotated[
    str, typer.Argument(metavar="ID", help="The upload's id, or how it begins.", show_default=False)
]
NoJournal = Annotated[
    bool, typer.Option("--no-journal", help="Remember nothing: not resumable, not safe twice.")
]

# How it is driven.
Again = Annotated[bool, typer.Option("--again", help="Post anew, also what was posted before.")]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait",
        help="Wait for the destination to have processed it; --no-wait ends with exit code 4.",
    ),
]
Preflight = Annotated[
    bool,
    typer.Option(
        "--preflight/--no-preflight",
        help="Ask the account and read the file's header first, where the destination offers it.",
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        parser=seconds_of,
        metavar="SECONDS",
        help="Stop after so long, between two parts, with exit code 4; a resume goes on.",
    ),
]
Concurrency = Annotated[int, typer.Option(min=1, help="So many files are sent at once.")]
Bandwidth = Annotated[
    int | None,
    typer.Option(parser=size_of, metavar="SIZE", help="At most so much a second, in all."),
]
Format = Annotated[
    LogFormat, typer.Option(help="json also logs the uploads themselves, without bars.")
]
Level = Annotated[
    LogLevel | None,
    typer.Option(help="By default warning, and info as JSON.", show_default=False),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Serve Prometheus metrics on this port meanwhile."),
]
MetricsHost = Annotated[str, typer.Option(help="The address that metrics are served on.")]
