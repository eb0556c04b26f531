"""One read for several uploads: the same file is opened and mapped once.

Rule: opened by whoever comes first, closed by whoever goes last; used on one loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from uploader.source.contract import Source, Window

if TYPE_CHECKING:
    from concurrent.futures import Executor


class OneRead:
    """What several uploads of one file share."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._users = 0

    def open(self, opened: Callable[[], Source]) -> Source:
        """Return a share of the open source; `opened()` opens it where nobody has."""
        if self._source is None:
            self._source = opened()
        self._users += 1
        return _Share(self._source, self._left)

    def _left(self) -> None:
        self._users -= 1
        if not self._users and self._source is not None:
            self._source.close()
            self._source = None


class _Share:
    """One upload's part in a source."""

    def __init__(self, source: Source, left: Callable[[], None]) -> None:
        self._source = source
        self._left: Callable[[], None] | None = left
        self.kind = source.kind
        self.name = source.name
        self.size = source.size

    @property
    def executor(self) -> Executor | None:
        return self._source.executor

    @property
    def lent(self) -> int | None:
        return self._source.lent

    async def window(self, start: int, length: int, ahead: int) -> Window:
        return await self._source.window(start, length, ahead)

    def check(self) -> None:
        self._source.check()

    def close(self) -> None:
        left, self._left = self._left, None
        if left is not None:
            left()
