"""How long until something happens: the import, the first upload, the command's help?

Rule: every figure is of fresh processes, in turn, with the files that they load in the page
cache; medians, as a web process's start and a shell's prompt feel them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

from benchmarks.bench import Bench, VerifyError
from benchmarks.contender import AIOHTTP, HTTPX, NAIVE, PYCURL, Entry, installed
from benchmarks.report import Chart, Limit, Report, Section
from benchmarks.runner import RunFailedError, child_environment
from benchmarks.sink_process import ROOT, SinkProcess
from benchmarks.stats import Spread
from benchmarks.units import MIB, size_text
from benchmarks.workspace import Sample

QUESTION = "how long do the import, the first upload and the command's help take?"
IMPORT_MS = 60.0
PACKAGES = ("uploader", "requests", "httpx", "aiohttp", "pycurl", "boto3")
_RIVALS = (NAIVE.name, HTTPX.name, AIOHTTP.name, PYCURL.name)
_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
_HELP = "from uploader.cli import main; main()"


@dataclass(frozen=True)
class First:
    """One first upload: seconds until ready, for the upload, and of the whole process."""

    ready: float
    uploaded: float
    process: float


def measure(bench: Bench) -> Report:
    """Run the suite."""
    report = Report("startup", QUESTION)
    rounds = bench.options.pairs or (5 if bench.options.quick else 15)
    _imports(bench, report, rounds)
    _first_uploads(bench, report, rounds)
    _help(bench, report, rounds)
    report.notes.append(
        "each figure is of fresh processes, one after the other; `ready` is the import, the "
        "construction and the start of threads"
    )
    return report


def import_seconds(package: str) -> float:
    """Import a package in a fresh interpreter and return how long that took."""
    return float(_output(["-c", _IMPORT.format(package)]))


def first_upload(bench: Bench, entry: Entry, sink: SinkProcess, sample: Sample) -> First:
    """Upload one file with an interpreter that has loaded nothing yet."""
    job = bench.job(entry, sink, [sample])
    sink.reset()
    began = perf_counter()
    told = json.loads(_output(["-m", "benchmarks.cold"], text=json.dumps(asdict(job))))
    process = perf_counter() - began
    if sink.report().received != sample.size:
        raise VerifyError(f"{entry.name}: the first upload did not arrive whole")
    return First(**told, process=process)


def _imports(bench: Bench, report: Report, rounds: int) -> None:
    packages = [name for name in PACKAGES if installed(name)]
    report.missing |= {f"import {name}": [name] for name in PACKAGES if not installed(name)}
    seconds: dict[str, list[float]] = {name: [] for name in packages}
    for name in _turns(packages, rounds):
        bench.tell(f"import {name}")
        seconds[name].append(import_seconds(name))
    rows = tuple((f"import {name}", _ms(each)) for name, each in seconds.items())
    report.sections.append(Section("import", ("what", "ms"), rows, {}))
    report.charts.append(Chart("import", "ms", values=_medians_ms(seconds)))
    ours = Spread.over(seconds["uploader"]).median * 1e3
    report.limits.append(Limit("import uploader", ours, IMPORT_MS, "at most", "ms"))


def _first_uploads(bench: Bench, report: Report, rounds: int) -> None:
    entries = {entry.name: entry for entry in bench.entries(report, *_RIVALS)}
    sample = bench.workspace.file(MIB)
    seen: dict[str, list[First]] = {name: [] for name in entries}
    with bench.sink("plain") as sink:
        for name in _turns(list(entries), rounds):
            bench.tell(f"first upload by {name}")
            seen[name].append(first_upload(bench, entries[name], sink, sample))
    rows = tuple(
        (
            name,
            _ms([first.ready for first in each]),
            _ms([first.uploaded for first in each]),
            _ms([first.process for first in each]),
        )
        for name, each in seen.items()
    )
    title = f"first upload, plain: {size_text(sample.size)}"
    columns = ("contender", "ready ms", "upload ms", "whole process ms")
    report.sections.append(Section(title, columns, rows, {}))
    whole = {name: [first.process for first in each] for name, each in seen.items()}
    report.charts.append(Chart("first upload, whole process", "ms", values=_medians_ms(whole)))


def _help(bench: Bench, report: Report, rounds: int) -> None:
    commands = {
        "uploader --help": ["-c", _HELP, "--help"],
        "uploader publish --help": ["-c", _HELP, "publish", "--help"],
        "the interpreter alone": ["-c", "pass"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for name in _turns(list(commands), rounds):
        bench.tell(name)
        seconds[name].append(_timed(lambda name=name: _output(commands[name])))  # type: ignore[misc]
    rows = tuple((name, _ms(each)) for name, each in seconds.items())
    report.sections.append(Section("command", ("what", "ms"), rows, {}))
    report.charts.append(Chart("command", "ms", values=_medians_ms(seconds)))


def _turns(names: Sequence[str], rounds: int) -> list[str]:
    """Return who runs when: A B, then B A."""
    return [
        name
        for number in range(rounds)
        for name in (names if number % 2 == 0 else tuple(reversed(names)))
    ]


def _timed(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began


def _output(arguments: Sequence[str], *, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=child_environment(None),
        input=text,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise RunFailedError(f"python {arguments[0]} {arguments[1][:40]} ended with an error")
    return done.stdout


def _ms(seconds: Sequence[float]) -> str:
    seen = Spread.over(seconds)
    return f"{seen.median * 1e3:.0f} ({seen.low * 1e3:.0f} to {seen.high * 1e3:.0f})"


def _medians_ms(seconds: dict[str, list[float]]) -> dict[str, float]:
    return {name: Spread.over(each).median * 1e3 for name, each in seconds.items()}
