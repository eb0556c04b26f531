"""The kernel's read lease on a file: nobody changes it while it is mapped without our knowing.

Rule: while the lease is held, a writer's `open` or `truncate` waits (45 s by default, see
/proc/sys/fs/lease-break-time) and `broken` turns true at once. The holder then stops and gives the
lease back, so that the writer waits a second at most. See fcntl(2), "Leases".
"""

from __future__ import annotations

import signal
import sys

try:
    import fcntl
except ImportError:  # Windows has neither leases nor the mapping that needs them
    fcntl = None  # type: ignore[assignment]


class ReadLease:
    """A read lease on an open descriptor. It survives in forked children until it is given back."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, fd: int) -> ReadLease | None:
        """Return a lease, `None` when someone has the file open for writing or the file system,
        the system or the file's ownership does not allow one."""
        if not sys.platform.startswith("linux"):
            return None
        try:
            # The default signal of a broken lease, SIGIO, would kill the process; SIGURG is
            # ignored by default.
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            return None
        return cls(fd)

    @property
    def broken(self) -> bool:
        """Whether someone waits to open the file for writing, or to truncate it."""
        return fcntl.fcntl(self._fd, fcntl.F_GETLEASE) != fcntl.F_RDLCK

    def give_back(self) -> None:
        """Let writers go on. Explicit, because a forked child may hold the descriptor too."""
        try:
            fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError:
            return  # broken by the kernel after its time, which is the same
