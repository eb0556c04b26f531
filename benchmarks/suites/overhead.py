"""What do metrics and logs cost in processor time?

Rule: what counts is the processor time of the thread that counts and writes, and of handing it
events, as a share of the run's; the same upload without them stands beside it, in turn.
"""

from __future__ import annotations

from benchmarks.bench import CHUNK_SIZE, Bench, Mode
from benchmarks.contender import OBSERVED, UNOBSERVED
from benchmarks.report import Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.stats import Spread, pair_ratios
from benchmarks.suites import cells
from benchmarks.units import GIB, MIB, size_text
from benchmarks.workspace import Sample, warm

QUESTION = "how much of an upload's processor time do metrics and logs take?"
LIMIT_PERCENT = 2.0
_ENTRIES = (OBSERVED, UNOBSERVED)
_MANY, _SMALL = 64, 4 * MIB
_COLUMNS = (
    "contender",
    "CPU s a run",
    "CPU s/GB = user + system",
    "observed / it",
    "share of watching",
    "GB/s",
)


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("overhead", QUESTION)
    quick = bench.options.quick
    pairs = bench.options.pairs or (3 if quick else 15)
    large = bench.workspace.file(bench.options.size or (256 * MIB if quick else GIB))
    small = bench.workspace.file(_SMALL)
    for samples in ([large], [small] * _MANY):
        warm(samples[0].path)
        for mode in bench.options.modes:
            runs = _runs(bench, mode, samples, pairs)
            report.sections.append(_section(mode, samples, pairs, runs))
            if len(samples) == 1:
                report.limits.append(_limit(mode, runs))
    report.notes += [
        "observed: Prometheus metrics, and log lines of level info as JSON to a device that takes "
        "all; unobserved: no subscriber of events at all",
        f"the limit is for one large upload; {_MANY} small ones at once are shown beside it",
    ]
    return report


def _runs(bench: Bench, mode: Mode, samples: list[Sample], pairs: int) -> dict[str, list[Run]]:
    with bench.sink(mode) as sink:
        return in_turn(
            _ENTRIES,
            pairs,
            lambda entry: bench.measure(bench.job(entry, sink, samples, warm=True), sink),
        )


def _section(mode: Mode, samples: list[Sample], pairs: int, runs: dict[str, list[Run]]) -> Section:
    rows = tuple(
        (
            name,
            cells.spread(mine, _cpu, 3),
            cells.cpu(mine),
            _ratio_text(runs) if name == UNOBSERVED.name else "",
            _share_text(mine) if name == OBSERVED.name else "",
            cells.rate(mine),
        )
        for name, mine in runs.items()
    )
    what = size_text(samples[0].size)
    if len(samples) > 1:
        what = f"{len(samples)} x {what} at once"
    title = f"{mode}: {what}, chunks of {size_text(CHUNK_SIZE)}, {pairs} pairs in turn"
    return Section(title, _COLUMNS, rows, runs)


def _cpu(run: Run) -> float:
    return run.user + run.system


def _ratios(runs: dict[str, list[Run]]) -> Spread:
    watched, alone = (list(map(_cpu, runs[entry.name])) for entry in _ENTRIES)
    return Spread.over(pair_ratios(watched, alone))


def _ratio_text(runs: dict[str, list[Run]]) -> str:
    seen = _ratios(runs)
    return f"{seen.median:.3f} ({seen.low:.3f} to {seen.high:.3f})"


def _shares(runs: list[Run]) -> Spread:
    return Spread.over([100 * run.told / _cpu(run) for run in runs if run.told is not None])


def _share_text(runs: list[Run]) -> str:
    seen = _shares(runs)
    return f"{seen.median:.2f} % ({seen.low:.2f} to {seen.high:.2f})"


def _limit(mode: Mode, runs: dict[str, list[Run]]) -> Limit:
    percent = _shares(runs[OBSERVED.name]).median
    return Limit(f"{mode}: cost of metrics and logs", percent, LIMIT_PERCENT, "at most", "%")
