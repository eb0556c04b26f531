"""A Prometheus of one's own, for a while: started, asked and ended.

Rule: the real server, found on PATH; its data lies in the folder given, its port is a free one.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = ("prometheus", "promtool")
RULES = Path(__file__).parent / "prometheus" / "rules"
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class QueryError(RuntimeError):
    """Prometheus refused a query."""


@dataclass(frozen=True)
class Prometheus:
    """One that runs at `port`."""

    port: int

    def ask(self, path: str, **query: str) -> Any:
        """Return the data of an answer of its API; raise `QueryError` with its words."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with _LOCAL.open(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{query}: {error.read().decode()}") from None

    def now(self, expr: str) -> list[dict[str, Any]]:
        """Return the samples of an expression at this moment."""
        found: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return found

    def over(self, expr: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Return the series of an expression between two times, a sample each `step` seconds."""
        span = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        found: list[dict[str, Any]] = self.ask("query_range", query=expr, **span)["result"]
        return found

    def is_ready(self) -> bool:
        """Tell whether it answers queries yet."""
        try:
            with _LOCAL.open(f"http://127.0.0.1:{self.port}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def prometheus(
    folder: Path, targets: list[int], *, interval: str = "1s", report: bytes | None = None
) -> Iterator[Prometheus]:
    """Run one that scrapes local ports each `interval`, and evaluates our rules each second.

    `report` is OpenMetrics text of the past that it is to know from the start.
    """
    data = folder / "data"
    if report is not None:
        text = folder / "report.om"
        text.write_bytes(report)
        blocks = ("tsdb", "create-blocks-from", "openmetrics", str(text), str(data))
        subprocess.run(("promtool", *blocks), check=True, capture_output=True)
    config = folder / "prometheus.yml"
    config.write_text(json.dumps(_config(targets, interval)))  # JSON is YAML
    port = _free_port()
    log = folder / "prometheus.log"
    with (
        log.open("wb") as told,
        _ended(
            subprocess.Popen(
                (
                    "prometheus",
                    f"--config.file={config}",
                    f"--storage.tsdb.path={data}",
                    "--storage.tsdb.retention.time=10y",
                    f"--web.listen-address=127.0.0.1:{port}",
                ),
                stdout=told,
                stderr=told,
            )
        ) as process,
    ):
        running = Prometheus(port)
        deadline = time.monotonic() + 20
        while not running.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Prometheus did not start: {log.read_text()[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield running


@contextmanager
def publishing() -> Iterator[int]:
    """Let a process of its own publish through faults; yield the port of its metrics."""
    command = (sys.executable, "-m", "grafana", "load", "--port", "0")
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout as told, _ended(process):
        try:
            line = told.readline()
            if not line:
                raise RuntimeError(f"publishing ended with {process.wait()}")
            yield int(json.loads(line)["port"])
            if process.poll() is not None:
                raise RuntimeError(f"publishing ended too early, with {process.returncode}")
        finally:
            process.stdin.close()


def _config(targets: list[int], interval: str) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "*.yml")],
        "scrape_configs": [
            {
                "job_name": "uploader",
                "scrape_timeout": interval,
                "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in targets]}],
            }
        ],
    }


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
