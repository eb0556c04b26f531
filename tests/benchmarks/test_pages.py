"""The page, its pictures, and what is compared with the recorded ratios."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import markdown, pictures, recorded
from benchmarks.__main__ import chosen, write_page
from benchmarks.machine import describe
from benchmarks.recorded import Recorded
from benchmarks.report import Chart, Limit, Report, Section
from benchmarks.runner import Run
from benchmarks.suites import SUITES
from tests.benchmarks.test_report import a_run


def a_report(*limits: Limit) -> Report:
    """Return a report with one table of two contenders."""
    runs: dict[str, list[Run]] = {
        "ours": [a_run("ours", 0.5)],
        "naive": [a_run("naive", 2.0)],
    }
    rows = (("ours", "2.00"), ("naive | loop", "0.50"))
    section = Section("plain: 1 GB", ("contender", "GB/s"), rows, runs)
    return Report("throughput", "how fast?", [section], list(limits), ["a note"], {"x": ["pycurl"]})


def test_the_page_says_machine_verdicts_tables_and_what_is_missing() -> None:
    """Whoever reads it needs nothing else to judge the figures."""
    limits = (Limit("ours / naive", 4.0, 3, "at least"), Limit("a / b", None, 1 / 3, "at most"))
    page = markdown.render([a_report(*limits)], describe(), {"throughput": "throughput.svg"})
    for line in (
        "1 of 2 figures reached, 1 not measured.",
        "![throughput](throughput.svg)",
        "| contender | GB/s |",
        "| --- | ---: |",
        "| naive \\| loop | 0.50 |",
        "| ours / naive | 4.00 | at least 3 | REACHED |",
        "| a / b | n/a | at most 0.333 | NOT MEASURED |",
        "- a note",
        "- missing: x was not run, it needs pycurl",
    ):
        assert line in page.splitlines()
    assert str(describe()["python"]) in page


def test_a_page_is_written_with_a_picture_of_each_suite(tmp_path: Path) -> None:
    """The picture is an image of its own, named as the page names it."""
    page = write_page([a_report()], describe(), tmp_path / "report")
    assert "![throughput](throughput.svg)" in page.read_text()
    root = ET.parse(page.parent / "throughput.svg").getroot()  # noqa: S314 - our own file
    assert root.tag.endswith("svg")


def test_tables_become_charts_unless_the_suite_names_its_own() -> None:
    """Rate and cost by contender, in the units of the tables."""
    report = a_report()
    rate, cost = pictures.charts_of(report)
    assert rate.values == {"ours": 2.0, "naive": 0.5}
    assert (rate.unit, cost.unit) == ("GB/s", "CPU s/GB")
    report.charts.append(Chart("mine", "ms", values={"ours": 1.0}))
    assert pictures.charts_of(report) == report.charts


def test_the_same_figures_draw_the_same_picture() -> None:
    """No date and no random name: a picture changes only with what it shows."""
    charts = [
        Chart("bars", "ms", values={"ours": 1.0, "naive": 3.0}),
        Chart("lines", "GB/s", lines={"ours": [(1, 1.0), (8, 2.0)]}, across="lanes"),
    ]
    drawn = pictures.svg(charts)
    assert drawn == pictures.svg(charts)
    for word in ("bars", "lines", "naive", "lanes", "GB/s"):
        assert word in drawn


def test_a_suite_without_figures_has_no_picture(tmp_path: Path) -> None:
    """An empty frame would say that something was measured."""
    assert pictures.draw(Report("startup", "?"), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_only_ratios_are_recorded(tmp_path: Path) -> None:
    """Times, rates and sizes are a machine's; a ratio of one run is not."""
    report = a_report(
        Limit("ours / naive", 4.0, 3, "at least"),
        Limit("import", 40.0, 60, "at most", "ms"),
        Limit("not run", None, 1, "at least"),
    )
    recorded.save([report], tmp_path / "recorded.json")
    assert recorded.load(tmp_path / "recorded.json") == {
        "throughput: ours / naive": Recorded(4.0, "at least")
    }


def test_tolerances_that_were_set_by_hand_stay(tmp_path: Path) -> None:
    """Recording anew changes values only."""
    file = tmp_path / "recorded.json"
    file.write_text(
        '{"throughput: ours / naive": {"value": 5, "sense": "at least", "tolerance": 0.1}}'
    )
    recorded.save([a_report(Limit("ours / naive", 4.0, 3, "at least"))], file)
    assert recorded.load(file)["throughput: ours / naive"] == Recorded(4.0, "at least", 0.1)


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        (Recorded(4.0, "at least", 0.25), 3.1, False),
        (Recorded(4.0, "at least", 0.25), 2.9, True),
        (Recorded(4.0, "at least", 0.25), 9.0, False),
        (Recorded(0.4, "at most", 0.25), 0.49, False),
        (Recorded(0.4, "at most", 0.25), 0.51, True),
        (Recorded(0.4, "at most", 0.25), 0.1, False),
    ],
)
def test_worse_is_beyond_the_tolerance_in_the_bad_direction(
    was: Recorded, now: float, worse: bool
) -> None:
    """An improvement is never a complaint."""
    assert was.worse(now) is worse


def test_what_became_worse_or_was_not_measured_is_told() -> None:
    """A ratio that vanished is as bad as one that fell; suites that did not run are left alone."""
    before = {
        "throughput: ours / naive": Recorded(4.0, "at least", 0.1),
        "throughput: gone": Recorded(1.0, "at least"),
        "latency: other": Recorded(1.0, "at least"),
    }
    fell, gone = recorded.complaints([a_report(Limit("ours / naive", 2.0, 3, "at least"))], before)
    assert "ours / naive is 2, it was 4" in fell
    assert gone == "throughput: gone was 1, and was not measured now"


def test_the_recorded_ratios_belong_to_suites_that_exist() -> None:
    """A renamed suite would otherwise never be compared again."""
    names = recorded.load()
    assert names
    assert {name.partition(":")[0] for name in names} <= set(SUITES)


def test_all_stands_for_every_suite_once() -> None:
    """In the order of the table; tus is measured among the destinations."""
    assert [*chosen(["memory", "all"]), "tus"] == list(SUITES)
    assert chosen(["latency", "memory", "latency"]) == ["latency", "memory"]
