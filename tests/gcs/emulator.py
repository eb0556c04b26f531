"""Cloud Storage's stand-in as a process, and what it holds."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

from uploader.testing.transports import Held

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 20.0


class Emulator:
    """gcp-storage-emulator on a free port, with one bucket; killed at the end."""

    bucket = "films"
    token = "ya29.emulated-token-0123456789"

    def __init__(self, log: Path, *, mended: bool = True) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        ours = ["tests.gcs.mended", str(port), self.bucket, self.token]
        theirs = ["gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
        theirs += ["--in-memory", "--default-bucket", self.bucket]
        self._command = [sys.executable, "-m", *(ours if mended else theirs)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ}
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"the emulator does not run: {self.log.read_text()}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/", timeout=1) as answer:  # noqa: S310 - our own http URL
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def get(self, path: str) -> bytes:
        """Return what the emulator answers to a GET."""
        with urlopen(f"{self.url}{path}", timeout=10) as answer:  # noqa: S310 - our own http URL
            content: bytes = answer.read()
            return content

    def resource(self, name: str) -> dict[str, Any] | None:
        """Return an object's metadata, `None` when there is no such object."""
        try:
            found = self.get(f"/storage/v1/b/{self.bucket}/o/{quote(name, safe='')}")
        except HTTPError:
            return None
        resource: dict[str, Any] = json.loads(found)
        return resource

    def held(self, name: str) -> list[Held]:
        """Return the object of that name, if it is there."""
        if self.resource(name) is None:
            return []
        path = f"/storage/v1/b/{self.bucket}/o/{quote(name, safe='')}?alt=media"
        content = self.get(path)
        return [Held(name, len(content), hashlib.sha256(content).hexdigest())]

    def unfinished(self, name: str) -> int:
        """Return how many sessions of that name are open."""
        names: list[str] = json.loads(self.get("/open-sessions"))
        return names.count(name)
