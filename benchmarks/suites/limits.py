"""Do the limits of a process hold: bandwidth, byte budget, and files that cannot be mapped safely?

Rule: a rate is taken over the whole upload, as a line's owner would; fairness from the sink's
books. The fall-back is forced by `source_mode="buffered"`, which is what `auto` takes where the
kernel gives no lease.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench, Mode, VerifyError
from benchmarks.cgroup import MemoryCgroup, NoCgroupError
from benchmarks.contender import NAIVE, OURS, Entry
from benchmarks.report import Chart, Limit, Report, Section
from benchmarks.runner import Run, RunFailedError, in_turn
from benchmarks.stats import Spread, fairness, pair_ratios
from benchmarks.suites import cells
from benchmarks.units import GIB, MB, MIB, size_text
from benchmarks.workspace import Sample, cool, warm

QUESTION = "do the bandwidth limit, the byte budget and the fall-back source hold?"
RATES = (20 * MB, 200 * MB)
OFF_BY = 0.05
FAIR = 0.9
UPLOADS = 8
SECONDS = 4
BUDGETS = (2 * MIB, 12 * MIB, 48 * MIB)
FALLBACK: dict[Mode, float] = {"plain": 1.0, "TLS": 1.0}
CONFINED = 128 * MIB
CONFINED_UPLOADS = 32
_RATE_COLUMNS = ("asked for", "uploads", "MB/s", "off by", "slowest / mean")
_BUDGET_COLUMNS = ("window_bytes", "GB/s", "peak over idle MiB", "slowest / mean")
_CONFINED_COLUMNS = (
    "contender",
    "end",
    "arrived whole",
    "GB/s",
    "peak over idle MiB",
    "cgroup's peak MiB",
)
_SOURCE_COLUMNS = ("contender", "GB/s", "fall-back / it", "CPU s/GB = user + system", "peak MiB")


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("limits", QUESTION)
    _bandwidth(bench, report)
    _budget(bench, report)
    _fallback(bench, report)
    _confined(bench, report)
    report.notes += [
        "the rate is bytes over wall, connecting and status included; slowest / mean: of uploads "
        "of one size that start together, by their last byte at the sink",
        "the fall-back reads through pooled buffers (`source_mode='buffered'`): what is open for "
        "writing elsewhere, or lies where no lease can be had, is sent so",
    ]
    return report


def _bandwidth(bench: Bench, report: Report) -> None:
    rows = []
    every: dict[str, list[Run]] = {}
    for rate in RATES:
        for number in (1, UPLOADS):
            size = rate * (SECONDS if bench.options.quick else 3 * SECONDS) // number
            runs = _ours(bench, size, number, settings={"bandwidth": rate})
            title = f"{rate // MB} MB/s, {number} at once"
            every[title] = runs
            seen = Spread.over([run.rate for run in runs]).median
            fair = min(fairness(run.finishing_rates) for run in runs)
            off = (seen - rate) / rate
            rows.append(
                (
                    f"{rate // MB} MB/s",
                    str(number),
                    f"{seen / MB:.2f}",
                    f"{100 * off:+.1f} %",
                    f"{fair:.2f}",
                )
            )
            report.limits.append(
                Limit(f"bandwidth, {title}: off by", 100 * abs(off), 100 * OFF_BY, "at most", "%")
            )
            if number > 1:
                name = f"bandwidth, {title}: slowest / mean rate"
                report.limits.append(Limit(name, fair, FAIR, "at least"))
    report.sections.append(Section("bandwidth limit, plain", _RATE_COLUMNS, tuple(rows), every))


def _budget(bench: Bench, report: Report) -> None:
    size = bench.options.size or (16 * MIB if bench.options.quick else 128 * MIB)
    rows = []
    every: dict[str, list[Run]] = {}
    for budget in BUDGETS:
        runs = _ours(bench, size, 32, settings={"window_bytes": budget})
        every[f"window_bytes={size_text(budget)}"] = runs
        rows.append(
            (
                size_text(budget),
                cells.rate(runs),
                cells.mib_text([run.over_idle for run in runs]),
                f"{min(fairness(run.finishing_rates) for run in runs):.2f}",
            )
        )
    title = f"byte budget, plain: 32 x {size_text(size)} at once"
    report.sections.append(Section(title, _BUDGET_COLUMNS, tuple(rows), every))


def _ours(bench: Bench, size: int, number: int, *, settings: dict[str, int]) -> list[Run]:
    sample = bench.workspace.file(size)
    warm(sample.path)
    (ours,) = bench.entries(Report("", ""))
    rounds = bench.options.pairs or (1 if bench.options.quick else 3)
    with bench.sink("plain") as sink:
        return [
            bench.measure(
                bench.job(ours, sink, [sample] * number, settings=settings), sink, watch=True
            )
            for _ in range(rounds)
        ]


def _confined(bench: Bench, report: Report) -> None:
    """Send 32 files at once, whole and equal, where a container has little memory."""
    quick = bench.options.quick
    sample = bench.workspace.file(bench.options.size or (32 * MIB if quick else 256 * MIB))
    name = f"{CONFINED_UPLOADS} uploads in a cgroup of {size_text(CONFINED)}: delivered whole"
    rows: list[tuple[str, ...]] = []
    every: dict[str, list[Run]] = {}
    arrived: int | None = None
    try:
        for entry in bench.entries(report, NAIVE.name):
            cool(sample.path)  # so that the pages that it reads are its own
            with MemoryCgroup(CONFINED) as cgroup:
                runs, equal, ended = _inside(bench, cgroup, entry, sample)
                peak = cells.mib_text([cgroup.peak])
            every[entry.name] = runs
            if entry is OURS:
                arrived = equal
            over = cells.mib_text([run.over_idle for run in runs]) if runs else ""
            rate = cells.rate(runs) if runs else ""
            rows.append((entry.name, ended, str(equal), rate, over, peak))
    except NoCgroupError as error:
        report.notes.append(f"{name}: not measured, {error}")
    report.limits.append(Limit(name, arrived, CONFINED_UPLOADS, "at least"))
    title = f"plain: {CONFINED_UPLOADS} x {size_text(sample.size)} in {size_text(CONFINED)}"
    report.sections.append(Section(title, _CONFINED_COLUMNS, tuple(rows), every))


def _inside(
    bench: Bench, cgroup: MemoryCgroup, entry: Entry, sample: Sample
) -> tuple[list[Run], int, str]:
    """Return the run if it ended, how many files arrived with the right bytes, and its end."""
    with bench.sink("plain", verify=True) as sink:
        job = bench.job(entry, sink, [sample] * CONFINED_UPLOADS)
        try:
            runs = [bench.measure(job, sink, inside=cgroup)]
        except (RunFailedError, VerifyError):
            if not cgroup.killed:
                raise
            runs = []
        received = sink.report().uploads if not runs else runs[0].sink.uploads
    equal = sum(upload["sha256"] == sample.sha256 for upload in received)
    return runs, equal, "done" if runs else "killed: out of memory"


def _fallback(bench: Bench, report: Report) -> None:
    quick = bench.options.quick
    sample = bench.workspace.file(bench.options.size or (256 * MIB if quick else GIB))
    warm(sample.path)
    entries = bench.entries(report, NAIVE.name)
    rounds = bench.options.pairs or (3 if quick else 5)
    for mode in bench.options.modes:
        with bench.sink(mode) as sink:
            runs = in_turn(
                entries,
                rounds,
                lambda entry, sink=sink: bench.measure(  # type: ignore[misc]
                    bench.job(
                        entry, sink, [sample], warm=True, settings={"source_mode": "buffered"}
                    ),
                    sink,
                ),
            )
        title = f"fall-back source, {mode}: {size_text(sample.size)}, {rounds} rounds in turn"
        report.sections.append(_sources(title, runs))
        report.limits.append(fallback_limit(mode, runs))
        rates = {
            name: cells.median(mine, lambda run: run.rate) / 1e9 for name, mine in runs.items()
        }
        report.charts.append(Chart(f"fall-back source, {mode}", "GB/s", values=rates))


def fallback_limit(mode: Mode, runs: dict[str, list[Run]]) -> Limit:
    """State that a file which cannot be mapped is still sent as fast as by the naive loop."""
    ratios = _ratios(runs, NAIVE.name)
    value = Spread.over(ratios).median if ratios else None
    return Limit(f"{mode}: fall-back source / naive", value, FALLBACK[mode], "at least")


def _ratios(runs: dict[str, list[Run]], rival: str) -> Sequence[float]:
    if OURS.name not in runs or rival not in runs:
        return []
    return pair_ratios([run.rate for run in runs[OURS.name]], [run.rate for run in runs[rival]])


def _sources(title: str, runs: dict[str, list[Run]]) -> Section:
    rows = []
    for name, mine in runs.items():
        ratio = Spread.over(_ratios(runs, name)).median
        peak = cells.mib_text([run.over_idle for run in mine])
        shown = "" if name == OURS.name else f"{ratio:.2f}"
        rows.append((name, cells.rate(mine), shown, cells.cpu(mine), peak))
    return Section(title, _SOURCE_COLUMNS, tuple(rows), runs)
