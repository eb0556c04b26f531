"""How fast is one warm file sent, and at what cost in processor time?

Rule: ours and the rivals send the same file in turn to the same sink; ratios are taken run by
run. Every contender is first run against a sink that hashes, and must deliver the same bytes.
"""

from __future__ import annotations

from benchmarks.bench import CHUNK_SIZE, Bench, Mode
from benchmarks.contender import CEILING, MMAP_SENDALL, NAIVE, OURS, Entry
from benchmarks.report import Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.stats import Spread, pair_ratios
from benchmarks.suites import cells
from benchmarks.units import GIB, MIB, size_text
from benchmarks.workspace import Sample, warm

QUESTION = "how fast is one warm file sent, next to the blocking loop and the naive loop?"
RIVALS = (MMAP_SENDALL.name, NAIVE.name, CEILING.name)
AGAINST_LIMIT: dict[Mode, float] = {"plain": 0.85, "TLS": 0.95}
AGAINST_NAIVE = 2.0
_COLUMNS = (
    "contender",
    "GB/s",
    "ours / it",
    "CPU s/GB = user + system",
    "peak over idle MiB",
    "sink CPU s/GB",
    "bytes equal",
)


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("throughput", QUESTION)
    size = bench.options.size or (256 * MIB if bench.options.quick else 2 * GIB)
    pairs = bench.options.pairs or (3 if bench.options.quick else 5)
    entries = bench.entries(report, *RIVALS)
    sample = bench.workspace.file(size)
    warm(sample.path)
    for mode in bench.options.modes:
        verified = {entry.name: bench.verify(entry, mode, [sample]) for entry in entries}
        runs = _runs(bench, mode, entries, sample, pairs)
        report.sections.append(_section(mode, size, pairs, runs, verified))
        report.limits += _limits(mode, runs)
        report.notes += _ceiling(mode, runs)
    report.notes.append(
        "the clock covers connecting, TLS, init, every byte and the status call, and starts after "
        "imports and one small warm-up file, for all alike"
    )
    return report


def _runs(
    bench: Bench, mode: Mode, entries: list[Entry], sample: Sample, pairs: int
) -> dict[str, list[Run]]:
    with bench.sink(mode) as sink:
        return in_turn(
            entries,
            pairs,
            lambda entry: bench.measure(bench.job(entry, sink, [sample], warm=True), sink),
        )


def _section(
    mode: Mode, size: int, pairs: int, runs: dict[str, list[Run]], verified: dict[str, bool]
) -> Section:
    rows = tuple(
        (
            name,
            cells.rate(mine),
            _ratio_text(runs, name),
            cells.cpu(mine),
            cells.mib_text([run.over_idle for run in mine]),
            cells.spread(mine, lambda run: run.sink_cpu_per_gb),
            "yes" if verified[name] else "no file",
        )
        for name, mine in runs.items()
    )
    title = f"{mode}: {size_text(size)}, chunks of {size_text(CHUNK_SIZE)}, {pairs} rounds in turn"
    return Section(title, _COLUMNS, rows, runs)


def _ratios(runs: dict[str, list[Run]], rival: str) -> list[float]:
    if OURS.name not in runs or rival not in runs:
        return []
    return pair_ratios([run.rate for run in runs[OURS.name]], [run.rate for run in runs[rival]])


def _ratio_text(runs: dict[str, list[Run]], rival: str) -> str:
    ratios = _ratios(runs, rival)
    if not ratios or rival == OURS.name:
        return ""
    seen = Spread.over(ratios)
    return f"{seen.median:.2f} ({seen.low:.2f} to {seen.high:.2f})"


def _limits(mode: Mode, runs: dict[str, list[Run]]) -> list[Limit]:
    bounds = {MMAP_SENDALL.name: AGAINST_LIMIT[mode], NAIVE.name: AGAINST_NAIVE}
    limits = []
    for rival, bound in bounds.items():
        ratios = _ratios(runs, rival)
        value = Spread.over(ratios).median if ratios else None
        limits.append(Limit(f"{mode}: ours / {rival}", value, bound, "at least"))
    return limits


def _ceiling(mode: Mode, runs: dict[str, list[Run]]) -> list[str]:
    notes = []
    if CEILING.name in runs:
        seen = Spread.over([run.rate / 1e9 for run in runs[CEILING.name]])
        notes.append(
            f"{mode}: the sink takes {seen.median:.2f} GB/s from a sender without a file; a figure "
            "near that measures the sink, and CPU s/GB tells the contenders apart"
        )
    every = [run.sink_cpu_per_gb for mine in runs.values() for run in mine]
    if every:
        cost = Spread.over(every).median
        bound = f"{1 / cost:.1f} GB/s on one core" if cost > 0.01 else "beyond measuring"
        notes.append(f"{mode}: the sink spends {cost:.2f} CPU s/GB, so its own ceiling is {bound}")
    return notes
