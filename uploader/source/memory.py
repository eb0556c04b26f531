"""The kernel's calls that page a mapping in and out.

Rule: every call that may wait for a disk drops the GIL; no call is made by address after the
mapping is gone, because `PinnedMapping` holds a buffer export as long as anyone may call.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
import threading
from functools import cache
from typing import Any, Final

PAGE: Final = mmap.PAGESIZE
# linux/mman.h: "MADV_POPULATE_READ 22, populate (prefault) page tables readable", since 5.14. It
# answers EFAULT for pages beyond the end of the file, where a plain access would raise SIGBUS.
MADV_POPULATE_READ: Final = 22
_PyBUF_SIMPLE: Final = 0
# asm-generic/unistd.h, the same number on every architecture: since Linux 6.5. It counts the cached
# pages of a range by folios, ten times cheaper than mincore, which looks each page up.
_SYS_CACHESTAT: Final = 451


class _PyBuffer(ctypes.Structure):
    """CPython's `Py_buffer`, whose layout is part of the stable ABI since 3.11."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    )


class _CacheRange(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _CacheStat(ctypes.Structure):
    """linux/mman.h: `struct cachestat`; only the number of cached pages is read."""

    _fields_ = (("cached", ctypes.c_uint64), ("others", ctypes.c_uint64 * 4))


class PinnedMapping:
    """The address of a read-only mapping of `fd`, and the calls on it."""

    def __init__(self, mapping: mmap.mmap, fd: int) -> None:
        self._buffer = _PyBuffer()
        ctypes.pythonapi.PyObject_GetBuffer(
            ctypes.py_object(mapping), ctypes.byref(self._buffer), _PyBUF_SIMPLE
        )
        self._holders = 1
        self._lock = threading.Lock()
        self._populate_waiting, self._populate_brief, self._syscall, self._mincore = _calls()
        self._fd = fd
        self._range, self._stat = _CacheRange(), _CacheStat()
        self._has_cachestat = True
        self._vector = ctypes.create_string_buffer(1)

    def resident(self, start: int, stop: int) -> bool:
        """Tell whether every page from `start` to `stop` is in the page cache."""
        pages = (stop - start + PAGE - 1) // PAGE
        if self._has_cachestat:
            cached = self._cached(start, stop)
            if cached is not None:
                return cached >= pages
            self._has_cachestat = False
        if len(self._vector) < pages:
            self._vector = ctypes.create_string_buffer(pages)
        if self._mincore(self._address(start), stop - start, self._vector) != 0:
            return False
        # The low bit of each byte tells residence; the others are reserved, and zero in practice.
        return self._vector.raw[:pages].count(b"\x01") == pages

    def _cached(self, start: int, stop: int) -> int | None:
        """Return how many pages are cached; `None` where the kernel does not tell (EPERM too)."""
        self._range.offset, self._range.length = start, stop - start
        answer = self._syscall(
            _SYS_CACHESTAT, self._fd, ctypes.byref(self._range), ctypes.byref(self._stat), 0
        )
        return int(self._stat.cached) if answer == 0 else None

    def populate(self, start: int, stop: int, *, waiting: bool) -> None:
        """Map the pages; raise `OSError` with EFAULT when the file no longer has them."""
        call = self._populate_waiting if waiting else self._populate_brief
        if call(self._address(start), stop - start, MADV_POPULATE_READ) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def hold(self) -> None:
        """Keep the mapping where it is until one more `unpin`."""
        with self._lock:
            self._holders += 1

    def unpin(self) -> None:
        """Give one hold back; the last one lets the mapping go."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            ctypes.pythonapi.PyBuffer_Release(ctypes.byref(self._buffer))

    def _address(self, start: int) -> int:
        return int(self._buffer.buf) + start


@cache
def _calls() -> tuple[Any, Any, Any, Any]:
    """Return `madvise` for pages that a disk may have, and for others; `syscall`; `mincore`.

    CDLL drops the GIL around a call, PyDLL does not: the first is for calls that may wait for a
    disk, the second for those of some microseconds.
    """
    waiting, brief = ctypes.CDLL(None, use_errno=True), ctypes.PyDLL(None, use_errno=True)
    brief.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    return _madvise(waiting), _madvise(brief), brief.syscall, brief.mincore


def _madvise(library: ctypes.CDLL) -> Any:
    call = library["madvise"]
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return call


def can_probe() -> bool:
    """Tell whether this kernel answers EFAULT instead of SIGBUS for lost pages (Linux 5.14)."""
    if not sys.platform.startswith("linux"):
        return False
    with mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as anonymous:
        try:
            anonymous.madvise(MADV_POPULATE_READ)
        except OSError as error:
            return error.errno != errno.EINVAL
        return True
