"""What does an upload to each destination cost, next to what people use for it today?

Rule: ours and the rivals send the same warm file in turn to the same sink, with the same size of
parts and as many at once; each has first delivered it whole to a sink that hashes. A rival that is
not installed is named as missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.bench import Bench, VerifyError
from benchmarks.contender import S3_BOTO3, S3_ENTRIES, S3_OURS, Entry, Job
from benchmarks.report import Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.sink_process import SinkProcess
from benchmarks.stats import Spread
from benchmarks.suites import cells, tus_row
from benchmarks.units import GIB, MIB, size_text
from benchmarks.workspace import Sample, warm

QUESTION = "what does an upload to each destination cost, next to its usual clients?"
S3_SINK = "benchmarks.s3_sink"
S3_PART = 16 * MIB
S3_LARGE_PART = 64 * MIB
S3_LANES = 8
S3_MEMORY_MIB = 24
AGAINST_BOTO3 = 3.0
_COLUMNS = (
    "contender",
    "wall s",
    "GB/s",
    "CPU s",
    "CPU s/GB = user + system",
    "peak over idle MiB",
    "peak RSS MiB",
    "bytes equal",
)


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("destinations", QUESTION)
    _s3(bench, report)
    report.sections.append(tus_row.section(bench, report))
    return report


def _s3(bench: Bench, report: Report) -> None:
    quick = bench.options.quick
    size = bench.options.size or (512 * MIB if quick else 2 * GIB)
    rounds = bench.options.pairs or (1 if quick else 3)
    entries = bench.able(report, *S3_ENTRIES)
    sample = bench.workspace.file(size)
    warm(sample.path)
    equal = {entry.name: _verified(bench, entry, sample) for entry in entries}
    for part, who in ((S3_PART, entries), (S3_LARGE_PART, entries[:1])):
        with SinkProcess(module=S3_SINK) as sink:
            runs = in_turn(
                who,
                rounds,
                lambda entry, sink=sink, part=part: bench.measure(  # type: ignore[misc]
                    _job(bench, entry, sink, sample, part), sink, watch=part == S3_LARGE_PART
                ),
            )
        title = f"S3, plain: {size_text(size)}, {S3_LANES} lanes, parts of {size_text(part)}"
        report.sections.append(_section(title, runs, equal))
        report.limits += _memory(title, part, runs.get(S3_OURS.name, []))
        report.limits += _faster(runs)
    report.notes += [
        "S3's sink answers multipart uploads and drops their bytes in the kernel: it looks at no"
        " signature and no checksum, so that the clients are measured",
        "over plain HTTP with unsigned payloads; ours sends CRC32C of each part, boto3 and aws"
        " CRC32 of theirs, obstore none",
        "aws is a process of its own: wall, CPU and peak include its interpreter",
    ]


def _job(bench: Bench, entry: Entry, sink: SinkProcess, sample: Sample, part: int) -> Job:
    job = bench.job(entry, sink, [sample], warm=entry.command is None)
    return replace(job, chunk_size=part, lanes=S3_LANES)


def _verified(bench: Bench, entry: Entry, sample: Sample) -> bool:
    """Send once to a sink that hashes each part, and compare with the file's own bytes."""
    with SinkProcess(module=S3_SINK, verify=True) as sink:
        result = bench.measure(_job(bench, entry, sink, sample, S3_PART), sink)
    (upload,) = [each for each in result.sink.uploads if each["received"] == sample.size]
    with sample.path.open("rb") as file:
        for length, digest in upload["parts"]:
            if hashlib.sha256(file.read(length)).hexdigest() != digest:
                raise VerifyError(f"{entry.name} delivered other bytes than the file holds")
    return True


def _section(title: str, runs: dict[str, list[Run]], equal: dict[str, bool]) -> Section:
    rows = tuple(
        (
            name,
            cells.spread(mine, lambda run: run.wall),
            cells.rate(mine),
            cells.spread(mine, lambda run: run.user + run.system),
            cells.cpu(mine),
            cells.mib_text([run.over_idle for run in mine]),
            cells.mib_text([run.peak for run in mine]),
            "yes" if equal[name] else "no",
        )
        for name, mine in runs.items()
    )
    return Section(title, _COLUMNS, rows, runs)


def _memory(title: str, part: int, ours: Sequence[Run]) -> list[Limit]:
    if part != S3_LARGE_PART:
        return []
    peak = cells.worst_mib([run.over_idle for run in ours])
    return [Limit(f"{title}: ours over idle", peak, S3_MEMORY_MIB, "at most", "MiB")]


def _faster(runs: dict[str, list[Run]]) -> list[Limit]:
    """Compare the median walls, and with boto3 what the processor did, in the same run."""
    if S3_OURS.name not in runs:
        return []
    walls = _medians(runs, lambda run: run.wall)
    limits = [
        Limit(
            f"S3, plain: wall of {name} / ours",
            wall / walls[S3_OURS.name],
            AGAINST_BOTO3 if name == S3_BOTO3.name else 1.0,
            "at least",
        )
        for name, wall in walls.items()
        if name != S3_OURS.name
    ]
    if S3_BOTO3.name in runs:
        spent = _medians(runs, lambda run: run.cpu_per_gb)
        ratio = spent[S3_OURS.name] / spent[S3_BOTO3.name]
        limits.append(Limit("S3, plain: CPU, ours / boto3", ratio, 1 / AGAINST_BOTO3, "at most"))
    return limits


def _medians(runs: dict[str, list[Run]], figure: Callable[[Run], float]) -> dict[str, float]:
    return {name: Spread.over(list(map(figure, mine))).median for name, mine in runs.items()}
