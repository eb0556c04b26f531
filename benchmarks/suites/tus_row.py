"""What does an upload by tus cost, beside the tus project's own client?

Rule: the same sink, the same chunks, a fresh process for each run; plain HTTP.
"""

from __future__ import annotations

from benchmarks.bench import CHUNK_SIZE, Bench, VerifyError
from benchmarks.contender import OURS_TUS, TUS_PY_CLIENT
from benchmarks.report import Report, Section
from benchmarks.runner import in_turn
from benchmarks.sink_process import SinkProcess
from benchmarks.suites import cells
from benchmarks.units import GB, MB, size_text
from benchmarks.workspace import warm

QUESTION = "what does an upload by tus cost, beside tus-py-client?"
_SINK = "benchmarks.tus_sink"
_COLUMNS = ("contender", "GB/s", "CPU s/GB = user + system", "peak over idle MiB", "bytes equal")


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("tus", QUESTION)
    report.sections.append(section(bench, report))
    return report


def section(bench: Bench, report: Report) -> Section:
    """Measure both and return their table; what is not installed is named in the report."""
    entries = []
    for entry in (OURS_TUS, TUS_PY_CLIENT):
        if missing := entry.missing():
            report.missing[entry.name] = missing
        else:
            entries.append(entry)
    size = bench.options.size or (256 * MB if bench.options.quick else 1 * GB)
    sample = bench.workspace.file(size)
    warm(sample.path)
    with SinkProcess(verify=True, module=_SINK) as hashing:
        for entry in entries:
            run = bench.measure(bench.job(entry, hashing, [sample]), hashing)
            if [upload["sha256"] for upload in run.sink.uploads] != [sample.sha256]:
                raise VerifyError(f"{entry.name} delivered other bytes than the file holds")
    rounds = bench.options.pairs or (1 if bench.options.quick else 3)
    with SinkProcess(module=_SINK) as sink:
        runs = in_turn(
            entries,
            rounds,
            lambda entry: bench.measure(bench.job(entry, sink, [sample]), sink, watch=True),
        )
    rows = tuple(
        (
            name,
            cells.rate(mine),
            cells.cpu(mine),
            cells.mib_text([run.over_idle for run in mine]),
            "yes",
        )
        for name, mine in runs.items()
    )
    what = f"tus, plain: {size_text(size)}, chunks of {size_text(CHUNK_SIZE)}"
    return Section(what, _COLUMNS, rows, runs)
