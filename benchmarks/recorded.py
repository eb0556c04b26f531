"""Compares the ratios of a run with those that were recorded: has anything become worse?

Rule: ratios and counts only, never absolute times or rates, which are a machine's. What improved
is never an error; what was recorded and not measured now is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.report import Report

FILE = Path(__file__).parent / "recorded.json"
TOLERANCE = 0.35
"""Of a ratio, on a noisy machine with two cores; an entry may have its own."""


@dataclass(frozen=True)
class Recorded:
    """One ratio as it was, and how much worse it may be, as a share."""

    value: float
    sense: Literal["at most", "at least"]
    tolerance: float = TOLERANCE

    def worse(self, value: float) -> bool:
        """Whether a value is worse than this one by more than the tolerance."""
        if self.sense == "at most":
            return value > self.value * (1 + self.tolerance)
        return value < self.value * (1 - self.tolerance)


def ratios(reports: Sequence[Report]) -> dict[str, Recorded]:
    """Return what can be compared between machines: the measured figures without a unit."""
    return {
        f"{report.suite}: {limit.name}": Recorded(round(limit.value, 3), limit.sense)
        for report in reports
        for limit in report.limits
        if limit.value is not None and not limit.unit
    }


def load(file: Path = FILE) -> dict[str, Recorded]:
    """Read what was recorded."""
    told: dict[str, dict[str, Any]] = json.loads(file.read_text())
    return {name: Recorded(**each) for name, each in told.items()}


def save(reports: Sequence[Report], file: Path = FILE) -> None:
    """Record the ratios of this run; tolerances that were set by hand stay."""
    before = load(file) if file.exists() else {}
    told = dict(before)
    for name, now in ratios(reports).items():
        tolerance = before[name].tolerance if name in before else TOLERANCE
        told[name] = Recorded(now.value, now.sense, tolerance)
    content = {name: told[name].__dict__ for name in sorted(told)}
    file.write_text(json.dumps(content, indent=1) + "\n")


def complaints(reports: Sequence[Report], before: Mapping[str, Recorded]) -> list[str]:
    """Return a sentence for each ratio that became worse or was not measured."""
    now = ratios(reports)
    suites = {report.suite for report in reports}
    found = []
    for name, was in before.items():
        if name.partition(":")[0] not in suites:
            continue
        if name not in now:
            found.append(f"{name} was {was.value:g}, and was not measured now")
        elif was.worse(now[name].value):
            found.append(
                f"{name} is {now[name].value:g}, it was {was.value:g} "
                f"({was.sense} {100 * was.tolerance:.0f} % off)"
            )
    return found
