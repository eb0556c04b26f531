"""Processes that upload, and die at a moment that a test chose.

Rule: an interpreter is loaded once and forks each of them, so that a hundred kills take seconds.
Both sides speak JSON, line by line; nobody sleeps. Run as a program, this is that interpreter; a
module that calls `serve` with a `work` of its own is another.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from uploader import Uploader, UploaderError, registry
from uploader.journal import Journal
from uploader.journals import SqliteJournal
from uploader.secret import Secret

KILLED: Final = -signal.SIGKILL
RECORDS: Final = frozenset({"claim", "take", "save", "release"})
"""The calls that change what a journal knows of an upload."""


class Nursery:
    """Starts one process at a time, as `program`, a module found from `folder`, works."""

    def __init__(
        self, environment: Mapping[str, str], program: str = __name__, folder: Path | None = None
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, a module of ours
            [sys.executable, "-m", program],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def start(self, order: Mapping[str, Any]) -> int:
        """Let a process do as ordered (see `work`); return its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        pid: int = self._hear()["pid"]
        return pid

    def run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Start a process and return the last that it said: "exit", and what came before."""
        self.start(order)
        return self.wait()

    def wait(self) -> dict[str, Any]:
        """Wait for the process; return "exit" (below zero: the signal) and what it said."""
        said: dict[str, Any] = {}
        while "exit" not in said:
            said |= self._hear()
        return said

    def ends_within(self, seconds: float) -> bool:
        """Tell whether the process has something to say, such as its end, in so many seconds."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.kill()
        self._process.wait()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the nursery ended with {self._process.wait()}"
        heard: dict[str, Any] = json.loads(line)
        return heard


@contextmanager
def nursery(
    environment: Mapping[str, str], program: str = __name__, folder: Path | None = None
) -> Iterator[Nursery]:
    """Have a nursery for a while."""
    made = Nursery(environment, program, folder)
    try:
        yield made
    finally:
        made.close()


def kill(pid: int) -> None:
    """End a process the way the kernel ends what used too much memory."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


# What follows runs in the processes themselves.


class Deadly:
    """A journal at one of whose records the process dies, before or after it is made."""

    def __init__(self, journal: Journal, at: int, *, after: bool) -> None:
        self._journal = journal
        self._at = at
        self._after = after
        self.records = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._journal, name)
        return self._counted(found) if name in RECORDS else found

    def _counted(self, record: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.records += 1
            if self.records == self._at and not self._after:
                kill(os.getpid())
            value = record(*given, **named)
            if self.records == self._at:
                kill(os.getpid())
            return value

        return call


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """Upload `film` by `journal` to what `transport` makes of `fields`, and tell how it ended.

    `dies` is the number of a record (0: none), `after` whether it is made before.
    """
    token = None if order["token"] is None else Secret(order["token"])
    destination = registry.load(order["transport"]).destination(token, order["fields"])
    journal = Deadly(SqliteJournal(order["journal"]), order["dies"], after=order["after"])
    settings: dict[str, Any] = {"journal": journal, "metrics": False}
    with Uploader(**settings) as uploader:
        try:
            told = uploader.upload(order["film"], destination).to_dict()
        except UploaderError as error:
            told = error.to_dict()
    return {"told": told, "records": journal.records}


def tell(value: Any) -> None:
    """Say something to whoever ordered this process."""
    os.write(1, json.dumps(value).encode() + b"\n")


def serve(work: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Fork a process for each order; tell what its `work` returned, and how it ended."""
    for name in ("aiofiles", "uvloop", "uploader.wire.aiohttp_wire"):
        importlib.import_module(name)
    while line := sys.stdin.buffer.readline():
        pid = os.fork()
        if not pid:
            try:
                tell({"pid": os.getpid()})
                tell(work(json.loads(line)))
            except BaseException:
                traceback.print_exc()
                os._exit(3)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        tell({"exit": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    serve(work)
