"""@tus/server, the reference implementation for Node, as a process of its own.

Rule: installed once from the lock beside this file, with its hashes; what it needs and does not
find is said in one sentence, which tests skip with.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", ".npmrc", "serve.mjs")
OLDEST = 18
"""The oldest Node that the tests were tried with; Debian 12 has it."""


def lacking() -> str | None:
    """Say what keeps the peer from running here; `None` when nothing does."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"the real tus server needs {program}, which is not installed"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.removeprefix("v").split(".")[0]) < OLDEST:
        return f"the real tus server needs Node {OLDEST}, and {said.strip()} is installed"
    return None


def installed() -> Path:
    """Return a directory with the server in it; install it there when nobody has yet."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(caches) / "mmap-uploader-tests"
    cache.mkdir(parents=True, exist_ok=True)
    home = cache / f"tus-{digest}"
    with (cache / "tus.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes start together
        if home.is_dir():
            return home
        making = cache / f"tus-{digest}.making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        for name in FILES:
            shutil.copy(HERE / name, making)
        subprocess.run(
            ["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=making,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        making.rename(home)
    return home


@dataclass
class TusPeer:
    """One server over a directory. Options are those of serve.mjs."""

    home: Path
    directory: Path
    options: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _log: IO[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory.with_suffix(".log")

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/files"

    def start(self) -> TusPeer:
        """Start, on the port of before when there was one, and wait until it listens."""
        options = {"directory": str(self.directory), "port": self.port, **self.options}
        self._log = self.log.open("ab")
        self._process = subprocess.Popen(
            ["node", str(self.home / "serve.mjs"), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the server ended with {self._process.wait()}: {self.log.read_text()}"
        self.port = json.loads(line)["port"]
        return self

    def kill(self) -> None:
        """End it the way a power failure would."""
        if self._process is not None and self._log is not None:
            assert self._process.stdout is not None
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._log.close()
            self._process = None

    def uploads(self) -> dict[str, dict[str, Any]]:
        """Return what it holds, by id: "size", "offset", "metadata" and "content"."""
        held = {}
        for info in self.directory.glob("*.json"):
            facts = json.loads(info.read_text() or "{}")
            content = info.with_suffix("")
            if facts and content.exists():
                held[facts["id"]] = {**facts, "offset": content.stat().st_size, "content": content}
        return held

    def finished(self, name: str | None = None) -> list[Path]:
        """Return the contents of the complete uploads, or of those with this `filename`."""
        return [
            each["content"]
            for each in self.uploads().values()
            if each["offset"] == each["size"]
            and name in (None, (each.get("metadata") or {}).get("filename"))
        ]
