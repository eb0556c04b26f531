"""A picture per suite, as SVG: the charts that the suite names, else rate and cost by contender.

Rule: matplotlib is loaded here only; no date or random name goes into a file, so that the same
figures draw the same picture.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Chart, Report
from benchmarks.suites import cells
from benchmarks.units import GB

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS = 2
_WIDTH, _HEIGHT = 5.2, 3.0  # inches of a chart
_OURS, _OTHERS = "#1f6feb", "#a0a7b0"
_MOST = 8  # charts in a picture: beyond that nobody looks


def draw(report: Report, folder: Path) -> str | None:
    """Write the suite's picture and return its name; None if it has nothing to draw."""
    charts = charts_of(report)[:_MOST]
    if not charts:
        return None
    name = f"{report.suite}.svg"
    (folder / name).write_text(svg(charts))
    return name


def charts_of(report: Report) -> list[Chart]:
    """Return the suite's own charts, and rate and cost of each table of several contenders."""
    charts = list(report.charts)
    if charts:
        return charts
    for section in report.sections:
        if len(section.runs) > 1:
            rates = {
                name: cells.median(runs, lambda run: run.rate) / GB
                for name, runs in section.runs.items()
            }
            costs = {
                name: cells.median(runs, lambda run: run.cpu_per_gb)
                for name, runs in section.runs.items()
            }
            charts.append(Chart(section.title, "GB/s", values=rates))
            charts.append(Chart(section.title, "CPU s/GB", values=costs))
    return charts


def svg(charts: Sequence[Chart]) -> str:
    """Draw charts, two beside each other."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    down = -(-len(charts) // _ACROSS)
    with mpl.rc_context({"svg.hashsalt": "bench", "font.size": 8, "svg.fonttype": "none"}):
        figure = Figure(figsize=(_WIDTH * _ACROSS, _HEIGHT * down), layout="constrained")
        for number, chart in enumerate(charts, 1):
            axes = figure.add_subplot(down, _ACROSS, number)
            axes.set_title(chart.title, fontsize=8)
            (_lines if chart.lines else _bars)(axes, chart)
            axes.spines[["top", "right"]].set_visible(False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return "\n".join(text.rstrip() for text in out.getvalue().splitlines()) + "\n"


def _bars(axes: Axes, chart: Chart) -> None:
    names = list(reversed(chart.values))
    colours = [_OURS if "our" in name or "uploader" in name else _OTHERS for name in names]
    bars = axes.barh(names, [chart.values[name] for name in names], color=colours)
    axes.bar_label(bars, fmt="%.3g", padding=2, fontsize=7)
    axes.set_xlabel(chart.unit)
    axes.margins(x=0.15)


def _lines(axes: Axes, chart: Chart) -> None:
    for name, points in chart.lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
    axes.set_xscale("log", base=2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(chart.across)
    axes.set_ylabel(chart.unit)
    axes.legend(fontsize=7)
