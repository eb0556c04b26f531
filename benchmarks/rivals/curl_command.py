"""`curl -T`: a process for each chunk, which reads it from a pipe that `head` fills.

Rule: as a shell script uploads ranges, since curl itself cannot be told where a range ends; init
and status are asked over one connection. What the processes took counts when they have ended.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.contender import Contender, Job
from benchmarks.rivals.exchange import (
    INIT,
    STATUS,
    AnswerError,
    Exchange,
    check_complete,
    cut,
    expected_status,
    init_body,
    put_headers,
)


class CurlCommand(Contender):
    """Two processes for each chunk: `head -c` and `curl -T -`."""

    def upload(self, path: Path, title: str) -> None:
        """Publish one file."""
        size = path.stat().st_size
        parts = cut(size, self.job.chunk_size)
        with Exchange(self.job) as exchange:
            session = exchange.call(INIT, init_body(size, parts, title))
            for start, length in parts:
                status = self._put(path, session["upload_url"], start, length, size)
                if status != expected_status(start, length, size):
                    raise AnswerError(f"a PUT was answered with {status}")
            check_complete(exchange.call(STATUS, {"publish_id": session["publish_id"]}), size)

    def _put(self, path: Path, url: str, start: int, length: int, size: int) -> int:
        command = ["curl", "--silent", "--show-error", "--output", os.devnull]
        command += ["--write-out", "%{http_code}", "--upload-file", "-"]
        if self.job.authority:
            command += ["--cacert", self.job.authority]
        headers = put_headers(start, length, size) | {"Transfer-Encoding": "", "Expect": ""}
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}" if value else f"{name}:"]
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            with subprocess.Popen(
                ["head", "-c", str(length)], stdin=file, stdout=subprocess.PIPE
            ) as head:
                done = subprocess.run(
                    [*command, url], stdin=head.stdout, capture_output=True, text=True, check=True
                )
        return int(done.stdout)


def make(job: Job) -> Contender:
    """Return the contender."""
    return CurlCommand(job)
