"""What does an upload to each destination cost, next to what people use for it today?

Rule: ours and the rivals send the same warm file in turn to the same sink, with the same size of
parts and as many at once; each has first delivered it whole to a sink that hashes. A rival that is
not installed is named as missing.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.bench import Bench, Mode, VerifyError
from benchmarks.contender import (
    S3_BOTO3,
    S3_CRT,
    S3_ENTRIES,
    S3_OBSTORE,
    S3_OURS,
    S3_UNCHECKED,
    Entry,
    Job,
)
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
    size = bench.options.size or (256 * MIB if quick else 2 * GIB)
    sample = bench.workspace.file(size)
    warm(sample.path)
    for mode in bench.options.modes:
        entries = bench.able(report, *(each for each in S3_ENTRIES if mode in each.modes))
        if S3_CRT in entries and not _is_usual(mode):
            entries.remove(S3_CRT)
            port = "443" if mode == "TLS" else "80"
            report.missing[f"{S3_CRT.name}, {mode}"] = [f"port {port}, beside which it takes none"]
        _at(bench, report, mode, entries, sample)
    report.notes += [
        "S3's sink answers multipart uploads and drops their bytes in the kernel (over TLS: after"
        " decrypting them): it looks at no signature and no checksum, so that the clients are"
        " measured",
        "unsigned payloads; ours sends CRC32C of each part, crt CRC32, boto3 and aws CRC32 over"
        " plain HTTP and none over TLS, obstore and rclone none; obstore is compared over TLS with"
        " ours unchecked, over plain HTTP, where ours never goes unchecked, with ours as it is",
        "of ours over plain HTTP about two fifths of the CPU are the pass that takes CRC32C before"
        " a part is sent (two thirds of that copies by pread), the rest sendfile and the loop, a"
        " twentieth signing: docs/decisions.md, 57",
        "aws and rclone are processes of their own: wall, CPU and peak include their start",
    ]


def _at(bench: Bench, report: Report, mode: Mode, entries: Sequence[Entry], sample: Sample) -> None:
    rounds = bench.options.pairs or (1 if bench.options.quick else 3)
    equal = {entry.name: _verified(bench, mode, entry, sample) for entry in entries}
    large = [(S3_LARGE_PART, entries[:1])] if mode == "plain" else []
    for part, who in ((S3_PART, entries), *large):
        with _sink(bench, mode) as sink:
            runs = in_turn(
                who,
                rounds,
                lambda entry, sink=sink, part=part: bench.measure(  # type: ignore[misc]
                    _job(bench, entry, sink, sample, part), sink, watch=part == S3_LARGE_PART
                ),
            )
        title = (
            f"S3, {mode}: {size_text(sample.size)}, {S3_LANES} lanes, parts of {size_text(part)}"
        )
        report.sections.append(_section(title, runs, equal))
        report.limits += _memory(title, part, runs.get(S3_OURS.name, []))
        report.limits += _ahead(mode, runs)


def _sink(bench: Bench, mode: Mode, *, verify: bool = False) -> SinkProcess:
    certificate = bench.workspace.certificates().server if mode == "TLS" else None
    return SinkProcess(module=S3_SINK, certificate=certificate, verify=verify, usual_port=True)


def _is_usual(mode: Mode) -> bool:
    """Whether the port of the scheme can be listened on."""
    try:
        socket.create_server(("127.0.0.1", 443 if mode == "TLS" else 80)).close()
    except OSError:
        return False
    return True


def _job(bench: Bench, entry: Entry, sink: SinkProcess, sample: Sample, part: int) -> Job:
    job = bench.job(entry, sink, [sample], warm=entry.command is None)
    return replace(job, chunk_size=part, lanes=S3_LANES)


def _verified(bench: Bench, mode: Mode, entry: Entry, sample: Sample) -> bool:
    """Send once to a sink that hashes each part, and compare with the file's own bytes."""
    with _sink(bench, mode, verify=True) as sink:
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


def _ahead(mode: Mode, runs: dict[str, list[Run]]) -> list[Limit]:
    """Compare median walls, processor time and peaks with each rival's in the same run."""
    if S3_OURS.name not in runs:
        return []
    walls = _medians(runs, lambda run: run.wall)
    spent = _medians(runs, lambda run: run.cpu_per_gb)
    limits = []
    for name in walls:
        if name in (S3_OURS.name, S3_UNCHECKED.name):
            continue
        boto3 = name == S3_BOTO3.name
        like = name == S3_OBSTORE.name and S3_UNCHECKED.name in runs
        mine = S3_UNCHECKED.name if like else S3_OURS.name
        wall, cpu = walls[name] / walls[mine], spent[mine] / spent[name]
        faster, lighter = (AGAINST_BOTO3, 1 / AGAINST_BOTO3) if boto3 else (1.0, 1.0)
        what = f"S3, {mode}"
        limits += [
            Limit(f"{what}: wall of {name} / ours", wall, faster, "at least"),
            Limit(f"{what}: CPU, ours / {name}", cpu, lighter, "at most"),
        ]
        peaks = [_peak(runs[S3_OURS.name]), _peak(runs[name])]
        if peaks[0] is not None and peaks[1]:
            ratio = peaks[0] / peaks[1]
            limits.append(Limit(f"{what}: peak RSS, ours / {name}", ratio, 1.0, "at most"))
    return limits


def _peak(runs: Sequence[Run]) -> float | None:
    return cells.worst_mib([run.peak for run in runs])


def _medians(runs: dict[str, list[Run]], figure: Callable[[Run], float]) -> dict[str, float]:
    return {name: Spread.over(list(map(figure, mine))).median for name, mine in runs.items()}
