"""Ours to S3, through the public face only."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contender import S3_UNCHECKED, Contender, Job
from benchmarks.ours import Ours, check
from transports.s3 import S3Limits, S3Object


class OursToS3(Ours):
    """One `Uploader` per child; keys are given, so that no chain is asked."""

    def upload(self, path: Path, title: str) -> None:
        """Store one file."""
        check(
            self._uploader.upload(
                path,
                S3Object(
                    "bench",
                    "clip",
                    region="us-east-1",
                    endpoint_url=self.job.origin,
                    access_key_id="bench",
                    secret_access_key="bench",  # noqa: S106 - the sink asks for none
                    part_size=self.job.chunk_size,
                    max_lanes=self.job.lanes,
                    limits=S3Limits(min_part=1),
                    checksum=None if self.job.contender == S3_UNCHECKED.name else "crc32c",
                ),
            )
        )


def make(job: Job) -> Contender:
    """Return the contender."""
    return OursToS3(job)
