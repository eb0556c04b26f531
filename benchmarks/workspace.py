"""The temporary directory of a run: files to send, and certificates.

Rule: nothing is written before the free space is known to suffice, everything is removed at the
end. Every MiB of a real file starts with its own number, so that misplaced bytes change the
SHA-256; a sparse file reads as zeros, cannot show that, and is named as sparse.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.units import GIB, MIB, size_text

_RESERVE = GIB
_HEADER = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"
Progress = Callable[[str, int, int], None]


class NoSpaceError(RuntimeError):
    """The directory cannot hold the file without filling the disk."""


@dataclass(frozen=True)
class Sample:
    """A file to send, and what its bytes hash to."""

    path: Path
    size: int
    sparse: bool
    sha256: str


@dataclass(frozen=True)
class Certificates:
    """PEM files of a throw-away authority and of a server certificate for loopback."""

    authority: Path
    server: Path


def _silent(name: str, done: int, total: int) -> None:
    pass


class Workspace:
    """Makes files and certificates in a new directory and removes it at the end."""

    def __init__(self, parent: Path | None = None, *, progress: Progress = _silent) -> None:
        self._parent = parent
        self._progress = progress
        self._samples: dict[tuple[int, int], Sample] = {}
        self._certificates: Certificates | None = None
        self.path = Path()

    def __enter__(self) -> Self:
        self.path = Path(tempfile.mkdtemp(prefix="uploader-bench-", dir=self._parent))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, size: int, *, number: int = 0, may_be_sparse: bool = False) -> Sample:
        """Return a file of `size` bytes in the page cache; the same one for the same arguments.

        A sparse one is made only if that is allowed and the disk has no room for the bytes.
        """
        known = self._samples.get((size, number))
        if known:
            return known
        room = shutil.disk_usage(self.path).free - _RESERVE
        sparse = room < size and may_be_sparse
        if room < size and not sparse:
            raise NoSpaceError(f"{size_text(size)} do not fit: {max(room, 0):,} bytes are free")
        path = self.path / f"{size}-{number}.mp4"
        digest = self._write_sparse(path, size) if sparse else self._write(path, size, number)
        sample = Sample(path, size, sparse, digest)
        self._samples[size, number] = sample
        return sample

    def certificates(self) -> Certificates:
        """Return the certificates, made with trustme on first use."""
        if self._certificates is None:
            import trustme

            authority = trustme.CA()
            server = authority.issue_cert("127.0.0.1", "localhost")
            made = Certificates(self.path / "authority.pem", self.path / "server.pem")
            authority.cert_pem.write_to_path(str(made.authority))
            server.private_key_and_cert_chain_pem.write_to_path(str(made.server))
            self._certificates = made
        return self._certificates

    def _write(self, path: Path, size: int, number: int) -> str:
        digest = hashlib.sha256()
        block = bytearray(os.urandom(MIB))
        block[: len(_HEADER)] = _HEADER
        with path.open("wb") as file:
            for start in range(0, size, MIB):
                block[32:48] = number.to_bytes(8, "big") + start.to_bytes(8, "big")
                piece = memoryview(block)[: min(MIB, size - start)]
                digest.update(piece)
                file.write(piece)
                self._progress(f"file of {size_text(size)}", start + len(piece), size)
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()

    def _write_sparse(self, path: Path, size: int) -> str:
        digest = hashlib.sha256()
        zeros = memoryview(bytes(MIB))
        with path.open("wb") as file:
            file.truncate(size)
        for start in range(0, size, MIB):
            digest.update(zeros[: min(MIB, size - start)])
            self._progress(f"sparse file of {size_text(size)}", min(start + MIB, size), size)
        return digest.hexdigest()


def warm(path: Path) -> None:
    """Read the file once, so that every contender finds it in the page cache."""
    buffer = memoryview(mmap.mmap(-1, MIB))
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def cool(path: Path) -> bool:
    """Drop the file from the page cache; False where the system has no such advice."""
    if not hasattr(os, "posix_fadvise"):
        return False
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True
