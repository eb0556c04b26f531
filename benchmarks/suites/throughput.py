"""How fast is one warm file sent, and at what cost in processor time?

Rule: ours and the rivals send the same file in turn to the same sink; ratios are taken run by
run. Every contender is first run against a sink that hashes, and must deliver the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import CHUNK_SIZE, Bench, Mode
from benchmarks.contender import (
    AIOHTTP,
    CEILING,
    CURL,
    HTTPX,
    MMAP_SENDALL,
    NAIVE,
    OURS,
    OURS_DURABLE,
    PYCURL,
    SENDFILE,
    URLLIB3,
    Entry,
)
from benchmarks.report import Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.stats import Spread, pair_ratios
from benchmarks.suites import cells
from benchmarks.units import GB, MIB, size_text
from benchmarks.workspace import Sample, warm

QUESTION = "how fast is one warm file sent, and at what cost, next to rivals and limits?"
RIVALS = tuple(
    entry.name
    for entry in (
        OURS_DURABLE,
        MMAP_SENDALL,
        SENDFILE,
        PYCURL,
        URLLIB3,
        NAIVE,
        HTTPX,
        AIOHTTP,
        CURL,
        CEILING,
    )
)
AGAINST_LIMIT = 1.0
AGAINST_NAIVE: dict[Mode, float] = {"plain": 3.0, "TLS": 2.0}
CPU_AGAINST_PYCURL = 1.0
CPU_AGAINST_NAIVE = 1 / 3
SIZE = 4 * GB
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
    size = bench.options.size or (256 * MIB if bench.options.quick else SIZE)
    pairs = bench.options.pairs or (3 if bench.options.quick else 5)
    entries = bench.entries(report, *RIVALS)
    sample = bench.workspace.file(size)
    warm(sample.path)
    for mode in bench.options.modes:
        able = [entry for entry in entries if mode in entry.modes]
        verified = {entry.name: bench.verify(entry, mode, [sample]) for entry in able}
        runs = _runs(bench, mode, able, sample, pairs)
        report.sections.append(_section(mode, size, pairs, runs, verified))
        report.limits += _limits(mode, runs)
        report.notes += _ceiling(mode, runs)
    report.notes.append(
        f"{OURS.name} has the default journal, in memory, and takes no digests, like the rivals; "
        f"{OURS_DURABLE.name} keeps its journal in a file and takes digests of every part; both "
        "count metrics"
    )
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


def _rate(run: Run) -> float:
    return run.rate


def _cpu(run: Run) -> float:
    return run.cpu_per_gb


def _ratios(
    runs: dict[str, list[Run]],
    rival: str,
    *,
    figure: Callable[[Run], float] = _rate,
    mine: str = OURS.name,
) -> list[float]:
    if mine not in runs or rival not in runs:
        return []
    return pair_ratios([figure(run) for run in runs[mine]], [figure(run) for run in runs[rival]])


def _ratio_text(runs: dict[str, list[Run]], rival: str) -> str:
    ratios = _ratios(runs, rival)
    if not ratios or rival == OURS.name:
        return ""
    seen = Spread.over(ratios)
    return f"{seen.median:.2f} ({seen.low:.2f} to {seen.high:.2f})"


def _limits(mode: Mode, runs: dict[str, list[Run]]) -> list[Limit]:
    faster = {MMAP_SENDALL.name: AGAINST_LIMIT, NAIVE.name: AGAINST_NAIVE[mode]}
    cheaper = {PYCURL.name: CPU_AGAINST_PYCURL, NAIVE.name: CPU_AGAINST_NAIVE}
    limits = []
    for mine in (OURS.name, OURS_DURABLE.name):
        for rival, bound in faster.items():
            ratios = _ratios(runs, rival, mine=mine)
            value = Spread.over(ratios).median if ratios else None
            limits.append(Limit(f"{mode}: {mine} / {rival}", value, bound, "at least"))
        for rival, bound in cheaper.items():
            ratios = _ratios(runs, rival, figure=_cpu, mine=mine)
            value = Spread.over(ratios).median if ratios else None
            limits.append(Limit(f"{mode}: CPU, {mine} / {rival}", value, bound, "at most"))
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
