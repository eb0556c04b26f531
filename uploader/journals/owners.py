"""Tells whether the run that holds a lease is still alive, on this machine.

Rule: by a lock that the kernel drops when the last descriptor is closed, never by a process id:
containers share journals, not ids. Each open journal locks one byte of a file beside it. The locks
are those of open file descriptions, fcntl(2) F_OFD_SETLK: unlike a process's POSIX locks they
survive when somebody else in the process opens and closes the file, such as a backup.
"""

from __future__ import annotations

import os
import secrets
import struct
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows: leases end by time alone
    fcntl = None  # type: ignore[assignment]

_SET: Final = getattr(fcntl, "F_OFD_SETLK", None)
_ASK: Final = getattr(fcntl, "F_OFD_GETLK", None)
_RANGE: Final = 2**62
# struct flock with 64-bit offsets: type, whence, start, length, pid.
_FLOCK: Final = "hhqqi0q"


class Owners:
    """One owner's place in the lock file of a journal.

    `name` is what a lease says of its owner. It holds the file's inode number: a lock file that was
    deleted and made anew is another one, and tells nothing of those who hold the old one. As long
    as one of them lives, its number is not given to another file. Who got no lock, on a system
    without such locks for instance, names no file: nobody takes it for dead, its leases lapse.
    """

    def __init__(self, path: Path) -> None:
        self._fd: int | None = os.open(path, os.O_RDWR | os.O_CREAT | _CLOSE_ON_EXEC, 0o600)
        self._file = os.fstat(self._fd).st_ino
        self._number = secrets.randbelow(_RANGE)
        self.name = f"{self._file if self._lock() else 'no lock'}:{self._number}"

    def is_dead(self, name: str) -> bool:
        """Tell whether it is certain that nobody holds the owner's lock any more."""
        file, _, number = name.partition(":")
        if self._fd is None or _ASK is None or name == self.name or file != str(self._file):
            return False
        try:
            answer = fcntl.fcntl(self._fd, _ASK, _flock(fcntl.F_WRLCK, int(number)))
        except (OSError, ValueError):
            return False
        return bool(struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK)

    @property
    def marked(self) -> bool:
        """Tell whether `mark` was called for this file, by any process, and not taken back."""
        return self._fd is not None and os.fstat(self._fd).st_size > 0

    def mark(self, *, used: bool) -> None:
        """Keep in the file that its journal is in use, or that it is none yet."""
        if self._fd is not None and self.marked != used:
            os.ftruncate(self._fd, int(used))

    def close(self) -> None:
        """Drop the lock. In a forked child this drops nothing that belongs to the parent."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def _lock(self) -> bool:
        if _SET is None or self._fd is None:
            return False
        try:
            fcntl.fcntl(self._fd, _SET, _flock(fcntl.F_WRLCK, self._number))
        except OSError:  # a file system without locks
            return False
        return True


def _flock(kind: int, start: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, start, 1, 0)


_CLOSE_ON_EXEC: Final = getattr(os, "O_CLOEXEC", 0)
