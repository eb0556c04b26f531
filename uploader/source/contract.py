"""What the pipeline needs of a source.

Rule: a window is released exactly once, and its view is not used afterwards.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Protocol


class Window(Protocol):
    """Some bytes of the source that are in memory now."""

    @property
    def view(self) -> memoryview: ...

    def verify(self) -> None:
        """Raise `SourceChangedError` when touching the bytes could crash the process by now."""
        ...

    def release(self) -> None:
        """Give the memory back. The kernel, or whoever was sent the bytes, must have them."""
        ...


class Source(Protocol):
    """An open source of `size` bytes that is read on the engine's loop.

    `kind` is a word for logs. `lent` is a descriptor by which the kernel may take the same bytes
    itself, `None` where only windows are safe; it is asked for again before each use. `executor` is
    where windows may be read beside the loop, `None` where that is not safe or not worth it. Every
    method but `close` raises `SourceError` subclasses only.
    """

    kind: str
    name: str
    size: int

    @property
    def executor(self) -> Executor | None: ...

    @property
    def lent(self) -> int | None: ...

    async def window(self, start: int, length: int, ahead: int) -> Window:
        """Return the bytes from `start`; the next `ahead` bytes will be wanted soon."""
        ...

    def check(self) -> None:
        """Raise `SourceChangedError` when the file is no longer the one that was opened."""
        ...

    def close(self) -> None: ...
