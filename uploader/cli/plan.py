"""`uploader plan`: how a file would be cut, and why; nothing is sent and no token is needed.

Rule: the same check as before an upload, so that what is planned here is what would be done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from uploader import registry
from uploader.api import Uploader
from uploader.cli import destinations, screen
from uploader.cli.checking import Checked, checked
from uploader.cli.exits import Exit
from uploader.cli.sizes import show_size
from uploader.model import Part
from uploader.secret import Secret
from uploader.transport import Capabilities, Order, TailRule

_FIRST, _LAST = 3, 2
"""So many ranges of a long plan are shown from either end."""


def plan(file: Path, *, to: str, chunk_size: int | None, json: bool) -> int:
    """Show the plan and return the exit code."""
    factory = registry.load(to)
    destination = destinations.stand_in(
        factory, None, {"chunk_size": chunk_size} if chunk_size else {}
    )
    # Nothing is signed: the check only wants to know that a credential could be had.
    uploader = Uploader(credentials=lambda transport, account: Secret(""), metrics=False)
    (job,) = checked(uploader, [(file, destination)])
    limits = destination.transport().capabilities
    if json:
        screen.document(_document(job, to, limits))
    else:
        screen.stdout().print(_page(job, to, limits))
    return Exit.DONE


def _page(job: Checked, to: str, limits: Capabilities) -> RenderableType:
    cut = job.plan
    parts = "1 part" if cut.count == 1 else f"{cut.count} parts"
    name = f"{screen.plain(job.file.name)} ({job.spec.content_type})"
    head = Text(f"{name}: {cut.size:,} bytes to {to} in {parts}", "bold")
    why = Group(*(Text(f"- {sentence}") for sentence in reasons(job, limits)))
    return Group(
        "", head, "", _ranges(job), Text("Why so:"), "", Padding(why, (0, 0, 1, 0), expand=False)
    )


def _ranges(job: Checked) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("part", "first byte", "last byte", "length"):
        made.add_column(name, justify="right", no_wrap=True)
    for part in _ends(list(job.plan)):
        if part is None:
            made.add_row("...", "...", "...", "...")
        else:
            made.add_row(
                str(part.index + 1), str(part.start), str(part.stop - 1), f"{part.length:,}"
            )
    return made


def _ends(parts: list[Part]) -> list[Part | None]:
    if len(parts) <= _FIRST + _LAST + 1:
        return list(parts)
    return [*parts[:_FIRST], None, *parts[-_LAST:]]


def reasons(job: Checked, limits: Capabilities) -> list[str]:
    """Return the rules that made the plan what it is, in words and with its numbers."""
    cut = job.plan
    said = []
    if cut.count == 1:
        said.append(f"A file of up to {limits.max_single:,} bytes goes as one part.")
    elif limits.tail is TailRule.MERGED:
        said += [
            f"More than {limits.max_single:,} bytes must be several parts;"
            f" about {limits.part_size:,} bytes each are wanted.",
            f"The number of parts is the size divided by the part size, rounded down:"
            f" {cut.size:,} / {cut.part_size:,} = {cut.count}.",
            f"The last part takes the rest, {cut.last_length - cut.part_size:,} bytes more than the"
            f" others; it may have up to {limits.max_last_part:,}.",
        ]
    else:
        said += [
            f"Each part has {cut.part_size:,} bytes.",
            f"What is left over is a smaller last part of {cut.last_length:,} bytes.",
        ]
    said.append(
        f"Limits: {limits.min_part:,} to {limits.max_part:,} bytes a part,"
        f" {limits.max_parts:,} parts, {limits.max_size:,} bytes in all."
    )
    if limits.order is Order.SEQUENTIAL:
        said.append("Parts go one after the other, in order.")
    if limits.session_lifetime:
        slowest = show_size(cut.size / limits.session_lifetime)
        said.append(
            f"The address to upload to lives {limits.session_lifetime / 60:.0f} minutes:"
            f" at least {slowest} a second must get through."
        )
    return said


def _document(job: Checked, to: str, limits: Capabilities) -> dict[str, Any]:
    cut = job.plan
    return {
        "exit_code": int(Exit.DONE),
        "file": str(job.file),
        "transport": to,
        "content_type": job.spec.content_type,
        "size": cut.size,
        "part_size": cut.part_size,
        "parts": cut.count,
        "last_part_size": cut.last_length,
        "ranges": [[part.start, part.stop - 1] for part in cut],
        "why": reasons(job, limits),
    }
