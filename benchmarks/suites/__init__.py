"""The suites, each a module with a question, limits and `measure(bench) -> Report`.

Rule: a suite reads figures and states verdicts; processes, files and sinks are the bench's.
"""

from __future__ import annotations

from benchmarks.suites import (
    destinations,
    fleet,
    latency,
    limits,
    memory,
    overhead,
    scale,
    startup,
    throughput,
    tus_row,
    wide,
)

SUITES = {
    "memory": memory.measure,
    "throughput": throughput.measure,
    "latency": latency.measure,
    "scale": scale.measure,
    "startup": startup.measure,
    "limits": limits.measure,
    "wide": wide.measure,
    "destinations": destinations.measure,
    "overhead": overhead.measure,
    "fleet": fleet.measure,
    "tus": tus_row.measure,
}
