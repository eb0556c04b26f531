"""Starts the sink in a process of its own and asks it what it saw.

Rule: one sink per protocol and mode; it is reset before every run, so that a report is one run's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class SinkReport:
    """Processor seconds the sink spent since its reset, and the uploads it served."""

    user: float
    system: float
    uploads: list[dict[str, Any]]

    @property
    def received(self) -> int:
        """Bytes of all whole parts."""
        return sum(int(upload["received"]) for upload in self.uploads)

    @property
    def complete(self) -> int:
        """How many uploads arrived whole."""
        return sum(upload["done_at"] is not None for upload in self.uploads)


class SinkProcess:
    """The sink as a context manager; `origin` is its base URL."""

    def __init__(
        self,
        *,
        certificate: Path | None = None,
        verify: bool = False,
        module: str = "benchmarks.sink",
        usual_port: bool = False,
    ) -> None:
        self._command = [sys.executable, "-m", module]
        if certificate:
            self._command += ["--certificate", str(certificate)]
        if verify:
            self._command.append("--verify")
        if usual_port:
            self._command.append("--usual-port")
        self._process: subprocess.Popen[str] | None = None
        self.origin = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is the command's; the sink ends with its stdin
        )
        self.origin = self._read()["origin"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process:
            self._process.communicate()

    def reset(self) -> None:
        """Forget the uploads and the processor time so far."""
        self._ask("reset")

    def report(self) -> SinkReport:
        """Return what happened since the last reset."""
        return SinkReport(**self._ask("report"))

    def _ask(self, word: str) -> dict[str, Any]:
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("the sink is not running")
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process and self._process.stdout else ""
        if not line:
            raise RuntimeError("the sink ended before it answered")
        answer: dict[str, Any] = json.loads(line)
        return answer
