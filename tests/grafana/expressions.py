"""Every expression that a dashboard or a rule asks, and what it speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql
import yaml

from grafana.__main__ import DASHBOARDS
from grafana.panels import Query
from grafana.prometheus import RULES

VARIABLES = {"$__rate_interval": "5s", "$__range": "10m"}
"""What Grafana puts in the place of its own variables; those of filters become `.*`, All."""


@dataclass(frozen=True)
class Asked:
    """One expression, and where it stands."""

    where: str
    expr: str
    legend: str = field(default="", compare=False)

    @property
    def legend_labels(self) -> set[str]:
        return set(re.findall(r"{{(\w+)}}", self.legend))


def filled(expr: str) -> str:
    """Return an expression as Grafana would send it with every filter at All."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return re.sub(r'"\$\w+"', '".*"', expr)


def of_dashboards() -> list[Asked]:
    """Return every query of every panel."""
    return [
        Asked(f"{name}: {row.title}: {panel.title} {number}", filled(query.expr), query.legend)
        for name, dashboard in DASHBOARDS.items()
        for row in dashboard.rows
        for panel in row.panels
        for number, query in enumerate(panel.queries)
    ]


def of_variables() -> list[Asked]:
    """Return what filters and annotations ask, as queries."""
    found = []
    for name, dashboard in DASHBOARDS.items():
        for variable in dashboard.variables:
            label = variable.label or variable.name
            query = Query(f"count by ({label}) ({variable.metric})", f"{{{{{label}}}}}")
            found.append(Asked(f"{name}: ${variable.name}", query.expr, query.legend))
    return found


def rules(kind: str) -> list[dict[str, Any]]:
    """Return the rules of a kind, `alert` or `record`, in the order of their files."""
    return [
        rule
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if kind in rule
    ]


@dataclass(frozen=True)
class Selected:
    """The series that a part of an expression selects."""

    name: str
    labels: frozenset[str]
    text: str


def selected(expr: str) -> Iterator[Selected]:
    """Yield what an expression selects, without ranges and offsets."""
    for node in _nodes(promql.parse(expr)):
        selector = node.vector_selector if isinstance(node, promql.MatrixSelector) else node
        if isinstance(selector, promql.VectorSelector):
            matchers = selector.matchers.matchers
            # What comes after the braces, or the name, is an offset.
            text = re.sub(r" offset .*$", "", str(selector))
            yield Selected(selector.name or "", frozenset(m.name for m in matchers), text)


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    match node:
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr():
            yield from _nodes(node.expr)
        case promql.SubqueryExpr():
            yield from _nodes(node.expr)
        case promql.BinaryExpr():
            yield from _nodes(node.lhs)
            yield from _nodes(node.rhs)
        case promql.Call():
            for argument in node.args:
                yield from _nodes(argument)
