"""What one process costs: memory split by kind, peak, processor time.

Rule: reads the kernel's books only (`/proc` on Linux, `getrusage` elsewhere) and never guesses:
what a platform does not tell is None.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    raise ImportError("the benchmarks read the kernel's books, which Windows does not keep")
import resource

_FIELDS = {
    "VmRSS": "total",
    "RssAnon": "anon",
    "RssFile": "file",
    "RssShmem": "shmem",
    "VmHWM": "peak",
}


@dataclass(frozen=True)
class Memory:
    """Resident bytes of a process by kind, and its high-water mark."""

    total: int | None = None
    anon: int | None = None
    file: int | None = None
    shmem: int | None = None
    peak: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON."""
        return asdict(self)


def parse_status(text: str) -> Memory:
    """Read the Rss lines of `/proc/<pid>/status`, which are in units of 1024 bytes."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in _FIELDS:
            found[_FIELDS[name]] = int(value.split()[0]) * 1024
    return Memory(**found)


def memory_of(pid: int | str = "self") -> Memory:
    """Return what the kernel says about the process; all None where there is no `/proc`."""
    try:
        return parse_status(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return Memory()


@dataclass(frozen=True)
class Crowd:
    """Open descriptors and threads of a process; 0 where the system does not tell."""

    descriptors: int = 0
    threads: int = 0

    def most(self, other: Crowd) -> Crowd:
        """Return the larger of each."""
        return Crowd(max(self.descriptors, other.descriptors), max(self.threads, other.threads))


def crowd_of(pid: int | str = "self") -> Crowd:
    """Count the descriptors and threads of a process, in `/proc`."""
    with suppress(OSError):
        books = Path("/proc", str(pid))
        return Crowd(_entries(books / "fd"), _entries(books / "task"))
    return Crowd()


def _entries(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def forget_peak() -> bool:
    """Lower the high-water mark to the present size; False where the kernel does not allow it.

    See `clear_refs` in proc_pid_clear_refs(5), value 5.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return True
    return False


def peak_bytes() -> int | None:
    """Return the high-water mark of this process, from `getrusage` where there is no `/proc`.

    A process that it started and saw end counts instead where its own is higher.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    peak = memory_of().peak
    if peak is None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return max(peak, ended)


@dataclass(frozen=True)
class Processor:
    """Processor seconds of this process and of those that it started and saw end."""

    user: float
    system: float

    @classmethod
    def now(cls) -> Processor:
        """Read the counters."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(own.ru_utime + ended.ru_utime, own.ru_stime + ended.ru_stime)

    def since(self, earlier: Processor) -> Processor:
        """Return what was spent after `earlier`."""
        return Processor(self.user - earlier.user, self.system - earlier.system)

    @property
    def total(self) -> float:
        """User and system time together."""
        return self.user + self.system
