"""`uploader list` and `uploader show`: what the journal knows.

Rule: reads only; no secret is among the facts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from uploader import registry
from uploader.cli import journals, pauses, screen
from uploader.cli.exits import Exit
from uploader.cli.journals import Place
from uploader.cli.screen import plain
from uploader.cli.sizes import show_size
from uploader.cli.states import Meaning, meaning
from uploader.cli.times import iso, show_moment
from uploader.errors import UploaderError
from uploader.journal import Entry, Pause, State
from uploader.transport import Capabilities

COLOURS: Final = {
    State.DONE: "green",
    State.FAILED: "red",
    State.UNKNOWN: "yellow",
    State.COMMITTING: "yellow",
    State.CANCELLED: "dim",
}
WIDE: Final = 100


def listing(*, journal: Path | None, states: Sequence[State] | None, limit: int, json: bool) -> int:
    """Show the uploads that changed last and return the exit code."""
    where = journals.place(journal)
    entries: Sequence[Entry] = []
    standing: Sequence[Pause] = []
    if where.named or where.exists:
        with journals.opened(where) as book:
            entries = book.latest(limit, states=states or None)
            standing = book.pauses()
    if json:
        screen.document(
            {
                "exit_code": 0,
                "uploads": [as_document(entry) for entry in entries],
                "pauses": [pauses.as_document(each) for each in standing],
            }
        )
        return Exit.DONE
    for each in standing:
        screen.remark(plain(pauses.line(each)))
    if entries:
        console = screen.stdout()
        console.print(_table(entries, wide=console.width >= WIDE))
    else:
        screen.remark(f"no uploads in {where}")
    return Exit.DONE


def show(upload_id: str, *, journal: Path | None, json: bool) -> int:
    """Show one upload, what its state means and what to do next."""
    where = journals.place(journal)
    with journals.opened(where) as book:
        entry = journals.find(book, upload_id)
        held = pauses.of(entry, book.pauses())
    means = meaning(entry, limits_of(entry), time.time())
    if json:
        document = {**as_document(entry), "pauses": [pauses.as_document(each) for each in held]}
        screen.document({"exit_code": 0, **document, **_advice(means, entry, where)})
    else:
        screen.stdout().print(_page(entry, means, where))
        for each in held:
            screen.say(plain(pauses.line(each)))
    return Exit.DONE


def as_document(entry: Entry) -> dict[str, Any]:
    """Return an upload as JSON-able facts."""
    return {
        "upload_id": entry.upload_id,
        "state": str(entry.state),
        "holder": entry.holder,
        "transport": entry.transport,
        "account": entry.account,
        "key": entry.key,
        "name": entry.name,
        "source": entry.source,
        "size": entry.plan.size,
        "parts": entry.plan.count,
        "confirmed_parts": entry.confirmed,
        "confirmed_bytes": confirmed_bytes(entry),
        "location": entry.location,
        "fields": dict(entry.fields),
        "destination": dict(entry.destination),
        "error": dict(entry.error) if entry.error is not None else None,
        "created": iso(entry.created),
        "updated": iso(entry.updated),
        "not_before": iso(entry.not_before),
        "not_after": iso(entry.not_after),
        "runs": entry.runs,
    }


def confirmed_bytes(entry: Entry) -> int:
    """Return how many bytes of an upload are confirmed."""
    whole = entry.state in (State.PROCESSING, State.DONE) or entry.confirmed >= entry.plan.count
    return entry.plan.size if whole else entry.confirmed * entry.plan.part_size


def reference(entry: Entry) -> str:
    """Return what a person finds the post by."""
    if entry.location:
        return entry.location
    ids = (value for name, value in entry.fields.items() if name.endswith("_id") and value)
    return str(next(ids, ""))


def limits_of(entry: Entry) -> Capabilities | None:
    """Return the limits of the very post: one transport may have several kinds of them."""
    try:
        factory = registry.load(entry.transport)
        try:
            return factory.destination(None, entry.destination).transport().capabilities
        except UploaderError:  # a pruned entry has no destination any more
            return factory.capabilities
    except UploaderError:
        return None


def _table(entries: Sequence[Entry], *, wide: bool) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("upload", "state"):
        made.add_column(name, no_wrap=True)
    made.add_column("file", overflow="fold")
    made.add_column("confirmed", justify="right", no_wrap=True)
    if wide:
        made.add_column("account", overflow="fold")
        made.add_column("changed", no_wrap=True)
        made.add_column("", overflow="fold")
    for entry in entries:
        row: list[RenderableType] = [
            Text(entry.upload_id),
            Text(str(entry.state), COLOURS.get(entry.state, "cyan")),
            Text(plain(entry.name)),
            f"{show_size(confirmed_bytes(entry))} of {show_size(entry.plan.size)}",
        ]
        if wide:
            note = f"driven by {entry.holder}" if entry.holder else reference(entry)
            row += [
                Text(plain(entry.account or "")),
                show_moment(entry.updated),
                Text(plain(note)),
            ]
        made.add_row(*row)
    return made


def _page(entry: Entry, means: Meaning, where: Place) -> RenderableType:
    facts = Table.grid(padding=(0, 3))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(entry).items():
        facts.add_row(name, Text(plain(value)))
    head = Text(f"{entry.upload_id}  ", "bold")
    head.append(str(entry.state), COLOURS.get(entry.state, "cyan"))
    rows: list[RenderableType] = ["", head, "", Text(means.says), ""]
    rows.append(Padding(facts, (0, 0, 0, 2), expand=False))
    if means.steps:
        steps = Table.grid(padding=(0, 3))
        steps.add_column(style="dim", overflow="fold")
        steps.add_column(style="cyan", overflow="fold")
        for purpose, verb in means.steps:
            steps.add_row(
                f"  {purpose}", Text(where.command(verb, entry.upload_id) if verb else "")
            )
        rows += ["", "Next:", steps]
    return Group(*rows, "")


def _facts(entry: Entry) -> dict[str, str]:
    size, error = entry.plan.size, entry.error
    facts = {
        "file": entry.source or entry.name,
        "size": f"{size:,} bytes in {entry.plan.count} parts",
        "confirmed": f"{confirmed_bytes(entry):,} bytes",
        "to": entry.transport + (f", account {entry.account}" if entry.account else ""),
        "key": entry.key or "",
        "post": reference(entry),
        "error": str(error.get("message", "")) if error is not None else "",
        "recorded": show_moment(entry.created),
        "changed": show_moment(entry.updated),
        "not before": show_moment(entry.not_before) if entry.not_before is not None else "",
        "not after": show_moment(entry.not_after) if entry.not_after is not None else "",
        "runs": str(entry.runs),
    }
    return {name: value for name, value in facts.items() if value}


def _advice(means: Meaning, entry: Entry, where: Place) -> dict[str, Any]:
    return {
        "meaning": means.says,
        "next": [
            {"purpose": purpose, "command": where.command(verb, entry.upload_id) if verb else None}
            for purpose, verb in means.steps
        ],
    }
