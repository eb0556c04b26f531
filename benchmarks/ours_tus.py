"""Ours, to a tus server, through the public face only."""

from __future__ import annotations

from benchmarks.contender import Contender, Job
from benchmarks.ours import Ours
from transports.tus import TusUpload


class OursTus(Ours):
    """One `Uploader` per child; its engine runs before the clock starts."""

    def _destination(self, title: str) -> TusUpload:
        return TusUpload(
            f"{self.job.origin}/files/", {"title": title}, part_size=self.job.chunk_size
        )


def make(job: Job) -> Contender:
    """Return the contender."""
    return OursTus(job)
