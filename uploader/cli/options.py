"""Options that several commands share, and how their words are read.

Rule: reads words only; what an option means, the command knows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from uploader.cli.sizes import parse_size


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


def size_of(text: str) -> int:
    """Read a size; say in typer's way when it is none."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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
