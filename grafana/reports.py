"""Reports of `python -m benchmarks … --json FILE` as series for Prometheus.

Rule: the numbers are the report's; nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest

from benchmarks.stats import percentile

PREFIX = "uploader_bench_"
_OF_RUNS = ("suite", "setting", "contender")
_OF_LIMITS = ("suite", "figure")
SERIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "bytes_per_second": ("Bytes a second of wall time", _OF_RUNS),
    "cpu_seconds_per_gigabyte": ("Processor seconds per 10**9 bytes", _OF_RUNS),
    "sink_cpu_seconds_per_gigabyte": ("The same of the peer that is sent to", _OF_RUNS),
    "peak_over_idle_bytes": ("Highest resident memory above the idle process", _OF_RUNS),
    "lateness_seconds": ("99 of 100 turns of the caller's loop are no later", _OF_RUNS),
    "limit_value": ("A figure that is to be reached", _OF_LIMITS),
    "limit_bound": ("What it is to reach", _OF_LIMITS),
    "limit_reached": ("1 when it is reached, else 0", _OF_LIMITS),
}
"""Name without prefix: (meaning, labels)."""


def open_metrics(report: Path, ended: float | None = None) -> bytes:
    """Return a report as text for `promtool tsdb create-blocks-from openmetrics`.

    Each run stands at its own time; `ended` says when the last one was over, in seconds since the
    epoch, by default when the file was written.
    """
    suites: list[dict[str, Any]] = json.loads(report.read_text())
    over = report.stat().st_mtime if ended is None else ended
    runs = [run for suite in suites for _, _, run in _runs(suite)]
    last = max(run["start"] + run["wall"] for run in runs)
    families = {
        name: GaugeMetricFamily(PREFIX + name, text, labels=labels)
        for name, (text, labels) in SERIES.items()
    }
    for suite in suites:
        for setting, contender, run in sorted(_runs(suite), key=_in_series):
            at = over - last + run["start"] + run["wall"]
            for name, value in _figures(run):
                families[name].add_metric([suite["suite"], setting, contender], value, at)
        for limit in suite["limits"]:
            for name, value in _verdict(limit):
                families[name].add_metric([suite["suite"], limit["name"]], value, over)
    registry = CollectorRegistry()
    registry.register(_Families(list(families.values())))
    text: bytes = generate_latest(registry)
    return text


def _in_series(found: tuple[str, str, dict[str, Any]]) -> tuple[str, str, float]:
    """OpenMetrics wants a series' samples together, in the order of their times."""
    setting, contender, run = found
    return setting, contender, run["start"]


def _runs(suite: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for section in suite["sections"]:
        for contender, runs in section["runs"].items():
            for run in runs:
                yield section["title"], contender, run


def _figures(run: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield "bytes_per_second", run["rate"]
    yield "cpu_seconds_per_gigabyte", run["cpu_per_gb"]
    spent = run["sink"]["user"] + run["sink"]["system"]
    yield "sink_cpu_seconds_per_gigabyte", spent / (run["size"] / 1e9)
    if run["over_idle"] is not None:
        yield "peak_over_idle_bytes", run["over_idle"]
    if run["lateness"]:
        yield "lateness_seconds", percentile(run["lateness"], 99)


def _verdict(limit: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if limit["value"] is not None:
        yield "limit_value", limit["value"]
        yield "limit_bound", limit["bound"]
        yield "limit_reached", float(limit["verdict"] == "REACHED")


class _Families:
    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        return [family for family in self._families if family.samples]
