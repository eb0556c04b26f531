"""The README and docs/measured.md show the recorded report, and what it did not reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import measured


def test_both_pages_show_the_recorded_report() -> None:
    """When this fails: `make bench`, then `python -m benchmarks.measured`."""
    reports = measured.load()
    readme = measured.README.read_text()
    assert measured.readme_with(readme, reports) == readme
    assert measured.page(reports) == measured.PAGE.read_text()


def test_every_row_of_the_readme_was_measured() -> None:
    """A figure that was renamed is not silently dropped from the table."""
    known = measured.limits(measured.load())
    for suite, rows in measured.SHOWN.items():
        for words, begins in rows:
            assert any(each.name.startswith(begins) for each in known[suite]), words


def test_what_falls_short_stays_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worse report is written down as such, in both pages."""
    limit = {"name": "import uploader", "bound": 60, "sense": "at most", "unit": "ms"}
    told = {
        "suite": "startup",
        "machine": {"cores": 2},
        "limits": [{**limit, "value": 75.0, "verdict": "NOT REACHED"}],
    }
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{measured.BEGIN}\nold\n{measured.END}\nafter\n")
    for name, path in (("FILE", "measured.json"), ("README", "README.md"), ("PAGE", "page.md")):
        monkeypatch.setattr(measured, name, tmp_path / path)
    report = tmp_path / "report.json"
    report.write_text(json.dumps([told]))
    assert measured.main([str(report)]) == 0
    row = "75.00 ms | at most 60 ms | not reached |"
    assert row in readme.read_text()
    assert row in (tmp_path / "page.md").read_text()
    assert "old" not in readme.read_text()
    assert readme.read_text().startswith("before")
    assert readme.read_text().endswith("after\n")
