"""Draws what a real Prometheus says of a real run, panel by panel, as SVG.

Rule: matplotlib is loaded here only. Every line is a query's result; a panel without one says so.
"""

from __future__ import annotations

import io
import math
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grafana.panels import WIDTH, Dashboard, Panel, Row, height, placed
from grafana.prometheus import Prometheus, prometheus, publishing
from grafana.reports import open_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path(__file__).parent / "pictures"
POINTS = 45
"""Samples of a line: enough to see its shape, few enough for a small file."""
INCHES = 0.58
"""Of one grid unit across; half of it down."""
MOST = 6
"""Names that a legend has room for."""
_UNITS: Mapping[str, tuple[float, str]] = {
    "Bps": (1e6, "MB/s"),
    "bytes": (2**20, "MiB"),
    "s": (1.0, "s"),
    "percentunit": (0.01, "%"),
}


@dataclass(frozen=True)
class Span:
    """What time is drawn."""

    start: float
    end: float

    def filled(self, expr: str) -> str:
        """Return an expression as Grafana would send it with every filter at All."""
        rate = max(10, round((self.end - self.start) / 12))
        expr = expr.replace("$__rate_interval", f"{rate}s")
        expr = expr.replace("$__range", f"{math.ceil(self.end - self.start)}s")
        for name in ("job", "instance", "transport", "suite", "setting", "contender"):
            expr = expr.replace(f'"${name}"', '".*"')
        return expr


def draw_all(dashboards: Mapping[str, Dashboard], seconds: float, report: Path | None) -> None:
    """Run, ask and draw each dashboard; the benchmarks' one only where there is a `report`."""
    FOLDER.mkdir(exist_ok=True)
    began = time.time()
    past = open_metrics(report, began - 5) if report is not None else None
    with (
        tempfile.TemporaryDirectory(prefix="uploader-pictures-") as folder,
        publishing() as port,
        prometheus(Path(folder), [port], report=past) as running,
    ):
        threading.Event().wait(seconds)
        ended = time.time()
        for name, dashboard in dashboards.items():
            if name != "benchmarks":
                draw(dashboard, running, Span(began + 5, ended), FOLDER / f"{name}.svg")
            elif past is not None:
                lines = (line.split() for line in past.decode().splitlines() if line[0] != "#")
                first = min(float(line[-1]) for line in lines)
                draw(dashboard, running, Span(first - 1, began), FOLDER / f"{name}.svg")


def draw(dashboard: Dashboard, running: Prometheus, span: Span, path: Path) -> None:
    """Draw one dashboard, laid out as it is on the screen."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {
        "svg.fonttype": "none",  # text stays text: smaller, and found by a search
        "svg.hashsalt": "uploader",
        "font.size": 7,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    from matplotlib import pyplot as plt

    tall = sum(height(row) + 1 for row in dashboard.rows)
    figure = plt.figure(figsize=(WIDTH * INCHES, tall * INCHES / 2))
    top = 0.0
    for row in dashboard.rows:
        figure.text(0.005, 1 - (top + 0.7) / tall, _plain(row.title), fontsize=10, weight="bold")
        for panel, box in _boxes(row, top + 1, tall):
            _draw_panel(figure.add_axes(box), panel, running, span)
        top += height(row) + 1
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    plt.close(figure)
    path.write_text(_small(drawn.getvalue()))


def _small(svg: str) -> str:
    """Return a picture in tenths of a point, finer than any screen, without blanks at line ends."""
    svg = re.sub(r" +$", "", svg, flags=re.MULTILINE)
    return re.sub(r"(\d\.\d)\d+", r"\1", svg)


def _boxes(
    row: Row, top: float, tall: float
) -> Iterator[tuple[Panel, tuple[float, float, float, float]]]:
    """Yield each panel with its left, bottom, width and height as shares of the picture."""
    for panel, x, y in placed(row):
        left, right = 1.1, 0.2
        above, below = 1.0, 1.0
        yield (
            panel,
            (
                (x + left) / WIDTH,
                1 - (top + y + panel.height - below) / tall,
                (panel.width - left - right) / WIDTH,
                (panel.height - above - below) / tall,
            ),
        )


def _draw_panel(axes: Axes, panel: Panel, running: Prometheus, span: Span) -> None:
    factor, unit = _UNITS.get(panel.unit, (1.0, ""))
    axes.set_title(f"{_plain(panel.title)}{f', {unit}' if unit else ''}", fontsize=8, loc="left")
    match panel.shape:
        case "stat":
            _draw_stat(axes, panel, _instant(panel, running, span), factor, unit)
        case "bargauge" | "table":
            _draw_bars(axes, _instant(panel, running, span), factor)
        case _:
            _draw_lines(axes, panel, running, span, factor)


def _instant(panel: Panel, running: Prometheus, span: Span) -> list[tuple[str, float]]:
    at = f"{span.end:.3f}"
    return [
        (_legend(query.legend, one["metric"]), float(one["value"][1]))
        for query in panel.queries
        for one in running.ask("query", query=span.filled(query.expr), time=at)["result"]
    ]


def _draw_stat(
    axes: Axes, panel: Panel, found: list[tuple[str, float]], factor: float, unit: str
) -> None:
    axes.axis("off")
    name, value = found[0] if found else ("no data", math.nan)
    text = name if name and panel.title == "Slowest stage" else f"{value / factor:.3g} {unit}"
    axes.text(0.5, 0.4, text, fontsize=15, ha="center", va="center", color=_colour(panel, value))


def _colour(panel: Panel, value: float) -> str:
    colour = "green"
    for bound, name in panel.thresholds:
        if bound is None or value >= bound:
            colour = name
    return {"yellow": "darkgoldenrod"}.get(colour, colour)


def _draw_bars(axes: Axes, found: list[tuple[str, float]], factor: float) -> None:
    found = found[:12][::-1]
    values = [value / factor for _, value in found]
    axes.barh([name for name, _ in found], values, height=0.7, color="#9ecae1")
    axes.set_xlim(0, axes.get_xlim()[1] * 1.15)  # room for the numbers
    axes.tick_params(axis="y", length=0, pad=-4)
    for label in axes.get_yticklabels():
        label.set_horizontalalignment("left")
    for index, value in enumerate(values):
        axes.text(axes.get_xlim()[1], index, f"{value:,.3g}", ha="right", va="center", fontsize=6)


def _draw_lines(axes: Axes, panel: Panel, running: Prometheus, span: Span, factor: float) -> None:
    step = max(0.5, (span.end - span.start) / POINTS)
    drawn = 0
    for query in panel.queries:
        expr = span.filled(query.expr)
        for one in running.over(expr, span.start, span.end, step):
            times = [float(at) - span.start for at, _ in one["values"]]
            values = [float(value) / factor for _, value in one["values"]]
            label = _legend(query.legend, one["metric"]) if drawn < MOST else None
            marker = "." if len(times) < 5 else None
            axes.plot(times, values, linewidth=1, label=label, marker=marker)
            drawn += 1
    axes.set_xlim(0, span.end - span.start)
    axes.set_ylim(0, axes.get_ylim()[1] * (1.4 if drawn else 1))  # room for the legend
    for bound, colour in panel.thresholds:
        if bound is not None and bound / factor <= axes.get_ylim()[1]:
            axes.axhline(bound / factor, color=colour, linewidth=0.6, linestyle="--")
    axes.tick_params(length=2)
    axes.locator_params(nbins=4)
    if drawn:
        axes.legend(fontsize=5.5, loc="upper left", frameon=False, ncols=2)
    else:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center")


def _legend(template: str, metric: Mapping[str, Any]) -> str:
    for label, value in metric.items():
        template = template.replace(f"{{{{{label}}}}}", str(value))
    return template


def _plain(title: str) -> str:
    """Return a title with every transport in the place of one."""
    return title.replace("$transport", "each transport")
