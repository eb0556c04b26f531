"""Every fault of the sandbox, at every operation, ends as the tables say, and never in a hang."""

import pytest

from tests.faults.case import Case
from tests.faults.init_table import init_cases
from tests.faults.put_table import put_cases
from tests.faults.scene import TRANSPORT_LEVEL, Films, Tls, play
from tests.faults.status_table import status_cases
from tests.faults.switch_table import switch_cases
from transports.tiktok.sandbox import Switches

CASES = [*init_cases(), *put_cases(), *status_cases(), *switch_cases()]
BY_NAME = {case.name: case for case in CASES}
# One fault of the connection each: what comes of it afterwards knows nothing of TLS.
OVER_TLS = [
    case
    for case in CASES
    if len(case.faults) == 1 and case.faults[0].effects[0] in TRANSPORT_LEVEL
    if case.switches == Switches() and not case.name.startswith("put first")
]
BUFFERED = [case for case in OVER_TLS if case.name.startswith("put middle")]


def named(case: Case) -> str:
    """Return what pytest calls a case."""
    return case.name


def test_no_two_cases_have_one_name() -> None:
    """A case that is hidden by another is not run."""
    assert len(BY_NAME) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_fault_ends_as_it_must(films: Films, case: Case) -> None:
    """Plain: outcome, error, requests and waits are those of the table."""
    play(films, case)


@pytest.mark.parametrize("case", OVER_TLS, ids=named)
def test_a_fault_ends_the_same_over_tls(films: Films, tls: Tls, case: Case) -> None:
    """TLS buffers and closes in its own way, and changes nothing of it."""
    play(films, case, tls)


@pytest.mark.parametrize("case", BUFFERED, ids=named)
def test_a_fault_ends_the_same_without_a_mapping(films: Films, case: Case) -> None:
    """Pooled buffers are refilled only when nobody reads them any more."""
    play(films, case, source_mode="buffered")
