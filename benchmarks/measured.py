"""Puts the figures of a report into the README and into docs/measured.md: `python -m
benchmarks.measured bench-report/report.json`.

Rule: no figure there is typed by hand. What a report holds is kept in measured.json, and a test
compares both pages with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.report import Limit

ROOT: Final = Path(__file__).parents[1]
FILE: Final = Path(__file__).with_name("measured.json")
README: Final = ROOT / "README.md"
PAGE: Final = ROOT / "docs" / "measured.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
SHOWN: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "throughput": (
        ("Plain, with digests: throughput, ours / blocking loop", "plain: ours_durable / mmap_s"),
        ("Plain, without digests: throughput, ours / blocking loop", "plain: ours / mmap_sendall"),
        ("Plain, with digests: throughput, ours / naive loop", "plain: ours_durable / naive"),
        ("Plain, with digests: CPU, ours / pycurl", "plain: CPU, ours_durable / pycurl"),
        ("Plain, with digests: CPU, ours / naive loop", "plain: CPU, ours_durable / naive"),
        ("TLS, with digests: throughput, ours / blocking loop", "TLS: ours_durable / mmap_s"),
        ("TLS, with digests: throughput, ours / naive loop", "TLS: ours_durable / naive"),
        ("TLS, with digests: CPU, ours / pycurl", "TLS: CPU, ours_durable / pycurl"),
        ("TLS, with digests: CPU, ours / naive loop", "TLS: CPU, ours_durable / naive"),
    ),
    "memory": (
        ("One file to TikTok, plain: peak over idle", "plain: ours, 256 MB"),
        ("One file to TikTok, TLS: peak over idle", "TLS: ours, 256 MB"),
        ("32 uploads at once, TLS: peak over idle", "TLS: ours, 32 x"),
        ("Each further upload", "plain: ours, each further"),
        ("S3, 8 lanes of 64 MiB: peak over idle", "S3, plain"),
    ),
    "latency": (
        ("Caller's loop, p99.9 above idle, plain", "plain: p99.9 lateness beside ours_durable"),
        ("Caller's loop, p99.9 above idle, TLS", "TLS: p99.9 lateness beside ours_durable"),
    ),
    "destinations": (
        ("S3: throughput, ours / boto3", "S3, plain: wall of s3_boto3"),
        ("S3: CPU, ours / boto3", "S3, plain: CPU, ours / s3_boto3"),
        (
            "S3: throughput, ours / obstore, which sends no checksum",
            "S3, plain: wall of s3_obstore /",
        ),
        ("S3: throughput, ours / rclone", "S3, plain: wall of s3_rclone"),
    ),
    "wide": (
        ("80 ms, 200 Mbit/s: one upload / raw TCP", "ordered over 80 ms, one"),
        ("80 ms, 200 Mbit/s: eight / raw TCP", "ordered over 80 ms, 8"),
    ),
    "limits": (("32 uploads in 128 MiB of memory: arrive whole", "32 uploads in a cgroup"),),
    "scale": (
        ("Engine's CPU for a file of 1 MiB, with digests", "ours_durable: CPU of a small"),
        ("Engine's CPU for a file of 1 MiB, journal in memory", "ours: CPU of a small"),
    ),
    "startup": (("`import uploader`", "import"),),
}
"""What the README shows: our words, and how the figure's name begins in its suite."""


def kept(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is kept of a report: the figures, and where they were measured."""
    return [
        {
            "suite": report["suite"],
            "machine": report["machine"],
            "limits": [
                {name: each[name] for name in ("name", "value", "bound", "sense", "unit")}
                for each in report["limits"]
            ],
        }
        for report in reports
    ]


def limits(reports: Iterable[Mapping[str, Any]]) -> dict[str, list[Limit]]:
    """Return the figures by suite."""
    return {report["suite"]: [Limit(**each) for each in report["limits"]] for report in reports}


def summary(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the README's table."""
    known = limits(reports)
    rows = []
    for suite, wanted in SHOWN.items():
        for words, begins in wanted:
            found = [each for each in known.get(suite, []) if each.name.startswith(begins)]
            if found:
                rows.append((words, found[0]))
    return _table(rows)


def page(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return docs/measured.md."""
    machine = reports[0]["machine"]
    told = "; ".join(f"{name} {value}" for name, value in machine.items())
    blocks = [
        "# Measured",
        "",
        "Written by `python -m benchmarks.measured bench-report/report.json` from the last `make"
        " bench` that was recorded. A figure that is not reached stays in the table.",
        "",
        told,
    ]
    for suite, found in limits(reports).items():
        blocks += ["", f"## {suite}", "", _table([(each.name, each) for each in found])]
    return "\n".join(blocks) + "\n"


def _table(rows: Sequence[tuple[str, Limit]]) -> str:
    lines = [
        f"| {words} | {limit.value_text} | {limit.bound_text} | {limit.verdict.lower()} |"
        for words, limit in rows
    ]
    return "\n".join(["| | measured | to reach | |", "|---|---:|---:|---|", *lines])


def load(file: Path = FILE) -> list[dict[str, Any]]:
    """Return the report that the pages show."""
    told: list[dict[str, Any]] = json.loads(file.read_text())
    return told


def readme_with(text: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the README with the report's table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{summary(reports)}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Keep a report and write both pages."""
    if len(arguments) != 1:
        print("usage: python -m benchmarks.measured REPORT.json", file=sys.stderr)
        return 2
    reports = kept(json.loads(Path(arguments[0]).read_text()))
    FILE.write_text(json.dumps(reports, indent=1) + "\n")
    README.write_text(readme_with(README.read_text(), reports))
    PAGE.write_text(page(reports))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
