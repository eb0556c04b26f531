"""obstore: Rust's object_store, which reads parts into memory and sends them on its own threads.

Rule: at its best: an unsigned payload and no checksum, which is its default; beside it with
SHA-256, the one checksum that it knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store

from benchmarks.contender import S3_OBSTORE_SUMS, Contender, Job


class Obstore(Contender):
    """One store."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        sums: dict[str, Any] = {}
        if job.contender == S3_OBSTORE_SUMS.name:
            sums["checksum_algorithm"] = "SHA256"
        self._store = S3Store(
            "bench",
            endpoint=job.origin,
            region="us-east-1",
            access_key_id="bench",
            secret_access_key="bench",  # noqa: S106 - the sink asks for none
            virtual_hosted_style_request=False,
            unsigned_payload=True,
            client_options={"allow_http": True},
            **sums,
        )

    def upload(self, path: Path, title: str) -> None:
        """Store one file; raises unless it was completed."""
        obstore.put(
            self._store,
            "clip",
            path,
            chunk_size=self.job.chunk_size,
            max_concurrency=self.job.lanes,
        )


def make(job: Job) -> Contender:
    """Return the contender."""
    return Obstore(job)
