"""Where the command writes: results to stdout, everything else to stderr.

Rule: names and answers of others are shown without control characters, so that none of them can
drive the terminal; a reader that went away (`| head`) is no error.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from uploader.cli import host

PIPE_WIDTH = 200
"""Columns of a table that no terminal limits."""


class Screen(Console):
    """A console that outlives its reader and does not squeeze tables into a pipe."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        piped = not stream.isatty() and "COLUMNS" not in os.environ
        super().__init__(
            stderr=stderr, width=PIPE_WIDTH if piped else None, highlight=False, markup=False
        )

    def on_broken_pipe(self) -> None:
        _forget(sys.stderr if self.stderr else sys.stdout)


def stdout() -> Screen:
    """Return the console for results."""
    return Screen()


def stderr() -> Screen:
    """Return the console for progress."""
    return Screen(stderr=True)


def busy(doing: str) -> AbstractContextManager[object]:
    """Say what is being done while the context lasts, where somebody looks."""
    console = stderr()
    return console.status(doing) if console.is_terminal else nullcontext()


def plain(text: object) -> str:
    """Return text with everything that is not printable replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def complain(text: str) -> None:
    """Write one error line to stderr."""
    _write(sys.stderr, _tinted("error: ", "31") + plain(text))


def remark(text: str) -> None:
    """Write one line that is no error to stderr."""
    _write(sys.stderr, plain(text))


def say(text: str) -> None:
    """Write lines to stdout, at once."""
    _write(sys.stdout, text)


def command() -> str:
    """Return how this command is called from here: by its name if the shell finds it."""
    if (application := host.current()) is not None:
        return application.command
    called = Path(sys.argv[0])
    found = shutil.which("uploader")
    if found is None or not called.exists() or not called.samefile(found):
        return shlex.quote(str(called)) if called.name == "uploader" else "uploader"
    return "uploader"


def document(facts: dict[str, Any]) -> None:
    """Write one JSON document to stdout."""
    _write(sys.stdout, json.dumps(facts, indent=2))


def _tinted(text: str, colour: str) -> str:
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def _write(stream: IO[str], line: str) -> None:
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        _forget(stream)


def _forget(stream: IO[str]) -> None:
    """Let what is written to a stream that nobody reads go nowhere, at exit too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
