"""A source that is one read-only mapping of the file.

Rule: no byte is copied in Python. Pages are read in ahead of need, on a worker thread when the disk
must be asked, and given back as soon as the kernel has taken them.
"""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
from concurrent.futures import Executor
from pathlib import Path

from uploader.errors import SourceChangedError, SourceReadError
from uploader.source.identity import FileIdentity, check_unchanged
from uploader.source.lease import ReadLease
from uploader.source.memory import PAGE, PinnedMapping


class MappedWindow:
    """Some pages of the mapping that are mapped now."""

    __slots__ = ("_source", "_start", "_stop", "view")

    def __init__(self, source: MappedSource, start: int, stop: int, view: memoryview) -> None:
        self._source = source
        self._start = start
        self._stop = stop
        self.view = view

    def verify(self) -> None:
        self._source.verify()

    def release(self) -> None:
        self.view.release()
        self._source.drop(self._start, self._stop)


class MappedSource:
    """Map `fd`, which this source owns from now on."""

    kind = "mmap"

    def __init__(
        self,
        fd: int,
        *,
        name: str,
        path: Path | None,
        identity: FileIdentity,
        executor: Executor,
        lease: ReadLease | None,
    ) -> None:
        self.name = name
        self.size = identity.size
        self._fd = fd
        self._path = path
        self._identity = identity
        self._executor = executor
        self._lease = lease
        self._mapping = mmap.mmap(fd, identity.size, access=mmap.ACCESS_READ)
        self._whole = memoryview(self._mapping)
        self._pages = PinnedMapping(self._mapping, fd)
        self._advised = 0
        self._closed = False

    @property
    def lent(self) -> int | None:
        """Only under a lease: bytes that wait in a socket are still the file's."""
        return None if self._closed or self._lease is None else self._fd

    @property
    def executor(self) -> Executor | None:
        """Only under a lease: else pages may go, and crash who reads them later than at once."""
        return None if self._lease is None else self._executor

    async def window(self, start: int, length: int, ahead: int) -> MappedWindow:
        self._check_lease()
        stop = start + length
        first = start - start % PAGE
        self._advise(stop, ahead)
        resident = self._pages.resident(first, stop)
        try:
            if resident and self._lease is not None:
                pass  # the kernel maps warm pages while it takes them, many at a time
            elif resident:
                self._pages.populate(first, stop, waiting=False)
            else:
                await self._read_in(first, stop)
        except OSError as error:
            raise self._failure(error, start, stop) from None
        return MappedWindow(self, start, stop, self._whole[start:stop])

    def check(self) -> None:
        self._check_lease()
        check_unchanged(self.name, self._fd, self._path, self._identity)

    def verify(self) -> None:
        """Look again whether the file has its pages: without a lease they may go at any time."""
        if self._closed or self._lease is not None:
            return
        if os.fstat(self._fd).st_size < self.size:
            raise self._truncated()

    def drop(self, start: int, stop: int) -> None:
        """Take the pages out of this process; the page cache keeps them.

        The page that `stop` lies in stays for the next window, unless the file ends there.
        """
        if self._closed:
            return
        first = start - start % PAGE
        end = stop if stop == self.size else stop - stop % PAGE
        if end > first:
            self._mapping.madvise(mmap.MADV_DONTNEED, first, end - first)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._pages.unpin()
        if self._lease is not None:
            self._lease.give_back()
        os.close(self._fd)
        try:
            self._whole.release()
            self._mapping.close()
        except BufferError:
            # A connection that was just dropped may still hold a slice; the mapping goes with it.
            pass

    def _check_lease(self) -> None:
        if self._lease is not None and self._lease.broken:
            raise SourceChangedError(
                f"{self.name} was about to be changed by another program while it was sent"
            ).hint("upload a file only after the program that writes it has closed it")

    def _advise(self, start: int, ahead: int) -> None:
        """Ask the kernel to read on, once for each byte."""
        stop = min(self.size, start + ahead)
        begin = max(start, self._advised)
        # Asked in steps of a quarter, so that a sequential reader is not asked for every window.
        if stop - begin < ahead // 4 and stop < self.size:
            return
        if stop > begin:
            self._advised = stop
            if not self._pages.resident(begin - begin % PAGE, stop):
                os.posix_fadvise(self._fd, begin, stop - begin, os.POSIX_FADV_WILLNEED)

    async def _read_in(self, first: int, stop: int) -> None:
        """Populate on a worker thread, which may outlive this source when the upload is dropped."""
        self._pages.hold()
        reading = self._executor.submit(self._pages.populate, first, stop, waiting=True)
        reading.add_done_callback(lambda _: self._pages.unpin())
        await asyncio.wrap_future(reading)

    def _failure(self, error: OSError, start: int, stop: int) -> Exception:
        if error.errno == errno.EFAULT:
            return self._truncated()
        return SourceReadError(
            f"{self.name}: reading bytes {start:,} to {stop:,} failed: {error.strerror}"
        )

    def _truncated(self) -> SourceChangedError:
        size = os.fstat(self._fd).st_size
        return SourceChangedError(
            f"{self.name} was truncated from {self.size:,} to {size:,} bytes while it was sent"
        )
