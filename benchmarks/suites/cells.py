"""Figures as the tables write them.

Rule: pure; medians with their extremes, so that no table shows a lucky run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.runner import Run
from benchmarks.stats import Spread
from benchmarks.units import GB, MIB


def spread(runs: Sequence[Run], figure: Callable[[Run], float], digits: int = 2) -> str:
    """Write `median (low to high)` of one figure."""
    seen = Spread.over([figure(run) for run in runs])
    if seen.count == 1:
        return f"{seen.median:.{digits}f}"
    return f"{seen.median:.{digits}f} ({seen.low:.{digits}f} to {seen.high:.{digits}f})"


def median(runs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """Return the median of one figure."""
    return Spread.over([figure(run) for run in runs]).median


def rate(runs: Sequence[Run]) -> str:
    """Write GB/s."""
    return spread(runs, lambda run: run.rate / GB)


def cpu(runs: Sequence[Run]) -> str:
    """Write processor seconds per GB as `total = user + system`, medians each."""
    gigabytes = [run.size / GB for run in runs]
    user = Spread.over([run.user / size for run, size in zip(runs, gigabytes, strict=True)])
    system = Spread.over([run.system / size for run, size in zip(runs, gigabytes, strict=True)])
    total = Spread.over([run.cpu_per_gb for run in runs])
    return f"{total.median:.2f} = {user.median:.2f} + {system.median:.2f}"


def worst_mib(values: Sequence[int | None]) -> float | None:
    """Return the largest in MiB; None if any is unknown, because a peak may hide there."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return None
    return max(known) / MIB


def mib_text(values: Sequence[int | None]) -> str:
    """Write the largest in MiB."""
    worst = worst_mib(values)
    return "n/a" if worst is None else f"{worst:.1f}"
