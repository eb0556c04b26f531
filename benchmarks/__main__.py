"""The command: `python -m benchmarks all|memory|throughput|latency|… [options]`.

Rule: tables go to stdout, progress and diagnostics to stderr; the exit code is 0 even if a limit
is missed, unless `--check` asks for 1. 1 is also a suite that could not finish, 2 a wrong option,
130 an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks import recorded
from benchmarks.bench import Bench, Mode, Options, VerifyError
from benchmarks.contender import ENTRIES, OURS
from benchmarks.machine import describe
from benchmarks.report import Report, show
from benchmarks.runner import RunFailedError
from benchmarks.suites import SUITES
from benchmarks.units import parse_size
from benchmarks.workspace import NoSpaceError, Workspace

_STDOUT = "-"
ALL = "all"
_WIDTH = 150  # of tables that go into a file


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds from 1")
    return int(text)


def _rivals(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = [name for name in ENTRIES if name != OURS.name]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"no rival {name!r}; there are {', '.join(known)}")
    return names


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    command = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Ours beside the rivals, in the same run."
    )
    command.add_argument("suite", nargs="+", choices=[ALL, *sorted(SUITES)], help="what to measure")
    command.add_argument("--size", type=_size, help="size of the file, e.g. 2GiB or 64MB")
    command.add_argument("--pairs", type=_count, metavar="N", help="rounds of all contenders")
    command.add_argument("--quick", action="store_true", help="small files and few rounds")
    mode = command.add_mutually_exclusive_group()
    mode.add_argument("--tls", action="store_true", help="over TLS only")
    mode.add_argument("--plain", action="store_true", help="over plain HTTP only")
    command.add_argument("--rivals", type=_rivals, metavar="A,B", help="only these rivals")
    command.add_argument("--dir", type=Path, metavar="DIR", help="where the files are made")
    command.add_argument("--check", action="store_true", help="exit 1 if a limit is missed")
    command.add_argument(
        "--report", type=Path, metavar="DIR", help="a page of Markdown with a picture per suite"
    )
    ratios = command.add_mutually_exclusive_group()
    ratios.add_argument(
        "--compare", action="store_true", help="exit 1 if a ratio is worse than the recorded one"
    )
    ratios.add_argument("--record", action="store_true", help="record the ratios of this run")
    command.add_argument(
        "--json",
        nargs="?",
        const=_STDOUT,
        metavar="FILE",
        help="every sample as JSON, to FILE or to stdout instead of the tables",
    )
    return command


def _options(arguments: argparse.Namespace) -> Options:
    modes: tuple[Mode, ...] = ("plain", "TLS")
    if arguments.tls:
        modes = ("TLS",)
    elif arguments.plain:
        modes = ("plain",)
    return Options(
        size=arguments.size,
        pairs=arguments.pairs,
        quick=arguments.quick,
        modes=modes,
        rivals=arguments.rivals,
    )


class Screen:
    """Progress on stderr: one line for the run in hand, a bar while a file is made."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("starting", total=None)

    def tell(self, what: str) -> None:
        """Show what runs now."""
        self._progress.update(self._task, description=what, total=None, completed=0)

    def advance(self, what: str, done: int, total: int) -> None:
        """Show how far a file is made."""
        self._progress.update(self._task, description=what, total=total, completed=done)


def measure(arguments: argparse.Namespace, screen: Screen) -> list[Report]:
    """Run the suites one after the other in one workspace."""
    options = _options(arguments)
    with Workspace(arguments.dir, progress=screen.advance) as workspace:
        bench = Bench(options, workspace, screen.tell)
        return [SUITES[suite](bench) for suite in chosen(arguments.suite)]


def chosen(suites: Sequence[str]) -> list[str]:
    """Return the suites to run, each once; `all` stands for every one that is in no other."""
    every = [name for name in SUITES if name != "tus"]  # a table of `destinations`
    return list(dict.fromkeys(every if ALL in suites else suites))


def publish(reports: list[Report], machine: dict[str, Any], target: str | None) -> None:
    """Print tables, and JSON where it is wanted."""
    console = Console(stderr=target == _STDOUT)
    if not console.is_terminal:
        console.width = _WIDTH
    for report in reports:
        show(report, machine, console)
    if target is None:
        return
    text = json.dumps([report.to_dict(machine) for report in reports], indent=1)
    if target == _STDOUT:
        print(text)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_text(text + "\n")


def write_page(reports: list[Report], machine: dict[str, Any], folder: Path) -> Path:
    """Write the page and its pictures, and return the page's path."""
    from benchmarks import markdown, pictures

    folder.mkdir(parents=True, exist_ok=True)
    drawn = {report.suite: pictures.draw(report, folder) for report in reports}
    names = {suite: name for suite, name in drawn.items() if name is not None}
    page = folder / markdown.FILE
    page.write_text(markdown.render(reports, machine, names))
    return page


def judge(arguments: argparse.Namespace, reports: list[Report], console: Console) -> int:
    """Compare or record where that was asked for, and return the exit code."""
    code = int(arguments.check and not all(report.reached for report in reports))
    if arguments.record:
        recorded.save(reports)
        console.print(f"recorded in {recorded.FILE.name}")
    if arguments.compare:
        worse = recorded.complaints(reports, recorded.load())
        for sentence in worse:
            console.print(f"worse: {sentence}", style="red")
        if not worse:
            console.print("no ratio is worse than the recorded one", style="green")
        code = int(bool(code or worse))
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = parser().parse_args(argv)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            reports = measure(arguments, Screen(progress))
    except (NoSpaceError, RunFailedError, VerifyError) as error:
        console.print(f"stopped: {error}", style="red")
        return 1
    except KeyboardInterrupt:
        console.print("interrupted: nothing is left behind", style="yellow")
        return 130
    machine = describe()
    publish(reports, machine, arguments.json)
    if arguments.report is not None:
        console.print(f"written: {write_page(reports, machine, arguments.report)}")
    return judge(arguments, reports, console)


if __name__ == "__main__":
    sys.exit(main())
