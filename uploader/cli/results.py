"""What uploads came to, as a table for people and as a document for machines.

Rule: facts of the results only; no secret is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from uploader.cli.complaints import reference
from uploader.cli.drive import End
from uploader.cli.exits import Exit
from uploader.cli.screen import plain
from uploader.cli.sizes import show_seconds, show_size
from uploader.model import Outcome, UploadResult

_COLOURS = {
    Outcome.DONE: "green",
    Outcome.PROCESSING: "cyan",
    Outcome.FAILED: "red",
    Outcome.UNKNOWN: "yellow",
    Outcome.SUSPENDED: "cyan",
    Outcome.CANCELLED: "yellow",
}

WIDE, MEDIUM = 112, 90


def table(ends: Sequence[End], *, width: int) -> Table:
    """Return one row per file, with as many facts as fit beside the id."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("file", overflow="fold")
    made.add_column("outcome", no_wrap=True)
    shown = _MEASURED if width >= WIDE else _FEWER if width >= MEDIUM else {}
    for name in shown:
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("id", overflow="fold")
    for end in ends:
        result = end.result
        made.add_row(
            Text(plain(end.job.name)),
            Text(str(result.outcome), style=_COLOURS[result.outcome]),
            *(fact(result) for fact in shown.values()),
            Text(plain(reference(result))),
        )
    return made


def rate(result: UploadResult) -> str:
    """Return bytes sent per second of the whole run."""
    if not result.bytes_sent or not result.duration:
        return ""
    return f"{show_size(result.bytes_sent / result.duration)}/s"


_FEWER: dict[str, Callable[[UploadResult], str]] = {
    "time": lambda result: show_seconds(result.duration),
    "rate": rate,
}
_MEASURED: dict[str, Callable[[UploadResult], str]] = {
    "size": lambda result: show_size(result.size),
    "parts": lambda result: str(result.parts),
    **_FEWER,
    "retries": lambda result: str(result.retries),
}


def as_document(ends: Sequence[End], code: Exit) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "exit_code": int(code),
        "results": [
            {"file": end.job.file, **end.result.to_dict(), "recorded": end.recorded} for end in ends
        ],
        "errors": [],
    }
