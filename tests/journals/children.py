"""Programs that run beside a test, and do what it says line by line.

Rule: nobody sleeps; each side waits for a line of the other one, or for the end of a process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PRELUDE = """
import json, os, sys
from uploader.errors import JournalError
from uploader.journal import *
from uploader.journals import SqliteJournal
from uploader.model import Plan

def upload(upload_id, identity="same"):
    facts = dict(transport="tiktok", account="acme", plan=Plan(100, 40, 3))
    return Entry(upload_id=upload_id, identity=identity, **facts)

def say(value):
    os.write(1, json.dumps(value).encode() + b"\\n")

def hear():
    line = b""
    while not line.endswith(b"\\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(0)
        line += byte
    return json.loads(line)

"""


class Child:
    """A Python process that runs a program."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def hear(self) -> Any:
        """Return what it says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the child ended with {self._process.wait()}"
        return json.loads(line)

    def say(self, value: Any) -> None:
        """Tell it something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value).encode() + b"\n")

    def kill(self) -> None:
        """End it the way the kernel ends what used too much memory."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Let it run out, and end it if it does not: what it forked hears the end of the line."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self.kill()


@contextmanager
def children(program: str, count: int = 1) -> Iterator[list[Child]]:
    """Start some, and end them whatever happens."""
    started = [Child(program) for _ in range(count)]
    try:
        yield started
    finally:
        for child in started:
            child.close()
