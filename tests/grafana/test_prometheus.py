"""A real Prometheus scrapes a process that publishes through faults, and is asked everything."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from grafana.prometheus import Prometheus, prometheus, publishing
from grafana.reports import open_metrics
from tests.grafana import expressions
from tests.grafana.expressions import Asked
from tests.grafana.programs import needs_prometheus

REPORT = Path(__file__).with_name("report.json")
DEADLINE = 40.0
"""Seconds in which everything must have been seen. It takes about six on an idle machine."""
PACE = 0.5
"""Seconds between two rounds of questions: asking without a pause would starve who answers."""
MAKES_NONE: dict[str, str] = {}
"""What such a run cannot make, by the place of its expression, with the reason."""


def asked() -> set[Asked]:
    """Return all that dashboards ask, all that rules record, and all that alerts look at."""
    looked_at = {
        Asked(f"{rule['alert']}: {part.name}", part.text)
        for rule in expressions.rules("alert")
        for part in expressions.selected(rule["expr"])
    }
    recorded = {Asked(rule["record"], rule["record"]) for rule in expressions.rules("record")}
    of_rules = {Asked(rule["record"], rule["expr"]) for rule in expressions.rules("record")}
    shown = {*expressions.of_dashboards(), *expressions.of_variables()}
    return looked_at | recorded | of_rules | shown


def has_a_number(series: list[dict[str, Any]]) -> bool:
    """Tell whether any sample is one; a quotient of nothing is none."""
    return any(math.isfinite(float(value)) for one in series for _, value in one["values"])


def collect(running: Prometheus, wanted: set[Asked]) -> dict[Asked, list[dict[str, Any]]]:
    """Ask again and again until all has given a number, or the time is over."""
    found: dict[Asked, list[dict[str, Any]]] = {}
    deadline, pause = time.monotonic() + DEADLINE, threading.Event()
    while len(found) < len(wanted) and time.monotonic() < deadline:
        pause.wait(PACE)
        for one in wanted - found.keys():
            now = time.time()
            series = running.over(one.expr, now - 50, now, 1.0)
            if has_a_number(series):
                found[one] = series
    return found


@needs_prometheus
@pytest.mark.timeout(60)
def test_every_expression_of_dashboards_and_rules_gives_data(tmp_path: Path) -> None:
    """Each parses, selects what is there, and has the labels that its legend names."""
    wanted = asked()
    report = open_metrics(REPORT, time.time() - 30)
    with (
        publishing() as port,
        prometheus(tmp_path, [port], interval="500ms", report=report) as running,
    ):
        found = collect(running, wanted)
        groups = running.ask("rules")["groups"]

    silent = {one.where for one in wanted - found.keys()}
    assert silent == set(MAKES_NONE)
    for one, series in found.items():
        assert one.legend_labels <= series[0]["metric"].keys(), one.where
    health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert set(health.values()) == {"ok"}, health
    kinds = {rule["name"] for group in groups for rule in group["rules"]}
    assert kinds == {
        *(rule["alert"] for rule in expressions.rules("alert")),
        *(rule["record"] for rule in expressions.rules("record")),
    }


@needs_prometheus
def test_what_prometheus_refuses_is_told(tmp_path: Path) -> None:
    """An expression that does not parse is an error with Prometheus' own words, not silence."""
    with (
        prometheus(tmp_path, []) as running,
        pytest.raises(RuntimeError, match="parse error: unclosed left parenthesis"),
    ):
        running.now("sum(up")
