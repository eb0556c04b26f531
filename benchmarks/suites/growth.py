"""How does what ours holds grow with the size of the file, of the part, and the number of uploads?

Rule: one run of each, ours alone; the slope is fitted by least squares over the numbers up to 64.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.bench import CHUNK_SIZE, Bench
from benchmarks.contender import OURS, S3_OURS, Entry
from benchmarks.report import Chart, Limit, Report, Section
from benchmarks.runner import Run
from benchmarks.sink_process import SinkProcess
from benchmarks.stats import slope
from benchmarks.suites import cells
from benchmarks.suites.destinations import S3_LANES, S3_LARGE_PART, S3_SINK
from benchmarks.units import GIB, KIB, MIB, size_text
from benchmarks.workspace import cool, warm

S3_LIMIT_MIB = 24
SLOPE_LIMIT_MIB = 2
PARTS = (5 * MIB, 16 * MIB, CHUNK_SIZE)
S3_SIZE = 8 * GIB
COUNTS = (1, 8, 16, 32, 64, 128)
SLOPE_UP_TO = 64
_COLUMNS = (
    "ours",
    "peak over idle MiB",
    "anonymous MiB",
    "file pages MiB",
    "GB/s",
)


def by_size_part_and_number(bench: Bench, report: Report) -> None:
    """Measure ours alone by size, size of part, cold files and number, with the fitted slope."""
    quick = bench.options.quick
    entries = bench.able(report, OURS)
    if not entries:
        report.limits.append(slope_limit([]))
        return
    table = Table(bench, entries[0])
    large = bench.options.size or (256 * MIB if quick else GIB)
    each = 16 * MIB if quick else 64 * MIB
    for size in (64 * KIB, 4 * MIB, large):
        table.add(f"{size_text(size)}, chunks of {size_text(CHUNK_SIZE)}", size)
    for part in PARTS:
        table.add(f"{size_text(large)}, chunks of {size_text(part)}", large, part=part)
    table.add(f"{size_text(large)}, cold", large, cold=True)
    peaks = []
    for number in COUNTS:
        peak = table.add(f"{number} x {size_text(each)} at once", each, number)
        if peak is not None:
            peaks.append((float(number), peak))
    section = Section("plain: ours, growth", _COLUMNS, tuple(table.rows), table.runs)
    report.sections.append(section)
    report.limits.append(slope_limit(peaks))
    report.charts.append(
        Chart("peak over idle, by uploads", "MiB", lines={OURS.name: peaks}, across="at once")
    )


class Table:
    """Rows of single runs of ours."""

    def __init__(self, bench: Bench, ours: Entry) -> None:
        self._bench = bench
        self._ours = ours
        self.rows: list[tuple[str, ...]] = []
        self.runs: dict[str, list[Run]] = {}

    def add(
        self, what: str, size: int, number: int = 1, *, part: int = CHUNK_SIZE, cold: bool = False
    ) -> float | None:
        """Send one file, once or several times at once; return the peak over idle in MiB."""
        sample = self._bench.workspace.file(size, may_be_sparse=True)
        prepare = cool if cold else warm
        prepare(sample.path)
        with self._bench.sink("plain") as sink:
            job = self._bench.job(
                self._ours,
                sink,
                [sample] * number,
                chunk_size=part,
                settings={"max_uploads": max(COUNTS)},
            )
            run = self._bench.measure(job, sink, watch=True)
        self.runs[what] = [run]
        self.rows.append((what, *_kinds(run), cells.rate([run])))
        return cells.worst_mib([run.over_idle])


def slope_limit(peaks: list[tuple[float, float]]) -> Limit:
    """Fit what each further upload adds, up to 64 at once."""
    fitted = [(number, peak) for number, peak in peaks if number <= SLOPE_UP_TO]
    value = slope(fitted) if len(fitted) > 1 else None
    name = f"plain: ours, each further upload up to {SLOPE_UP_TO} at once"
    return Limit(name, value, SLOPE_LIMIT_MIB, "at most", "MiB")


def _kinds(run: Run) -> tuple[str, ...]:
    kinds = (run.over_idle, run.peak_anon, run.peak_file)
    return tuple(cells.mib_text([value]) for value in kinds)


def to_s3(bench: Bench, report: Report) -> None:
    """Measure the largest file to S3, eight parts at once, each in a window of its own."""
    size = bench.options.size or (512 * MIB if bench.options.quick else S3_SIZE)
    name = f"S3, plain: {size_text(size)}, {S3_LANES} lanes, parts of {size_text(S3_LARGE_PART)}"
    entries = bench.able(report, S3_OURS)
    if not entries:
        report.limits.append(Limit(name, None, S3_LIMIT_MIB, "at most", "MiB"))
        return
    sample = bench.workspace.file(size, may_be_sparse=True)
    with SinkProcess(module=S3_SINK) as sink:
        job = bench.job(entries[0], sink, [sample], chunk_size=S3_LARGE_PART)
        run = bench.measure(replace(job, lanes=S3_LANES), sink, watch=True)
    row = (S3_OURS.name, *_kinds(run), cells.rate([run]))
    report.sections.append(Section(name, _COLUMNS, (row,), {S3_OURS.name: [run]}))
    peak = cells.worst_mib([run.over_idle])
    report.limits.append(Limit(f"{name}: ours over idle", peak, S3_LIMIT_MIB, "at most", "MiB"))
