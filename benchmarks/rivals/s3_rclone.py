"""The rclone command: `rclone copyto`, a process of its own for each file.

Rule: at its best: no look at the bucket or the object before or after, and no MD5 of the whole file
before the first byte. Its processor time and peak are counted when it has ended.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.contender import Contender, Job


class RcloneCommand(Contender):
    """A remote made of flags; no configuration of the user's is read."""

    def upload(self, path: Path, title: str) -> None:
        """Store one file; raises unless the command ends well."""
        job = self.job
        part = f"{job.chunk_size}B"
        subprocess.run(
            ["rclone", "copyto", "--quiet", "--config", os.devnull,
             *(["--ca-cert", job.authority] if job.authority else []),
             "--s3-provider", "Other", "--s3-endpoint", job.origin, "--s3-region", "us-east-1",
             "--s3-access-key-id", "bench", "--s3-secret-access-key", "bench",
             "--s3-upload-concurrency", str(job.lanes), "--s3-chunk-size", part,
             "--s3-upload-cutoff", part, "--s3-no-check-bucket", "--s3-no-head",
             "--s3-no-head-object", "--s3-disable-checksum", "--ignore-checksum",
             "--ignore-times", "--no-check-dest", "--retries", "1", "--low-level-retries", "1",
             str(path), ":s3:bench/clip"],
            env={name: each for name, each in os.environ.items() if name != "AWS_CA_BUNDLE"},
            check=True,
        )  # fmt: skip


def make(job: Job) -> Contender:
    """Return the contender."""
    return RcloneCommand(job)
