"""How much of a long line do ordered uploads use, and what does the size of a chunk cost?

Rule: a relay with 80 ms round trip and 200 Mbit/s; raw TCP streams over the same relay, as many
and as large, are the measure. Ordered parts wait for an answer each, which is what the round trip
costs: `predicted` is chunk / (chunk + rate x round trip).
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from benchmarks import raw_stream
from benchmarks.bench import CHUNK_SIZE, Bench
from benchmarks.contender import NAIVE, OURS, Entry
from benchmarks.relay import RATE, ROUND_TRIP, Relay
from benchmarks.report import Chart, Limit, Report, Section
from benchmarks.runner import Run, in_turn
from benchmarks.stats import Spread
from benchmarks.units import MB, MIB, size_text
from benchmarks.workspace import warm

QUESTION = "how close do ordered uploads come to raw TCP streams over 80 ms?"
CHUNKS = (5 * MIB, 16 * MIB, CHUNK_SIZE)
ALONE = 0.90
TOGETHER = 0.95
EIGHT = 8
_COLUMNS = ("contender", "uploads", "chunks of", "MB/s", "raw MB/s", "share of raw", "predicted")


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("wide", QUESTION)
    quick = bench.options.quick
    one = bench.options.size or (2 if quick else 8) * CHUNK_SIZE
    entries = bench.entries(report, NAIVE.name)
    rows: list[tuple[str, ...]] = []
    every: dict[str, list[Run]] = {}
    points: list[tuple[float, float]] = []
    settings = [(1, one, chunk) for chunk in CHUNKS]
    settings.append((EIGHT, max(one // EIGHT, 1), CHUNK_SIZE))
    for number, size, chunk in settings:
        raw = _raw(bench, size, number)
        runs = _over(bench, entries, size, number, chunk)
        for name, mine in runs.items():
            rate = Spread.over([run.rate for run in mine]).median
            every[f"{name}, {number}, {size_text(chunk)}"] = mine
            predicted = f"{share(min(chunk, size)):.2f}" if number == 1 else ""
            cells = (f"{rate / MB:.1f}", f"{raw / MB:.1f}", f"{rate / raw:.2f}", predicted)
            rows.append((name, str(number), size_text(chunk), *cells))
            if name == OURS.name and number == 1:
                points.append((chunk / MB, rate / raw))
            if name == OURS.name and chunk == CHUNK_SIZE:
                report.limits.append(limit(number, rate / raw))
    title = (
        f"{ROUND_TRIP * 1e3:.0f} ms, {RATE * 8 / 1e6:.0f} Mbit/s, plain: {size_text(one)} in all"
    )
    report.sections.append(Section(title, _COLUMNS, tuple(rows), every))
    lines = {"measured": points, "predicted": [(x, share(x * MB)) for x, _ in points]}
    report.charts.append(Chart("share of a raw stream", "", lines=lines, across="chunk, MB"))
    report.notes.append(
        "the relay loses nothing and lets a stream use the whole line; connecting costs nothing in "
        "it; raw streams end with one answer each, uploads with init, an answer a chunk and status"
    )
    return report


def share(chunk: float, *, rate: float = RATE, round_trip: float = ROUND_TRIP) -> float:
    """Return what part of a line's rate ordered chunks reach, each waiting for its answer."""
    return chunk / (chunk + rate * round_trip)


def limit(number: int, reached: float) -> Limit:
    """State what one upload, or eight together, are to reach of as many raw streams."""
    what, bound = ("one alone", ALONE) if number == 1 else (f"{number} together", TOGETHER)
    return Limit(f"ordered over 80 ms, {what} / raw TCP", reached, bound, "at least")


def _raw(bench: Bench, size: int, number: int) -> float:
    bench.tell(f"{number} raw streams, {size:,} bytes each")
    with raw_stream.discarding(size) as port, Relay(port) as relay:
        return raw_stream.rate(relay.port, size, number)


def _over(
    bench: Bench, entries: list[Entry], size: int, number: int, chunk: int
) -> dict[str, list[Run]]:
    sample = bench.workspace.file(size)
    warm(sample.path)
    rounds = bench.options.pairs or (1 if bench.options.quick else 3)
    with bench.sink("plain") as sink, Relay(urlsplit(sink.origin).port or 0) as relay:

        def once(entry: Entry) -> Run:
            job = bench.job(entry, sink, [sample] * number, chunk_size=chunk)
            return bench.measure(replace(job, origin=f"http://127.0.0.1:{relay.port}"), sink)

        return in_turn(entries, rounds, once)
