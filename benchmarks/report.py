"""What a suite found, and how it is shown: a table for people, JSON for machines.

Rule: a suite fills a `Report` and prints nothing; a limit knows by itself whether it is reached.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.machine import line as machine_line
from benchmarks.runner import Run


@dataclass(frozen=True)
class Limit:
    """A figure to reach; `value` is None if what it compares was not run."""

    name: str
    value: float | None
    bound: float
    sense: Literal["at most", "at least"]
    unit: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the figure holds; None if it was not measured."""
        if self.value is None:
            return None
        if self.sense == "at most":
            return self.value <= self.bound
        return self.value >= self.bound

    @property
    def verdict(self) -> str:
        """The word the table shows."""
        return {True: "REACHED", False: "NOT REACHED", None: "NOT MEASURED"}[self.reached]

    @property
    def value_text(self) -> str:
        """What was measured, as the table shows it."""
        return "n/a" if self.value is None else f"{self.value:.2f} {self.unit}".strip()

    @property
    def bound_text(self) -> str:
        """What is to be reached, as the table shows it."""
        return f"{self.sense} {self.bound:.3g} {self.unit}".strip()

    def to_dict(self) -> dict[str, Any]:
        """Return the limit as JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "bound": self.bound,
            "sense": self.sense,
            "unit": self.unit,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Section:
    """One table: a setting (size, plain or TLS) and one row per contender."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    runs: dict[str, list[Run]] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the table and every run behind it as JSON."""
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "runs": {name: [run.to_dict() for run in runs] for name, runs in self.runs.items()},
        }


@dataclass(frozen=True)
class Chart:
    """What a picture shows: bars of one figure by name, or lines over a measure such as a count.

    `values` holds one figure for each name; `lines` (x, y) pairs for each name instead.
    """

    title: str
    unit: str
    values: dict[str, float] = field(default_factory=dict)
    lines: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    across: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the chart as JSON."""
        return asdict(self)


@dataclass
class Report:
    """The answer of one suite."""

    suite: str
    question: str
    sections: list[Section] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    charts: list[Chart] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        """Whether no limit failed; what was not measured does not fail."""
        return all(limit.reached is not False for limit in self.limits)

    def to_dict(self, machine: dict[str, Any]) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "suite": self.suite,
            "question": self.question,
            "machine": machine,
            "sections": [section.to_dict() for section in self.sections],
            "limits": [limit.to_dict() for limit in self.limits],
            "notes": self.notes,
            "missing": self.missing,
            "charts": [chart.to_dict() for chart in self.charts],
        }


def show(report: Report, machine: dict[str, Any], console: Console) -> None:
    """Print the report."""
    console.print(f"\n[bold]{report.suite}[/bold]: {report.question}")
    console.print(machine_line(machine), style="dim")
    for section in report.sections:
        console.print(_section_table(section))
    if report.limits:
        console.print(_limit_table(report.limits))
    for note in report.notes:
        console.print(f"· {note}", style="dim")
    for name, packages in report.missing.items():
        console.print(f"[yellow]missing:[/yellow] {name} was not run, it needs {packages}")


def _section_table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left")
    for number, column in enumerate(section.columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in section.rows:
        table.add_row(*row)
    return table


def _limit_table(limits: list[Limit]) -> Table:
    table = Table(title="limits", title_justify="left")
    for column in ("figure", "measured", "bound", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    colours = {True: "green", False: "red", None: "yellow"}
    for limit in limits:
        cells = (limit.name, limit.value_text, limit.bound_text, limit.verdict)
        table.add_row(*cells, style=colours[limit.reached])
    return table
