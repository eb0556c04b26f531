"""Every fault of the sandbox, at every operation, ends as the tables say, and never in a hang."""

from pathlib import Path

import pytest

from tests.faults.case import Case
from tests.faults.init_table import init_cases
from tests.faults.put_table import put_cases
from tests.faults.scene import TRANSPORT_LEVEL, Tls, play

CASES = [*init_cases(), *put_cases()]
BY_NAME = {case.name: case for case in CASES}
OVER_TLS = [case for case in CASES if {effect for _, effect in case.effects} & TRANSPORT_LEVEL]
BUFFERED = [case for case in OVER_TLS if case.name.startswith("put middle")]


def named(case: Case) -> str:
    """Return what pytest calls a case."""
    return case.name


def test_no_two_cases_have_one_name() -> None:
    """A case that is hidden by another is not run."""
    assert len(BY_NAME) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_fault_ends_as_it_must(film: Path, case: Case) -> None:
    """Plain: outcome, error, requests and waits are those of the table."""
    play(film, case)


@pytest.mark.parametrize("case", OVER_TLS, ids=named)
def test_a_fault_of_the_connection_ends_the_same_over_tls(film: Path, tls: Tls, case: Case) -> None:
    """TLS buffers and closes in its own way, and changes nothing of it."""
    play(film, case, tls)


@pytest.mark.parametrize("case", BUFFERED, ids=named)
def test_a_fault_of_the_connection_ends_the_same_without_a_mapping(film: Path, case: Case) -> None:
    """Pooled buffers are refilled only when nobody reads them any more."""
    play(film, case, source_mode="buffered")
