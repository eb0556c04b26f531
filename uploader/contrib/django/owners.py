"""Tells whether the run that holds a lease is still alive, where it ran on this machine.

Rule: by a lock that the kernel drops with its holder, in a folder of this user. Of another
machine's, another user's or another container's runs nobody here knows: their leases end by time.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from uploader.journals.owners import Owners

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class MachineOwners:
    """One owner's place among those of this machine; `name` is what a lease says of its owner."""

    def __init__(self) -> None:
        path = _place()
        self._owners = Owners(path)
        # Inode numbers repeat from machine to machine, and from one file system to the next.
        self._machine = f"{_boot()}:{path.stat().st_dev}:"
        self.name = f"{self._machine}{self._owners.name}"

    def is_dead(self, name: str) -> bool:
        """Tell whether it is certain that nobody holds the owner's lock any more."""
        ours = bool(name) and name.startswith(self._machine)
        return ours and self._owners.is_dead(name.removeprefix(self._machine))

    def close(self) -> None:
        """Drop the lock. In a forked child this drops nothing that belongs to the parent."""
        self._owners.close()


def _place() -> Path:
    user = getattr(os, "getuid", lambda: 0)()
    folder = Path(tempfile.gettempdir()) / f"mmap-uploader-{user}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or (os.name == "posix" and facts.st_uid != user):
        # Somebody else's: a folder that nobody shares, whose owners nobody takes for dead.
        folder = Path(tempfile.mkdtemp(prefix="mmap-uploader-"))
    return folder / "owners"


def _boot() -> str:
    with contextlib.suppress(OSError):
        return _BOOT.read_text("ascii").strip()
    return f"{os.urandom(8).hex()}"
