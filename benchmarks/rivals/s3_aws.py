"""The aws command: `aws s3 cp`, a process of its own for each file.

Rule: its processor time and peak are counted when it has ended, its interpreter's start included,
as whoever runs it pays for that.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.contender import Contender, Job

_CONFIG = """[default]
region = us-east-1
request_checksum_calculation = {checksum}
s3 =
    max_concurrent_requests = {lanes}
    multipart_chunksize = {part}
    multipart_threshold = {part}
    payload_signing_enabled = false
    addressing_style = path
"""


class AwsCommand(Contender):
    """A configuration of its own; none of the user's is read."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._home = tempfile.TemporaryDirectory(prefix="uploader-bench-aws-")
        config = Path(self._home.name) / "config"
        checksum = "when_required" if job.tls else "when_supported"
        config.write_text(_CONFIG.format(lanes=job.lanes, part=job.chunk_size, checksum=checksum))
        self._environment = {
            **os.environ,
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_EC2_METADATA_DISABLED": "true",
            **({"AWS_CA_BUNDLE": job.authority} if job.authority else {}),
        }

    def upload(self, path: Path, title: str) -> None:
        """Store one file; raises unless the command ends well."""
        subprocess.run(
            ["aws", "s3", "cp", "--only-show-errors", "--endpoint-url", self.job.origin,
             str(path), "s3://bench/clip"],
            env=self._environment,
            check=True,
        )  # fmt: skip


def make(job: Job) -> Contender:
    """Return the contender."""
    return AwsCommand(job)
