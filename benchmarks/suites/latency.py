"""How late is the caller's own event loop while an upload runs at full speed?

Rule: the ticker runs on the loop of the caller, a plain asyncio loop as an ASGI app has it; the
same loop, idle in the same process just before, is what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import CHUNK_SIZE, Bench, Mode
from benchmarks.contender import AIOHTTP, MMAP_SENDALL, NAIVE, OURS, OURS_DURABLE
from benchmarks.report import Chart, Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.stats import percentile
from benchmarks.suites import cells
from benchmarks.units import MIB, size_text
from benchmarks.workspace import warm

QUESTION = "how late is the caller's event loop while an upload runs at full speed?"
RIVALS = (OURS_DURABLE.name, MMAP_SENDALL.name, NAIVE.name, AIOHTTP.name)
MINE = (OURS, OURS_DURABLE)
ABOVE_IDLE_MS = 10
QUICK_TICKS = 1_000
"""Of a rival in the quick form, which promises nothing about rivals."""
SAMPLES = 10_000
_POINTS = (50.0, 99.0, 99.9, 100.0)
_COLUMNS = ("contender", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "uploads", "GB/s")


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("latency", QUESTION)
    quick = bench.options.quick
    size = bench.options.size or 256 * MIB
    rounds = bench.options.pairs or (2 if quick else 5)
    ticks = -(-SAMPLES // rounds)
    entries = bench.entries(report, *RIVALS)
    sample = bench.workspace.file(size)
    warm(sample.path)
    for mode in bench.options.modes:
        with bench.sink(mode) as sink:
            runs = in_turn(
                entries,
                rounds,
                lambda entry, sink=sink: bench.measure(  # type: ignore[misc]
                    bench.job(
                        entry,
                        sink,
                        [sample],
                        warm=True,
                        ticks=ticks if entry in MINE or not quick else QUICK_TICKS,
                    ),
                    sink,
                ),
            )
        title = f"{mode}: {size_text(size)} again and again, chunks of {size_text(CHUNK_SIZE)}"
        report.sections.append(_section(title, runs))
        report.limits += [
            _limit(mode, name, runs.get(name, [])) for name in (OURS.name, OURS_DURABLE.name)
        ]
        values = {name: _above_idle(mine) for name, mine in runs.items()}
        report.charts.append(Chart(f"p99.9 lateness above idle, {mode}", "ms", values=values))
    report.notes += [
        f"a tick is due every millisecond; {ticks:,} ticks idle and as many under load a run, "
        "late ones counted as every tick they delayed; asyncio rounds timers up to 1 ms"
        + (f"; in this quick form {QUICK_TICKS:,} of rivals" if quick else ""),
        "the blocking rivals run in a thread (asyncio.to_thread), as they would in an ASGI app; "
        "aiohttp runs on the caller's own loop",
    ]
    return report


def _section(title: str, runs: dict[str, list[Run]]) -> Section:
    rows = []
    for name, mine in runs.items():
        idle = [late for run in mine for late in run.idle_lateness]
        busy = [late for run in mine for late in run.lateness]
        rows.append((f"{name}: idle ticker", *_points(idle), "0", ""))
        uploads = str(sum(run.repeats for run in mine))
        rows.append((name, *_points(busy), uploads, cells.rate(mine)))
    return Section(title, _COLUMNS, tuple(rows), runs)


def _points(late: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{percentile(late, point) * 1e3:.2f}" for point in _POINTS)


def _limit(mode: Mode, name: str, mine: list[Run]) -> Limit:
    late = [late for run in mine for late in run.lateness]
    value = _above_idle(mine) if len(late) >= SAMPLES else None
    return Limit(
        f"{mode}: p99.9 lateness beside {name}, above idle", value, ABOVE_IDLE_MS, "at most", "ms"
    )


def _above_idle(mine: list[Run]) -> float:
    idle = percentile([late for run in mine for late in run.idle_lateness], 99.9)
    return (percentile([late for run in mine for late in run.lateness], 99.9) - idle) * 1e3
