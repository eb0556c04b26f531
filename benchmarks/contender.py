"""The contract of everything that is measured, and the list of what there is.

Rule: a contender is one module with a class `Contender_` of this shape — see `ENTRIES` — that is
imported only in the child that runs it. Suites know contenders by name only.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Any, Self, cast


@dataclass(frozen=True)
class Job:
    """What one child process is to do; travels as JSON."""

    contender: str
    origin: str
    paths: tuple[str, ...]
    chunk_size: int
    concurrency: int = 1
    authority: str | None = None
    warm_up: str | None = None
    lanes: int = 1
    """Parts on their way at once, where the destination takes them so."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What ours is constructed with, beside what its entry says."""
    ticks: int = 0
    """Caller's-loop samples to take while uploads repeat; 0 measures one transfer instead."""

    @property
    def tls(self) -> bool:
        """Whether the sink speaks TLS."""
        return self.origin.startswith("https:")


class Contender(ABC):
    """Uploads files to the sink: init, PUTs in order, one status call.

    Made in the child before the clock starts: imports and threads belong into `__init__` or
    `__enter__`, connections into `upload`. Anything but complete success must raise.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    @abstractmethod
    def upload(self, path: Path, title: str) -> None:
        """Publish one file; returns after the last answer."""

    def upload_many(self, paths: Sequence[Path]) -> None:
        """Publish several at once: threads, as a blocking contender is used in practice."""
        with ThreadPoolExecutor(self.job.concurrency) as pool:
            titles = [f"bench {number}" for number in range(len(paths))]
            list(pool.map(self.upload, paths, titles))

    async def upload_async(self, path: Path, title: str) -> None:
        """Publish one file without blocking the caller's loop: a thread, as people do."""
        await asyncio.to_thread(self.upload, path, title)

    def shares(self) -> dict[str, float]:
        """Return the processor seconds that parts of the work took so far, where it is counted."""
        return {}

    async def close_async(self) -> None:
        """Give back what `upload_async` took; nothing for those that use threads."""
        return


@dataclass(frozen=True)
class Entry:
    """One contender: where it lives, what it needs, and how the tables describe it."""

    name: str
    module: str
    needs: tuple[str, ...]
    about: str
    sends_the_file: bool = True
    command: str | None = None
    modes: tuple[str, ...] = ("plain", "TLS")

    def missing(self) -> list[str]:
        """Return the packages, and the command, that it needs and that are not installed."""
        packages = [package for package in self.needs if not installed(package)]
        lacks = self.command is not None and which(self.command) is None
        return [*packages, f"the command {self.command}"] if lacks else packages

    def make(self, job: Job) -> Contender:
        """Import the module and return its contender."""
        module = import_module(self.module)
        return cast(Contender, module.make(job))


OURS = Entry(
    "ours",
    "benchmarks.ours",
    ("uploader.api", "transports.tiktok.destination"),
    "Uploader, public face",
)
NAIVE = Entry(
    "naive",
    "benchmarks.rivals.naive",
    ("requests",),
    "read the chunk, requests.put(data=chunk), no session",
)
MMAP_SENDALL = Entry(
    "mmap_sendall",
    "benchmarks.rivals.mmap_sendall",
    (),
    "limit: blocking sendall of 1 MiB mmap slices, one connection",
)
CEILING = Entry(
    "ceiling",
    "benchmarks.rivals.ceiling",
    (),
    "no file: one fixed 1 MiB buffer again and again; what the sink can take",
    sends_the_file=False,
)
OURS_DURABLE = Entry(
    "ours_durable",
    "benchmarks.ours",
    ("uploader.api", "transports.tiktok.destination"),
    "Uploader, its journal in a file: digests of every part are taken",
)
HTTPX = Entry("httpx", "benchmarks.rivals.httpx_put", ("httpx",), "Client.put(content=bytes)")
AIOHTTP = Entry("aiohttp", "benchmarks.rivals.aiohttp_put", ("aiohttp",), "session.put(data=bytes)")
PYCURL = Entry(
    "pycurl", "benchmarks.rivals.pycurl_put", ("pycurl",), "libcurl, read callback, one connection"
)
CURL = Entry(
    "curl",
    "benchmarks.rivals.curl_command",
    (),
    "head -c | curl -T -, a process for each chunk",
    command="curl",
)
URLLIB3 = Entry(
    "urllib3", "benchmarks.rivals.urllib3_views", ("urllib3",), "memoryviews of a mapping"
)
SENDFILE = Entry(
    "sendfile",
    "benchmarks.rivals.sendfile",
    (),
    "limit: blocking os.sendfile, one connection",
    modes=("plain",),
)
BARE_REQUESTS = Entry(
    "bare_requests",
    "benchmarks.rivals.bare_requests",
    ("aiohttp", "uvloop"),
    "the same requests by aiohttp on uvloop, without an engine",
)
BARE_FRESH = Entry(
    "bare_fresh",
    "benchmarks.rivals.bare_requests",
    ("aiohttp", "uvloop"),
    "bare_requests with a new connection for each init, as ours has",
)
OBSERVED = Entry(
    "observed",
    "benchmarks.unobserved",
    ("uploader.api", "transports.tiktok.destination"),
    "Uploader with metrics and JSON logs",
)
UNOBSERVED = Entry(
    "unobserved",
    "benchmarks.unobserved",
    ("uploader.api", "transports.tiktok.destination"),
    "Uploader without a subscriber of its events",
)
OURS_TUS = Entry(
    "ours_tus",
    "benchmarks.ours_tus",
    ("uploader.api", "transports.tus.destination"),
    "Uploader, to a tus server",
)
TUS_PY_CLIENT = Entry(
    "tus_py_client",
    "benchmarks.rivals.tus_py_client",
    ("tusclient",),
    "tus-py-client (tuspy): the chunk is read whole and sent by requests",
)
ENTRIES = {
    entry.name: entry
    for entry in (
        OURS,
        OURS_DURABLE,
        NAIVE,
        HTTPX,
        AIOHTTP,
        PYCURL,
        CURL,
        URLLIB3,
        BARE_REQUESTS,
        BARE_FRESH,
        MMAP_SENDALL,
        SENDFILE,
        CEILING,
        OBSERVED,
        UNOBSERVED,
        OURS_TUS,
        TUS_PY_CLIENT,
    )
}


S3_OURS = Entry(
    "s3_ours", "benchmarks.ours_s3", ("uploader.api", "botocore", "google_crc32c"), "S3Object"
)
S3_BOTO3 = Entry(
    "s3_boto3", "benchmarks.rivals.s3_boto3", ("boto3",), "upload_file, as many threads as lanes"
)
S3_OBSTORE = Entry(
    "s3_obstore", "benchmarks.rivals.s3_obstore", ("obstore",), "put of a path: Rust's object_store"
)
S3_OBSTORE_SUMS = Entry(
    "s3_obstore_sha256",
    "benchmarks.rivals.s3_obstore",
    ("obstore",),
    "obstore with the one checksum that it knows",
)
S3_UNCHECKED = Entry(
    "s3_ours_unchecked",
    "benchmarks.ours_s3",
    ("uploader.api", "botocore"),
    "S3Object(checksum=None), as obstore sends; over plain HTTP it would sign a SHA-256 instead",
    modes=("TLS",),
)
S3_AWS = Entry(
    "s3_aws", "benchmarks.rivals.s3_aws", (), "aws s3 cp, a process of its own", command="aws"
)
S3_CRT = Entry(
    "s3_crt", "benchmarks.rivals.s3_crt", ("boto3", "awscrt"), "boto3 on the AWS Common Runtime"
)
S3_RCLONE = Entry(
    "s3_rclone",
    "benchmarks.rivals.s3_rclone",
    (),
    "rclone copyto, a process of its own",
    command="rclone",
)
S3_ENTRIES = (
    S3_OURS,
    S3_UNCHECKED,
    S3_BOTO3,
    S3_CRT,
    S3_OBSTORE,
    S3_OBSTORE_SUMS,
    S3_AWS,
    S3_RCLONE,
)
ENTRIES |= {entry.name: entry for entry in S3_ENTRIES}


def installed(package: str) -> bool:
    """Whether a module of that name can be imported."""
    try:
        found = find_spec(package)
        return found is not None and found.origin is not None  # a bare directory has no origin
    except ModuleNotFoundError:
        return False
