"""The words that a dashboard is described in, and their JSON for Grafana.

Rule: values only; the same description gives the same JSON. Lengths are Grafana's grid units: 24 in
a row. Fields: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

WIDTH = 24
SCHEMA = 39
"""Grafana 10.1 and newer read it as it is; newer ones migrate it."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Shape = Literal["timeseries", "stat", "bargauge", "table"]
GREEN, YELLOW, RED = "green", "yellow", "red"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` is a template over its labels."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture. `unit` is Grafana's id of a unit; `runbook` names a heading of the runbook.

    `thresholds` are (from, colour) in rising order; below the first it is green, or the colour of
    one whose bound is `None`.
    """

    title: str
    help: str
    queries: tuple[Query, ...]
    unit: str = "short"
    shape: Shape = "timeseries"
    width: int = 8
    height: int = 7
    thresholds: tuple[tuple[float | None, str], ...] = ()
    lowest: float | None = 0
    highest: float | None = None
    stack: bool = False
    runbook: str | None = None

    def to_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel at its place."""
        instant = self.shape != "timeseries"
        return {
            "id": number,
            "type": self.shape,
            "title": self.title,
            "description": self.help,
            "datasource": SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "links": self._links(),
            "targets": [
                _target(query, chr(ord("A") + index), instant=instant)
                for index, query in enumerate(self.queries)
            ],
            "fieldConfig": {"defaults": self._field(), "overrides": []},
            "options": _options(self.shape),
        }

    def _links(self) -> list[dict[str, Any]]:
        if self.runbook is None:
            return []
        url = f"${{runbook:raw}}#{self.runbook}"
        return [{"title": "What to do", "url": url, "targetBlank": True}]

    def _field(self) -> dict[str, Any]:
        steps = [{"value": bound, "color": colour} for bound, colour in self.thresholds]
        if not steps or steps[0]["value"] is not None:
            steps.insert(0, {"value": None, "color": GREEN})
        field: dict[str, Any] = {
            "unit": self.unit,
            "thresholds": {"mode": "absolute", "steps": steps},
            "color": {"mode": "palette-classic" if self.shape == "timeseries" else "thresholds"},
        }
        if self.lowest is not None:
            field["min"] = self.lowest
        if self.highest is not None:
            field["max"] = self.highest
        if self.shape == "timeseries":
            field["custom"] = {
                "lineWidth": 1,
                "fillOpacity": 25 if self.stack else 8,
                "showPoints": "auto",
                "spanNulls": False,
                "stacking": {"mode": "normal" if self.stack else "none", "group": "A"},
                "thresholdsStyle": {"mode": "line" if self.thresholds else "off"},
            }
        return field


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading; with `repeat` once for each value of that variable."""

    title: str
    panels: tuple[Panel, ...]
    repeat: str | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A filter. `metric` has the label whose values it offers, this one by default."""

    name: str
    title: str
    metric: str
    label: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the filter: several values or all of them, found in the data."""
        query = f"label_values({self.metric}, {self.label or self.name})"
        return {
            "name": self.name,
            "label": self.title,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": self.name},
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Rows, and the filters over them."""

    uid: str
    title: str
    help: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    span: str = "now-3h"
    refresh: str = "30s"

    def panels(self) -> Iterator[Panel]:
        """Yield every panel, from the top."""
        for row in self.rows:
            yield from row.panels

    def to_json(self) -> dict[str, Any]:
        """Return what Grafana imports."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.help,
            "tags": ["uploader"],
            "schemaVersion": SCHEMA,
            "editable": True,
            "graphTooltip": 1,
            "time": {"from": self.span, "to": "now"},
            "timezone": "browser",
            "refresh": self.refresh,
            "templating": {"list": [_SOURCES, *[v.to_json() for v in self.variables], _RUNBOOK]},
            "annotations": {"list": [_FIRING]},
            "links": [
                {"type": "link", "title": "Runbook", "url": "${runbook:raw}", "targetBlank": True},
                {"type": "dashboards", "title": "Uploader", "tags": ["uploader"]},
            ],
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[dict[str, Any]]:
        number, y = 0, 0
        for row in self.rows:
            number += 1
            yield {
                "id": number,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
                "panels": [],
                **({"repeat": row.repeat} if row.repeat else {}),
            }
            y += 1
            for panel, x, top in placed(row):
                number += 1
                yield panel.to_json(number, x, y + top)
            y += height(row)


def placed(row: Row) -> Iterator[tuple[Panel, int, int]]:
    """Yield each panel with its place in the row: from the left, a new line where one is full."""
    x, y, tall = 0, 0, 0
    for panel in row.panels:
        if x + panel.width > WIDTH:
            x, y, tall = 0, y + tall, 0
        yield panel, x, y
        x, tall = x + panel.width, max(tall, panel.height)


def height(row: Row) -> int:
    """Return how tall the panels of a row are together."""
    return max(top + panel.height for panel, _, top in placed(row))


def _target(query: Query, ref: str, *, instant: bool) -> dict[str, Any]:
    return {
        "refId": ref,
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": instant,
        "range": not instant,
    }


def _options(shape: Shape) -> dict[str, Any]:
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match shape:
        case "stat":
            return {"reduceOptions": reduce, "graphMode": "none", "textMode": "auto"}
        case "bargauge":
            return {
                "reduceOptions": reduce,
                "orientation": "horizontal",
                "displayMode": "gradient",
            }
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


_SOURCES: dict[str, Any] = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "current": {},
}
_RUNBOOK: dict[str, Any] = {
    "name": "runbook",
    "label": "Runbook",
    "type": "textbox",
    # Where compose.yaml puts it; elsewhere, wherever one's own copy of docs/runbook.md is.
    "query": "/public/runbook.md",
    "current": {"text": "/public/runbook.md", "value": "/public/runbook.md"},
    "hide": 0,
}
_FIRING: dict[str, Any] = {
    "name": "Alerts",
    "datasource": SOURCE,
    "enable": True,
    "expr": 'ALERTS{alertname=~"Uploader.*", alertstate="firing"}',
    "titleFormat": "{{alertname}}",
    "textFormat": "{{transport}}",
    "iconColor": "red",
}
