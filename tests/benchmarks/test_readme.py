"""The README's ratios are the recorded ones, with their verdicts."""

from __future__ import annotations

import pytest

from benchmarks import recorded
from benchmarks.sink_process import ROOT
from benchmarks.suites import throughput

_MINE = {"ours": "", "ours_durable": ", with digests"}
_FASTER = {
    "mmap_sendall": "a blocking `sendall` loop",
    "naive": "the naive loop",
}
_CHEAPER = {"pycurl": "pycurl", "naive": "the naive loop"}


def rows() -> dict[str, list[str]]:
    """Return the cells of the README's tables by what stands first in a row."""
    lines = (ROOT / "README.md").read_text().partition("## Measured")[2].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return {name: rest for name, *rest in cells}


@pytest.mark.parametrize("mode", ["plain", "TLS"])
@pytest.mark.parametrize("mine", _MINE)
def test_throughput_and_cost_are_the_recorded_ones(mode: str, mine: str) -> None:
    """When this fails: `benchmarks throughput --quick --pairs 5 --record`, then the table."""
    known, shown = recorded.load(), rows()
    least = {
        "mmap_sendall": throughput.AGAINST_LIMIT,
        "naive": throughput.AGAINST_NAIVE["plain" if mode == "plain" else "TLS"],
    }
    most = {"pycurl": throughput.CPU_AGAINST_PYCURL, "naive": throughput.CPU_AGAINST_NAIVE}
    for rival, words in _FASTER.items():
        value = known[f"throughput: {mode}: {mine} / {rival}"].value
        figure, bar = shown[f"Throughput, {mode}{_MINE[mine]}, against {words}"]
        assert figure == f"{value:.2f}"
        assert ("not reached" in bar) == (value < least[rival])
    for rival, words in _CHEAPER.items():
        value = known[f"throughput: {mode}: CPU, {mine} / {rival}"].value
        figure, bar = shown[f"CPU, {mode}{_MINE[mine]}, against {words}"]
        assert figure == f"{value:.2f}"
        assert ("not reached" in bar) == (value > most[rival])
