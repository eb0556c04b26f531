"""boto3's `upload_file`: s3transfer's threads, a part in each.

Rule: at its best: the payload's SHA-256 is left out, as ours leaves it out, and its
own checksum (CRC32) stays on, but for TLS, where it would make the body a chunked one.
"""

from __future__ import annotations

from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from benchmarks.contender import Contender, Job


class Boto3(Contender):
    """One client; threads and connections are as many as lanes."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._client = boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=job.origin,
            verify=job.authority,
            aws_access_key_id="bench",
            aws_secret_access_key="bench",  # noqa: S106 - the sink asks for none
            config=Config(
                max_pool_connections=job.lanes,
                request_checksum_calculation="when_required" if job.tls else "when_supported",
                s3={"addressing_style": "path", "payload_signing_enabled": False},
            ),
        )
        self._transfer = TransferConfig(
            multipart_threshold=job.chunk_size,
            multipart_chunksize=job.chunk_size,
            max_concurrency=job.lanes,
        )

    def upload(self, path: Path, title: str) -> None:
        """Store one file; raises unless it was completed."""
        self._client.upload_file(str(path), "bench", "clip", Config=self._transfer)


def make(job: Job) -> Contender:
    """Return the contender."""
    return Boto3(job)
