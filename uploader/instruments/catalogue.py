"""Writes the lists of events and metrics into the documentation, from the code.

Rule: run as `python -m uploader.instruments.catalogue [DIRECTORY]`; it replaces what stands between
the marks in events.md and metrics.md, and nothing else.
"""

from __future__ import annotations

import ast
import inspect
import logging
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from uploader import events
from uploader.instruments.logs import RENAMED, event_name, level_of
from uploader.instruments.table import METRICS, Kind, Metric

BEGIN = "<!-- written by python -m uploader.instruments.catalogue: do not edit below -->"
END = "<!-- written up to here -->"
_KIND = {Kind.READ: "gauge, read at the scrape"}


def kinds() -> list[type[events.Event]]:
    """Return every kind of event that can happen, in the order of the module."""
    found = [kind for kind in vars(events).values() if _is_event(kind)]
    return [kind for kind in found if not kind.__subclasses__()]


def written(document: str, text: str) -> str:
    """Return `document` with `text` between its marks."""
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no place for the list: {BEGIN!r} to {END!r}")
    return f"{head}{BEGIN}\n\n{text}\n{END}{tail}"


def events_text() -> str:
    """Return the list of events."""
    common = _rows(events.Event)
    parts = [f"Every event has:\n\n{_table(common)}"]
    known = {name for name, *_ in common}
    for kind in kinds():
        rows = [row for row in _rows(kind) if row[0] not in known]
        level = logging.getLevelName(level_of(kind)).lower()
        parts.append(f"## {event_name(kind)}\n\n`{kind.__name__}`, {level}. {_about(kind)}")
        if rows:
            parts.append(_table(rows))
    return "\n\n".join(parts) + "\n"


def metrics_text() -> str:
    """Return the list of metrics, and their buckets."""
    rows = [
        (f"`{m.full_name}`", _KIND.get(m.kind, str(m.kind)), _labels(m), m.help) for m in METRICS
    ]
    lines = ["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    buckets: dict[tuple[float, ...], list[str]] = {}
    for metric in METRICS:
        if metric.buckets:
            buckets.setdefault(metric.buckets, []).append(f"`{metric.full_name}`")
    lines += ["", "Buckets, in seconds:", ""]
    lines += [
        f"- {', '.join(names)}: {', '.join(f'{edge:g}' for edge in edges)}"
        for edges, names in buckets.items()
    ]
    return "\n".join(lines) + "\n"


DOCUMENTS = {"events.md": events_text, "metrics.md": metrics_text}


def main(directory: Path) -> None:
    """Write the lists into the documents of a directory."""
    for name, text in DOCUMENTS.items():
        path = directory / name
        path.write_text(written(path.read_text(), text()))


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, events.Event)


def _labels(metric: Metric) -> str:
    return ", ".join(metric.labels) or "none"


def _about(kind: type[events.Event]) -> str:
    """Return what a class says of itself; what dataclasses make up is nothing."""
    doc = kind.__dict__.get("__doc__") or ""
    return "" if doc.startswith(f"{kind.__name__}(") else inspect.cleandoc(doc)


def _rows(kind: type[events.Event]) -> list[tuple[str, str, str]]:
    """Return name, type and meaning of each field; the name is that in logs."""
    meanings = {
        name: text for base in reversed(kind.__mro__[:-1]) for name, text in _field_docs(base)
    }
    return [(f.name, str(f.type), meanings.get(f.name, "")) for f in fields(kind)]


def _field_docs(kind: type) -> Iterator[tuple[str, str]]:
    """Find the texts that stand below fields in the source; no object keeps them."""
    (node,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(node, ast.ClassDef)
    for field, after in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield field.target.id, inspect.cleandoc(text)


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = ["| Field | Type | Meaning |", "|---|---|---|"]
    for name, kind, meaning in rows:
        in_logs = f" (in logs `{RENAMED[name]}`)" if name in RENAMED else ""
        lines.append(f"| `{name}`{in_logs} | {kind.replace('|', chr(92) + '|')} | {meaning} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["docs"]))
