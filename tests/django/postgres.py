"""A PostgreSQL server of a test's own, on a socket in a folder that nobody else knows."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.orphans import ended_with_us

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
FAST = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "60", "jit": "off"}


def program(name: str) -> str | None:
    """Return where a program of PostgreSQL is."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), *map(str, FOLDERS)])
    return shutil.which(name, path=folders)


@contextmanager
def server() -> Iterator[dict[str, Any]]:
    """Start a server; yield the keys of `DATABASES` that lead to it."""
    initdb, postgres = program("initdb"), program("postgres")
    assert initdb
    assert postgres
    memory = "/dev/shm"
    folder = Path(
        tempfile.mkdtemp(prefix="pg-", dir=memory if os.access(memory, os.W_OK) else None)
    )
    # It refuses to run as root.
    user = "nobody" if os.getuid() == 0 else None
    who = pwd.getpwnam(user).pw_name if user else pwd.getpwuid(os.getuid()).pw_name
    if user:
        shutil.chown(folder, user)
    try:
        common: dict[str, Any] = {"user": user, "cwd": folder, "stdin": subprocess.DEVNULL}
        subprocess.run(
            [initdb, "-D", folder / "data", "-A", "trust", "-E", "UTF8", "--no-sync", "-U", who],
            check=True,
            capture_output=True,
            **common,
        )
        flags = [f"-c{name}={value}" for name, value in FAST.items()]
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen(
                [postgres, "-D", folder / "data", "-k", folder, "-clisten_addresses=", *flags],
                stdout=log,
                stderr=log,
                preexec_fn=ended_with_us(signal.SIGINT),  # noqa: PLW1509 - one system call
                **common,
            )
        try:
            _wait(folder, who, running)
            yield {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "HOST": str(folder),
                "USER": who,
            }
        finally:
            running.send_signal(signal.SIGINT)  # does not wait for those who are connected
            running.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(folder: Path, user: str, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and running.poll() is None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(host=str(folder), user=user, dbname="postgres").close()
            return
        threading.Event().wait(0.02)
    raise AssertionError((folder / "log").read_text())
