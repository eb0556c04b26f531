"""What does a file cost when there are many: at once, in a row, and in parts on many lanes?

Rule: small files, so that what is not their bytes shows. At once, every upload is driven at the
same time (`max_uploads` is raised to their number); in a row, one waits for the other. The
engine's own cost is ours beyond the same requests sent by the same libraries without an engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.contender import (
    BARE_FRESH,
    BARE_REQUESTS,
    NAIVE,
    OURS,
    OURS_DURABLE,
    S3_BOTO3,
    S3_OBSTORE,
    S3_OURS,
    URLLIB3,
    Entry,
)
from benchmarks.report import Chart, Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.sink_process import SinkProcess
from benchmarks.stats import Spread, fairness
from benchmarks.suites import cells
from benchmarks.suites.destinations import S3_PART, S3_SINK
from benchmarks.units import GB, GIB, KIB, MIB, size_text
from benchmarks.workspace import Sample, warm

QUESTION = "what does a file cost when there are many, and what do many lanes bring?"
AT_ONCE = (1, 8, 64, 256, 1_000)
QUICK_AT_ONCE = (1, 64, 1_000)
IN_A_ROW, QUICK_IN_A_ROW = 10_000, 300
LANES = (1, 2, 4, 8, 16, 32)
QUICK_LANES = (1, 4, 32)
ENGINE_MS = 2.0
_WHO_AT_ONCE = (BARE_REQUESTS.name, NAIVE.name)
_WHO_IN_A_ROW = (OURS_DURABLE.name, BARE_FRESH.name, BARE_REQUESTS.name, URLLIB3.name, NAIVE.name)
_WHO_LANES = (S3_OURS, S3_BOTO3, S3_OBSTORE)
_COLUMNS = (
    "contender",
    "files/s",
    "CPU ms a file",
    "peak over idle MiB",
    "descriptors",
    "threads",
    "slowest / mean",
)
_LANE_COLUMNS = ("contender", "lanes", "GB/s", "CPU s/GB = user + system", "threads")


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("scale", QUESTION)
    _at_once(bench, report)
    _in_a_row(bench, report)
    _lanes(bench, report)
    report.notes += [
        f"{BARE_REQUESTS.name} sends the same requests by aiohttp on uvloop from one session; ours "
        "opens a connection for each upload, so that nothing irreversible goes out on an idle one, "
        f"and so does {BARE_FRESH.name}: beyond that is the engine's own",
        "descriptors and threads are the most that were seen at once; slowest / mean: finishing "
        "rates as the sink saw them, from the common start",
        f"in a row, {OURS.name} has a journal in memory, {OURS_DURABLE.name} one in a file",
    ]
    return report


def per_file_ms(run: Run) -> float:
    """Return the processor milliseconds of one file."""
    return (run.user + run.system) / run.sink.complete * 1e3


def _at_once(bench: Bench, report: Report) -> None:
    quick = bench.options.quick
    sample = bench.workspace.file(bench.options.size or (256 * KIB if quick else MIB))
    warm(sample.path)
    lines: dict[str, list[tuple[float, float]]] = {}
    for number in QUICK_AT_ONCE if quick else AT_ONCE:
        entries = bench.entries(report, *_WHO_AT_ONCE)
        runs = _runs(bench, entries, [sample] * number, max_uploads=number)
        title = f"plain: {number:,} x {size_text(sample.size)} at once"
        report.sections.append(_section(title, runs, at_once=True))
        for name, mine in runs.items():
            cost = Spread.over([per_file_ms(run) for run in mine]).median
            lines.setdefault(name, []).append((number, cost))
    report.charts.append(Chart("CPU of a file", "ms", lines=lines, across="files at once"))


def _in_a_row(bench: Bench, report: Report) -> None:
    quick = bench.options.quick
    sample = bench.workspace.file(MIB)
    warm(sample.path)
    number = QUICK_IN_A_ROW if quick else IN_A_ROW
    entries = bench.entries(report, *_WHO_IN_A_ROW)
    runs = _runs(bench, entries, [sample] * number, concurrency=1)
    title = f"plain: {number:,} x {size_text(sample.size)} in a row"
    report.sections.append(_section(title, runs, at_once=False))
    medians = {
        name: Spread.over([per_file_ms(run) for run in mine]).median for name, mine in runs.items()
    }
    report.charts.append(Chart(f"CPU of a file, {number:,} in a row", "ms", values=medians))
    report.limits += [
        engine_limit(name, runs, bare)
        for name in (OURS.name, OURS_DURABLE.name)
        for bare in (BARE_FRESH.name, BARE_REQUESTS.name)
    ]


def engine_limit(mine: str, runs: dict[str, list[Run]], bare: str) -> Limit:
    """State what ours spends on a file beyond what its requests cost alone."""
    value = None
    if mine in runs and bare in runs:
        pairs = zip(runs[mine], runs[bare], strict=True)
        value = Spread.over([per_file_ms(a) - per_file_ms(b) for a, b in pairs]).median
    return Limit(f"{mine}: CPU of a small file beyond {bare}", value, ENGINE_MS, "at most", "ms")


def _runs(
    bench: Bench,
    entries: Sequence[Entry],
    samples: list[Sample],
    *,
    concurrency: int | None = None,
    max_uploads: int = 1,
) -> dict[str, list[Run]]:
    rounds = bench.options.pairs or (1 if bench.options.quick else 3)
    settings = {"max_uploads": max_uploads}
    with bench.sink("plain") as sink:
        return in_turn(
            entries,
            rounds,
            lambda entry: bench.measure(
                bench.job(
                    entry, sink, samples, warm=True, concurrency=concurrency, settings=settings
                ),
                sink,
                watch=True,
            ),
        )


def _section(title: str, runs: dict[str, list[Run]], *, at_once: bool) -> Section:
    rows = tuple(
        (
            name,
            cells.spread(mine, lambda run: run.sink.complete / run.wall, 0),
            cells.spread(mine, per_file_ms),
            cells.mib_text([run.over_idle for run in mine]),
            str(max(run.crowd.descriptors for run in mine)),
            str(max(run.crowd.threads for run in mine)),
            f"{min(fairness(run.finishing_rates) for run in mine):.2f}" if at_once else "",
        )
        for name, mine in runs.items()
    )
    return Section(title, _COLUMNS, rows, runs)


def _lanes(bench: Bench, report: Report) -> None:
    quick = bench.options.quick
    sample = bench.workspace.file(bench.options.size or (256 * MIB if quick else 2 * GIB))
    warm(sample.path)
    entries = bench.able(report, *_WHO_LANES)
    part = min(S3_PART, sample.size)
    rows: list[tuple[str, ...]] = []
    every: dict[str, list[Run]] = {}
    lines: dict[str, list[tuple[float, float]]] = {}
    with SinkProcess(module=S3_SINK) as sink:
        for lanes in QUICK_LANES if quick else LANES:
            runs = in_turn(
                entries,
                bench.options.pairs or (1 if quick else 3),
                lambda entry, lanes=lanes: bench.measure(  # type: ignore[misc]
                    replace(
                        bench.job(entry, sink, [sample], warm=True, chunk_size=part), lanes=lanes
                    ),
                    sink,
                    watch=True,
                ),
            )
            for name, mine in runs.items():
                threads = str(max(run.crowd.threads for run in mine))
                rows.append((name, str(lanes), cells.rate(mine), cells.cpu(mine), threads))
                every[f"{name}, {lanes} lanes"] = mine
                rate = Spread.over([run.rate for run in mine]).median / GB
                lines.setdefault(name, []).append((lanes, rate))
    title = f"S3, plain: {size_text(sample.size)}, parts of {size_text(part)}, by lanes"
    report.sections.append(Section(title, _LANE_COLUMNS, tuple(rows), every))
    report.charts.append(Chart("To S3, by lanes", "GB/s", lines=lines, across="lanes"))
