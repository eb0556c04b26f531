"""A benchmark's report as series: the numbers of its runs, at the times of its runs."""

import json
import os
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from grafana.reports import open_metrics

REPORT = Path(__file__).with_name("report.json")
ENDED = 1_700_000_000.0


def test_each_run_stands_at_its_own_time() -> None:
    """The last one ended when the report did, the others as long before as they were run."""
    families = {
        f.name: f for f in text_string_to_metric_families(open_metrics(REPORT, ENDED).decode())
    }
    samples = families["uploader_bench_bytes_per_second"].samples
    runs = [
        (suite["suite"], section["title"], name, run)
        for suite in json.loads(REPORT.read_text())
        for section in suite["sections"]
        for name, found in section["runs"].items()
        for run in found
    ]
    last = max(run["start"] + run["wall"] for *_, run in runs)
    wanted = sorted(
        (suite, setting, name, run["rate"], round(ENDED - last + run["start"] + run["wall"], 3))
        for suite, setting, name, run in runs
    )
    found = sorted(
        (s.labels["suite"], s.labels["setting"], s.labels["contender"], s.value,
         round(float(s.timestamp or 0), 3))
        for s in samples
    )  # fmt: skip
    assert found == wanted
    assert max(at for *_, at in found) == ENDED


def test_a_limit_that_was_not_measured_is_no_series(tmp_path: Path) -> None:
    """What is compared with nothing must not look like zero; the file's time is the report's."""
    suites = json.loads(REPORT.read_text())
    suites[0]["limits"][0] |= {"value": None, "verdict": "NOT MEASURED"}
    report = tmp_path / "report.json"
    report.write_text(json.dumps(suites))
    os.utime(report, (ENDED, ENDED))
    families = {f.name: f for f in text_string_to_metric_families(open_metrics(report).decode())}
    reached = families["uploader_bench_limit_reached"].samples
    all_limits = [limit for suite in suites for limit in suite["limits"]]
    assert {s.labels["figure"]: s.value for s in reached} == {
        limit["name"]: float(limit["verdict"] == "REACHED") for limit in all_limits[1:]
    }
    assert {float(s.timestamp or 0) for s in reached} == {ENDED}
