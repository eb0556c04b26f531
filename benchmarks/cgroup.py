"""A memory cgroup of its own for one child: what a container with so much memory would give it.

Rule: both versions of the kernel's interface; where none can be made the reason is told and the row
says so. The page cache that the child brings in counts too, as it does in a container.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")
_PATIENCE = 5.0


class NoCgroupError(RuntimeError):
    """No memory cgroup can be made here."""


class MemoryCgroup:
    """A cgroup with a limit in bytes, removed at the end."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._path: Path | None = None

    def __enter__(self) -> Self:
        name = f"uploader-bench-{os.getpid()}"
        v2 = "memory" in _text(_V2 / "cgroup.controllers").split()
        path = (_V2 if v2 else _V1) / name
        try:
            path.mkdir()
        except OSError as error:
            raise NoCgroupError(f"no memory cgroup can be made here: {error.strerror}") from None
        self._path = path
        try:
            if v2:
                (path / "memory.max").write_text(str(self.limit))
                with suppress(OSError):  # without a swap controller there is none to forbid
                    (path / "memory.swap.max").write_text("0")
            else:
                (path / "memory.limit_in_bytes").write_text(str(self.limit))
                with suppress(OSError):
                    (path / "memory.memsw.limit_in_bytes").write_text(str(self.limit))
        except OSError as error:
            self.__exit__(None, None, None)
            raise NoCgroupError(f"no memory limit can be set here: {error.strerror}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end = time.monotonic() + _PATIENCE
        while self._path is not None and time.monotonic() < end:
            try:
                self._path.rmdir()  # refused for as long as a dying process is in it
                return
            except OSError:
                os.sched_yield()

    def around(self, command: list[str]) -> list[str]:
        """Return a command that joins the cgroup before it becomes the given one."""
        if self._path is None:
            raise NoCgroupError("the cgroup is not made yet")
        join = 'echo $$ >"$0" && exec "$@"'
        return ["/bin/sh", "-c", join, str(self._path / "cgroup.procs"), *command]

    @property
    def peak(self) -> int | None:
        """The most bytes that were charged at once, page cache included."""
        return self._number("memory.peak", "memory.max_usage_in_bytes")

    @property
    def killed(self) -> bool:
        """Whether the kernel killed somebody in it for want of memory."""
        if self._path is None:
            return False
        for name in ("memory.events", "memory.oom_control"):
            for line in _text(self._path / name).splitlines():
                word, _, count = line.partition(" ")
                if word == "oom_kill" and count.strip().isdecimal():
                    return int(count) > 0
        return False

    def _number(self, *names: str) -> int | None:
        for name in names:
            text = _text(self._path / name).strip() if self._path is not None else ""
            if text.isdecimal():
                return int(text)
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
