"""The few statistics that the tables print.

Rule: pure; no I/O, clock or random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import linear_regression, median


@dataclass(frozen=True)
class Spread:
    """Median and extremes of one figure over the runs of one contender."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def over(cls, values: Sequence[float]) -> Spread:
        """Summarise `values`; refuses none, because a median of nothing is not zero."""
        if not values:
            raise ValueError("no values to summarise")
        return cls(median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: a value that was really seen, never interpolated."""
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    rank = ceil(percent / 100 * len(ordered))
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def pair_ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide run by run, so that a disturbance of the machine hits both sides of one ratio."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def fairness(rates: Sequence[float]) -> float:
    """Return the slowest rate as a share of the mean rate; 1.0 is perfectly fair."""
    if not rates:
        raise ValueError("no rates to compare")
    mean = sum(rates) / len(rates)
    return min(rates) / mean if mean else 0.0


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much y grows with x, fitted by least squares; needs two different x."""
    if len({x for x, _ in points}) < 2:
        raise ValueError("no slope through one point")
    return linear_regression([x for x, _ in points], [y for _, y in points]).slope
