"""How much memory does an upload hold, whatever the size of the file, and with 32 at once?

Rule: peak is the kernel's high-water mark of the whole child above the same child idle, after
imports and with its engine running; the split into anonymous and file pages is sampled from
outside. Limits take the worst run, not the median.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import CHUNK_SIZE, Bench, Mode
from benchmarks.contender import MMAP_SENDALL, NAIVE, OURS, Entry
from benchmarks.probes import memory_of
from benchmarks.report import Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.stats import fairness
from benchmarks.suites import cells, growth
from benchmarks.units import GB, MB, MIB, size_text
from benchmarks.workspace import Sample, warm

QUESTION = "how much memory does an upload hold over the idle process?"
RIVALS = (MMAP_SENDALL.name, NAIVE.name)
QUICK_RIVALS = (NAIVE.name,)
SIZES = (64 * MB, 1 * GB, 4 * GB)
QUICK_SIZES = (64 * MB, 256 * MB)
AT_ONCE = 32
_DISTINCT = 4
ONE_LIMIT_MIB = 10
MANY_LIMIT_MIB = 96
FAIRNESS = 0.5
_COLUMNS = (
    "contender",
    "peak over idle MiB",
    "anonymous MiB",
    "file pages MiB",
    "idle MiB",
    "GB/s",
    "CPU s/GB = user + system",
    "slowest / mean",
    "bytes equal",
)


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("memory", QUESTION)
    entries = bench.entries(report, *(QUICK_RIVALS if bench.options.quick else RIVALS))
    for samples in _settings(bench, report):
        for sample in set(samples):
            warm(sample.path)
        for mode in bench.options.modes:
            runs, verified = _runs(bench, mode, entries, samples)
            report.sections.append(_section(mode, samples, runs, verified))
            report.limits += _limits(mode, samples, runs)
    growth.by_size_part_and_number(bench, report)
    growth.to_s3(bench, report)
    if memory_of().total is None:
        report.notes.append("this system does not tell what is resident: Linux does, in /proc")
    report.notes += [
        "idle is the same process after its imports, with its engine running, before the first "
        "request; every run is a fresh process; the worst run counts",
        "slowest / mean: finishing rates of the uploads as the sink saw them, from the common "
        "start to each one's last byte",
    ]
    return report


def _settings(bench: Bench, report: Report) -> list[list[Sample]]:
    """Return the files of each setting: one file of each size, then many at once."""
    quick, asked = bench.options.quick, bench.options.size
    sizes = (asked,) if asked else QUICK_SIZES if quick else SIZES
    settings = [[bench.workspace.file(size, may_be_sparse=True)] for size in sizes]
    each = (16 if quick else 256) * MIB
    distinct = [bench.workspace.file(each, number=number) for number in range(_DISTINCT)]
    settings.append([distinct[number % _DISTINCT] for number in range(AT_ONCE)])
    report.notes += [
        f"{size_text(sample.size)} is a sparse file: the disk has no room for real bytes"
        for samples in settings
        for sample in set(samples)
        if sample.sparse
    ]
    report.notes.append(f"{AT_ONCE} at once are {_DISTINCT} files, each sent {AT_ONCE // 4} times")
    return settings


def _runs(
    bench: Bench, mode: Mode, entries: Sequence[Entry], samples: list[Sample]
) -> tuple[dict[str, list[Run]], dict[str, bool]]:
    rounds = bench.options.pairs or (1 if bench.options.quick else 3)
    verified = {entry.name: bench.verify(entry, mode, samples) for entry in entries}
    with bench.sink(mode) as sink:
        runs = in_turn(
            entries,
            rounds,
            lambda entry: bench.measure(bench.job(entry, sink, samples), sink, watch=True),
        )
    return runs, verified


def _section(
    mode: Mode, samples: list[Sample], runs: dict[str, list[Run]], verified: dict[str, bool]
) -> Section:
    rows = tuple(
        (
            name,
            cells.mib_text([run.over_idle for run in mine]),
            cells.mib_text([run.peak_anon for run in mine]),
            cells.mib_text([run.peak_file for run in mine]),
            cells.mib_text([run.idle.total for run in mine]),
            cells.rate(mine),
            cells.cpu(mine),
            f"{_worst_fairness(mine):.2f}",
            "yes" if verified[name] else "no",
        )
        for name, mine in runs.items()
    )
    return Section(f"{mode}: {_what(samples)}", _COLUMNS, rows, runs)


def _what(samples: list[Sample]) -> str:
    chunks = f"chunks of {size_text(CHUNK_SIZE)}"
    if len(samples) == 1:
        return f"{size_text(samples[0].size)}, {chunks}"
    return f"{len(samples)} x {size_text(samples[0].size)} at once, {chunks}"


def _worst_fairness(runs: Sequence[Run]) -> float:
    return min(fairness(run.finishing_rates) for run in runs)


def _limits(mode: Mode, samples: list[Sample], runs: dict[str, list[Run]]) -> list[Limit]:
    ours = runs.get(OURS.name, [])
    peak = cells.worst_mib([run.over_idle for run in ours])
    name = f"{mode}: ours, {_what(samples)}, over idle"
    if len(samples) == 1:
        return [Limit(name, peak, ONE_LIMIT_MIB, "at most", "MiB")]
    slowest = _worst_fairness(ours) if ours else None
    fair = Limit(f"{mode}: slowest of {len(samples)} / mean rate", slowest, FAIRNESS, "at least")
    return [Limit(name, peak, MANY_LIMIT_MIB, "at most", "MiB"), fair]
