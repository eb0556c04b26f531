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
from typing import Any, Final

PAGE: Final = mmap.PAGESIZE
# linux/mman.h: "MADV_POPULATE_READ 22, populate (prefault) page tables readable", since 5.14. It
# answers EFAULT for pages beyond the end of the file, where a plain access would raise SIGBUS.
MADV_POPULATE_READ: Final = 22
_PyBUF_SIMPLE: Final = 0


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


class PinnedMapping:
    """The address of a read-only mapping, and the calls on it."""

    def __init__(self, mapping: mmap.mmap) -> None:
        self._buffer = _PyBuffer()
        ctypes.pythonapi.PyObject_GetBuffer(
            ctypes.py_object(mapping), ctypes.byref(self._buffer), _PyBUF_SIMPLE
        )
        self._holders = 1
        self._lock = threading.Lock()
        # CDLL drops the GIL around a call, PyDLL does not: the first is for calls that may wait
        # for a disk, the second for those of some microseconds.
        waiting, brief = ctypes.CDLL(None, use_errno=True), ctypes.PyDLL(None, use_errno=True)
        self._populate_waiting = _madvise(waiting)
        self._populate_brief = _madvise(brief)
        self._mincore = brief.mincore
        self._mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        self._vector = ctypes.create_string_buffer(1)

    def resident(self, start: int, stop: int) -> bool:
        """Tell whether every page from `start` to `stop` is in the page cache."""
        pages = (stop - start + PAGE - 1) // PAGE
        if len(self._vector) < pages:
            self._vector = ctypes.create_string_buffer(pages)
        if self._mincore(self._address(start), stop - start, self._vector) != 0:
            return False
        # The low bit of each byte tells residence; the others are reserved, and zero in practice.
        return self._vector.raw[:pages].count(b"\x01") == pages

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
