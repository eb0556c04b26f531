"""What dashboards, rules and the runbook speak of exists, and the other way round."""

from __future__ import annotations

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml

from grafana import reports
from grafana.__main__ import DASHBOARDS, files
from tests.grafana import expressions
from tests.grafana.expressions import Asked
from uploader.instruments.table import METRICS

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "runbook.md"

SCRAPED = {"job", "instance"}
"""Labels that every series gets from Prometheus."""
OWN_SERIES = {"up": "Prometheus itself tells whether it reaches a process"}
UNSHOWN: dict[str, str] = {}
"""Metrics that no dashboard shows, with the reason."""


def table() -> dict[str, set[str]]:
    """Return the labels of every series there is."""
    series = {
        name: set(metric.labels) | ({"le"} if name.endswith("_bucket") else set())
        for metric in METRICS
        for name in metric.series
    }
    bench = {reports.PREFIX + name: set(labels) for name, (_, labels) in reports.SERIES.items()}
    return series | bench


def recorded() -> dict[str, set[str]]:
    """Return the labels of every recorded series."""
    return {
        rule["record"]: set(re.findall(r"\w+", re.findall(r"by \(([^)]*)\)", rule["expr"])[0]))
        for rule in expressions.rules("record")
    }


def entries() -> dict[str, str]:
    """Return the runbook's text by heading."""
    pattern = re.compile(r"^## (Uploader\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    return dict(pattern.findall(RUNBOOK.read_text()))


ALL = [
    *expressions.of_dashboards(),
    *expressions.of_variables(),
    *(Asked(rule["alert"], rule["expr"]) for rule in expressions.rules("alert")),
    *(Asked(rule["record"], rule["expr"]) for rule in expressions.rules("record")),
]


@pytest.mark.parametrize("asked", ALL, ids=lambda asked: asked.where)
def test_an_expression_selects_what_exists_by_labels_it_has(asked: Asked) -> None:
    """It parses; each name is in the table, each label is one of that metric's."""
    promql_parser.parse(asked.expr)
    known = table() | recorded()
    parts = list(expressions.selected(asked.expr))
    assert parts
    for part in parts:
        if part.name in OWN_SERIES:
            continue
        assert part.name in known
        assert part.labels <= known[part.name] | SCRAPED


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("sum by (a) (rate(x_total{b='1'}[5m] offset 3m)) / y", ["x_total", "y"]),
        ("topk(1, -(x or y unless z))", ["x", "y", "z"]),
        ("max_over_time(rate(x[1m])[5m:1m])", ["x"]),
    ],
)
def test_the_reader_of_expressions_sees_every_selector(expr: str, found: list[str]) -> None:
    """No operator hides a name from these tests."""
    assert [part.name for part in expressions.selected(expr)] == found


def test_every_metric_is_shown() -> None:
    """A metric that nobody looks at is either missing in a dashboard or not needed."""
    shown = {
        part.name
        for asked in expressions.of_dashboards()
        for part in expressions.selected(asked.expr)
    }
    unseen = {metric.name for metric in METRICS if not shown.intersection(metric.series)}
    assert unseen == set(UNSHOWN)
    unseen_runs = {name for name in reports.SERIES if reports.PREFIX + name not in shown}
    assert not unseen_runs


def test_the_json_is_what_the_description_gives() -> None:
    """`python -m grafana write` was run after the last change, and wrote nothing else."""
    assert {path: path.read_text() for path, _ in files()} == dict(files())
    written = {path for path, _ in files()}
    assert set((ROOT / "grafana" / "dashboards").iterdir()) == written


def test_grafana_finds_ids_places_and_sources() -> None:
    """Panels have ids of their own and do not lie on each other; all ask the chosen source."""
    for _, text in files():
        panels = json.loads(text)["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (place["x"] + right, place["y"] + down)
                for right in range(place["w"])
                for down in range(place["h"])
            }
            assert not cells & taken
            taken |= cells
            for target in panel.get("targets", []):
                assert target["datasource"]["uid"] == "${datasource}"


def test_a_threshold_leads_to_the_runbook_and_its_headings_exist() -> None:
    """Who sees red reads on at a heading that is there; every panel says what it means."""
    headings = {
        heading.lower() for heading in re.findall(r"^#+ (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    }
    for dashboard in DASHBOARDS.values():
        for panel in dashboard.panels():
            assert panel.help.endswith("."), panel.title
            if dashboard is DASHBOARDS["uploads"] and panel.thresholds:
                assert panel.runbook is not None, panel.title
            assert panel.runbook is None or panel.runbook in headings


def test_every_alert_has_its_entry_and_every_entry_its_alert() -> None:
    """Meaning, first command and what never to do; nothing is left of an alert that went."""
    entries = dict(
        re.findall(
            r"^## (Uploader\w+)\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL
        )
    )
    alerts = {rule["alert"]: rule for rule in expressions.rules("alert")}
    assert entries.keys() == alerts.keys()
    for name, text in entries.items():
        for word in ("**Means.**", "**First.**", "**Never.**"):
            assert word in text, f"{name} lacks {word}"
        rule = alerts[name]
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_the_servers_find_each_other_and_their_files() -> None:
    """Ports, paths and job names of compose, provisioning and rules agree."""
    home = ROOT / "grafana"
    services = yaml.safe_load((home / "compose.yaml").read_text())["services"]
    source = yaml.safe_load((home / "provisioning/datasources/prometheus.yaml").read_text())
    listens = next(o for o in services["prometheus"]["command"] if "listen-address" in o)
    assert source["datasources"][0]["url"] == f"http://{listens.partition('=')[2]}"
    for service in services.values():
        for volume in service["volumes"]:
            here = volume.partition(":")[0]
            assert not here.startswith(".") or (home / here).exists(), here
    provider = yaml.safe_load((home / "provisioning/dashboards/uploader.yaml").read_text())
    folder = provider["providers"][0]["options"]["path"]
    assert any(v.split(":")[1] == folder for v in services["grafana"]["volumes"])
    scraped = yaml.safe_load((home / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    unseen = next(r for r in expressions.rules("alert") if r["alert"] == "UploaderUnseen")
    assert f'job="{scraped[0]["job_name"]}"' in unseen["expr"]
