"""tus-py-client, the tus project's own client for Python, as its README shows it.

https://github.com/tus/tus-py-client
"""

from __future__ import annotations

from pathlib import Path

from tusclient.client import TusClient

from benchmarks.contender import Contender, Job


class TusPyClient(Contender):
    """One client per upload; the same chunks as the others."""

    def upload(self, path: Path, title: str) -> None:
        """Upload one file."""
        client = TusClient(f"{self.job.origin}/files/")
        with path.open("rb") as file:
            uploader = client.uploader(
                file_stream=file,
                chunk_size=self.job.chunk_size,
                metadata={"filename": path.name, "title": title},
            )
            uploader.upload()
        if uploader.offset != path.stat().st_size:
            raise RuntimeError(f"tus-py-client stopped at {uploader.offset}")


def make(job: Job) -> Contender:
    """Return the contender."""
    return TusPyClient(job)
