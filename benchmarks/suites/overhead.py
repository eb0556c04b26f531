"""What do metrics, logs and the journal cost in processor time?

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

QUESTION = "how much of an upload's processor time do metrics, logs and the journal take?"
LIMITS = {"watching": ("metrics and logs", 2.0), "journal": ("the journal's calls", 1.0)}
"""Of what of a run's processor time, at most how many percent."""
_ENTRIES = (OBSERVED, UNOBSERVED)
_MANY, _SMALL = 64, 4 * MIB
_COLUMNS = (
    "contender",
    "CPU s a run",
    "CPU s/GB = user + system",
    "observed / it",
    "of it metrics and logs",
    "of it the journal",
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
                report.limits += [_limit(mode, runs, what) for what in LIMITS]
    report.notes += [
        "observed: Prometheus metrics, log lines of level info as JSON to a device that takes all, "
        "and a journal in a file, with the digests that it wants; unobserved: nothing of it",
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
            *(_share_text(mine, what) if name == OBSERVED.name else "" for what in LIMITS),
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


def _shares(runs: list[Run], what: str) -> Spread:
    return Spread.over([100 * run.shares[what] / _cpu(run) for run in runs])


def _share_text(runs: list[Run], what: str) -> str:
    seen = _shares(runs, what)
    return f"{seen.median:.2f} % ({seen.low:.2f} to {seen.high:.2f})"


def _limit(mode: Mode, runs: dict[str, list[Run]], what: str) -> Limit:
    words, bound = LIMITS[what]
    percent = _shares(runs[OBSERVED.name], what).median
    return Limit(f"{mode}: cost of {words}", percent, bound, "at most", "%")
