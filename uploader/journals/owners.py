"""Tells whether the run that holds a lease is still alive, on this machine.

Rule: by a lock that the kernel drops when its process dies, never by a process id: containers share
journals, not ids. Each owner locks one byte of a file beside the journal; POSIX locks belong to a
process and are not inherited by its forked children.
"""

from __future__ import annotations

import os
import secrets
import struct
import sys
import threading
from pathlib import Path
from typing import ClassVar

try:
    import fcntl
except ImportError:  # Windows: leases end by time alone
    fcntl = None  # type: ignore[assignment]

_RANGE = 2**62


class Owners:
    """The lock file of one journal. One object per file and process: closing any descriptor of a
    file drops all POSIX locks that the process holds on it."""

    _open: ClassVar[dict[tuple[int, str], Owners]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.number = secrets.randbelow(_RANGE)
        if fcntl is not None:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self.number)

    @classmethod
    def of(cls, path: Path) -> Owners:
        """Return this process's object for a lock file, made anew in a forked child."""
        place = (os.getpid(), str(path))
        with cls._guard:
            found = cls._open.get(place)
            if found is None:
                found = cls._open[place] = cls(path)
            return found

    def is_dead(self, number: int) -> bool:
        """Tell whether nobody holds the owner's lock any more."""
        if not sys.platform.startswith("linux"):
            return False
        # F_GETLK does not tell of this process's own locks.
        here = os.getpid()
        if any(pid == here and own.number == number for (pid, _), own in self._open.items()):
            return False
        # struct flock on 64-bit Linux: type, whence, start, length, pid.
        question = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        try:
            answer = fcntl.fcntl(self._fd, fcntl.F_GETLK, question)
        except OSError:
            return False
        return bool(struct.unpack("hhqqi4x", answer)[0] == fcntl.F_UNLCK)


def _after_fork() -> None:
    Owners._guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
