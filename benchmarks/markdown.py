"""A report as Markdown: verdicts first, then every table, with machine and versions.

Rule: the figures are the report's own; nothing is measured or judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.machine import line as machine_line
from benchmarks.report import Limit, Report

FILE = "report.md"


def render(reports: Sequence[Report], machine: dict[str, Any], pictures: dict[str, str]) -> str:
    """Return the page; `pictures` holds the file name of each suite's picture."""
    parts = ["# Benchmarks", machine_line(machine) + ".", *_verdicts(reports)]
    for report in reports:
        parts.append(f"## {report.suite}")
        parts.append(report.question[0].upper() + report.question[1:])
        if report.suite in pictures:
            parts.append(f"![{report.suite}]({pictures[report.suite]})")
        for section in report.sections:
            parts += [f"### {section.title}", table(section.columns, section.rows)]
        if report.limits:
            parts += ["### figures to reach", _limits(report.limits)]
        notes = [f"- {note}" for note in report.notes]
        notes += [
            f"- missing: {name} was not run, it needs {', '.join(needs)}"
            for name, needs in report.missing.items()
        ]
        if notes:
            parts.append("\n".join(notes))
    return "\n\n".join(parts) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column is left-aligned, the others right."""
    lines = [_row(columns), _row(["---", *["---:"] * (len(columns) - 1)])]
    return "\n".join([*lines, *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _verdicts(reports: Sequence[Report]) -> list[str]:
    every = [limit for report in reports for limit in report.limits]
    if not every:
        return []
    reached = sum(limit.reached is True for limit in every)
    unknown = sum(limit.reached is None for limit in every)
    return [f"{reached} of {len(every)} figures reached, {unknown} not measured."]


def _limits(limits: Sequence[Limit]) -> str:
    rows = [(limit.name, limit.value_text, limit.bound_text, limit.verdict) for limit in limits]
    return table(("figure", "measured", "bound", "verdict"), rows)
