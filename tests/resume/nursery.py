"""Processes that upload, and die at a moment that a test chose.

Rule: an interpreter is loaded once and forks each of them, so that a hundred kills take seconds.
Both sides speak JSON, line by line; nobody sleeps. Run as a program, this is that interpreter.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import select
import signal
import ssl
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.resume.watched import Watched
from transports.tiktok import DirectPost
from uploader import Uploader, UploaderError
from uploader.events import Event
from uploader.journal import Journal
from uploader.journals import SqliteJournal

HERE = Path(__file__).resolve().parents[2]


class Nursery:
    """Starts one process at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.resume.nursery"],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def start(self, **order: Any) -> int:
        """Let a process do as ordered (see `work`); return its id."""
        self.say(order)
        pid: int = self.hear()["pid"]
        return pid

    def run(self, **order: Any) -> dict[str, Any]:
        """Start a process and return the last that it said: "exit", and what came before."""
        self.start(**order)
        return self.wait()

    def wait(self) -> dict[str, Any]:
        """Wait for the process; return "exit" (below zero: the signal) and what it said last."""
        said: dict[str, Any] = {}
        while "exit" not in said:
            said |= self.hear()
        return said

    def ends_within(self, seconds: float) -> bool:
        """Tell whether something was said, such as the process's end, in so many seconds."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def say(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the nursery ended with {self._process.wait()}"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Have a nursery for a while."""
    made = Nursery()
    try:
        yield made
    finally:
        made.close()


def kill(pid: int) -> None:
    """End a process the way the kernel ends what used too much memory."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


# What follows runs in the processes themselves.


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """Upload `film` by `journal` to `post`, and tell how it ended.

    `dies` is (number of a record, whether after it), `full` the record from which on the disk takes
    nothing; `ca` trusts an authority; `tells` names events that are told as they happen. `stream`
    hands the film over as something without a descriptor, `room` is how many bytes any file may
    have, and `temporary` where the copy of a stream is made.
    """
    trusted = ssl.create_default_context(cadata=order["ca"]) if order.get("ca") else None
    journal: Any = order["journal"]
    if order.get("dies"):
        journal = _deadly(SqliteJournal(journal), *order["dies"])
    if order.get("full"):
        journal = _on_a_full_disk(SqliteJournal(journal), order["full"])

    def tell(event: Event) -> None:
        if type(event).__name__ in order.get("tells", ()):
            _say({"event": type(event).__name__})

    source = Stream(order["film"]) if order.get("stream") else order["film"]
    tempfile.tempdir = order.get("temporary")
    if order.get("room"):
        _limit_files(order["room"])
    post = DirectPost(**order["post"])
    settings = {"journal": journal, "ssl_context": trusted, "metrics": False, "subscribers": [tell]}
    with Uploader(**settings, **order.get("settings", {})) as uploader:
        try:
            result = uploader.upload(source, post)
        except UploaderError as error:
            return {"raised": error.to_dict(), "holder": getattr(error, "holder", None)}
        return {"result": result.to_dict()}


class Stream(io.BytesIO):
    """A film without a descriptor."""

    def __init__(self, film: str) -> None:
        super().__init__(Path(film).read_bytes())
        self.name = film


def _deadly(journal: Journal, at: int, after: bool) -> Any:
    """Let the process die at a record."""

    def die(number: int) -> None:
        if number == at:
            kill(os.getpid())

    return Watched(journal, after=die) if after else Watched(journal, before=die)


def _on_a_full_disk(journal: Journal, at: int) -> Any:
    """Let the kernel refuse every write to a file from a record on."""

    def fill(number: int) -> None:
        if number == at:
            _limit_files(0)

    return Watched(journal, before=fill)


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _say(value: Any) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


def _hear() -> Any:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(0)
        line += byte
    return json.loads(line)


def _serve() -> None:
    _load()
    while True:
        order = _hear()
        pid = os.fork()
        if not pid:
            try:
                _say({"pid": os.getpid()})
                _say(work(order))
            except BaseException:
                traceback.print_exc()
                os._exit(3)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        _say({"exit": os.waitstatus_to_exitcode(status)})


def _load() -> None:
    """Import what an upload needs, so that no process has to."""
    for name in ("aiofiles", "uvloop", "uploader.wire.aiohttp_wire"):
        importlib.import_module(name)


if __name__ == "__main__":
    _serve()
