"""promtool tries every alert: when it must fire, and when it must not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from grafana.prometheus import RULES
from tests.grafana import expressions
from tests.grafana.programs import needs_prometheus

CASES = sorted(Path(__file__).with_name("rules").glob("*.yml"))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it and return what it said."""
    return subprocess.run(("promtool", *arguments), capture_output=True, text=True, check=False)


def with_our_rules(case: Path, folder: Path) -> Path:
    """Return a copy of a case that names the rules' files."""
    made = folder / case.name
    made.write_text(case.read_text().replace("[RULES]", f'["{RULES}/*.yml"]'))
    return made


@needs_prometheus
def test_the_rules_are_well_formed() -> None:
    """`promtool check rules` has nothing to say against them."""
    checked = promtool("check", "rules", *map(str, RULES.glob("*.yml")))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_prometheus
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_alerts_fire_and_keep_quiet(case: Path, tmp_path: Path) -> None:
    """Each case of the file holds."""
    tried = promtool("test", "rules", str(with_our_rules(case, tmp_path)))
    assert tried.returncode == 0, tried.stdout + tried.stderr


@needs_prometheus
def test_a_case_that_does_not_hold_is_found(tmp_path: Path) -> None:
    """An alert that should not fire, and does, fails these tests."""
    (case,) = (with_our_rules(case, tmp_path) for case in CASES if case.stem == "outcomes")
    case.write_text(case.read_text().replace("0x10 2x100 0x60", "2x170", 1))
    tried = promtool("test", "rules", str(case))
    assert "FAILED" in tried.stdout + tried.stderr
    assert tried.returncode != 0


def test_every_alert_is_tried_both_ways() -> None:
    """There is a case in which it fires, and one in which it keeps quiet."""
    fires: set[str] = set()
    quiet: set[str] = set()
    for case in CASES:
        for test in yaml.safe_load(case.read_text())["tests"]:
            for tried in test["alert_rule_test"]:
                (fires if tried["exp_alerts"] else quiet).add(tried["alertname"])
    assert fires == quiet == {rule["alert"] for rule in expressions.rules("alert")}
