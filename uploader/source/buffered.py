"""Sources that are not mapped: a file read through pooled buffers, and bytes in memory.

Rule: a buffer goes back to the pool only when its window is released.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploader.errors import SourceChangedError, SourceReadError
from uploader.source.identity import FileIdentity, check_unchanged
from uploader.source.threads import to_its_end

if TYPE_CHECKING:
    from concurrent.futures import Executor


class BufferedWindow:
    """Bytes that were read into a pooled buffer."""

    __slots__ = ("_buffer", "_pool", "view")

    def __init__(self, buffer: bytearray, length: int, pool: list[bytearray]) -> None:
        self._buffer = buffer
        self._pool = pool
        self.view = memoryview(buffer)[:length]

    def verify(self) -> None:
        """These bytes are ours."""

    def release(self) -> None:
        self.view.release()
        self._pool.append(self._buffer)


class BufferedSource:
    """Read `fd`, which this source owns from now on, through aiofiles."""

    kind = "aiofiles"
    lent = None

    def __init__(
        self, fd: int, *, name: str, path: Path | None, identity: FileIdentity, executor: Executor
    ) -> None:
        self.name = name
        self.size = identity.size
        self._fd = fd
        self._path = path
        self._identity = identity
        self.executor: Executor | None = executor
        self._pool: list[bytearray] = []
        self._file: Any = None
        self._turn = asyncio.Lock()
        """Held while a window is read: lanes share one position in the file."""

    async def window(self, start: int, length: int, ahead: int) -> BufferedWindow:
        async with self._turn:
            return await self._window(start, length)

    async def _window(self, start: int, length: int) -> BufferedWindow:
        buffer = self._take(length)
        window = BufferedWindow(buffer, length, self._pool)
        filled = 0
        try:
            if self._file is None:
                await to_its_end(self._open())
            await to_its_end(self._file.seek(start))
            while filled < length:
                count = await to_its_end(self._file.readinto(window.view[filled:]))
                if not count:
                    raise SourceChangedError(
                        f"{self.name} ends at byte {start + filled:,} of {self.size:,}:"
                        " it was truncated while it was sent"
                    )
                filled += count
        except OSError as error:
            window.release()
            raise SourceReadError(
                f"{self.name}: reading bytes {start:,} to {start + length:,} failed:"
                f" {error.strerror}"
            ) from None
        except BaseException:
            window.release()
            raise
        return window

    def check(self) -> None:
        check_unchanged(self.name, self._fd, self._path, self._identity)

    def close(self) -> None:
        if self._fd < 0:
            return
        if self._file is not None:
            # The raw file underneath: closing it costs no wait, and the loop must not be needed.
            self._file._file.close()
        os.close(self._fd)
        self._fd = -1

    async def _open(self) -> None:
        """Open the file once more, so that nobody else's reads move our offset."""
        import aiofiles

        options: dict[str, Any] = {"buffering": 0, "executor": self.executor}
        try:
            self._file = await aiofiles.open(f"/dev/fd/{self._fd}", "rb", **options)
        except OSError:
            self._file = await aiofiles.open(self._fd, "rb", closefd=False, **options)

    def _take(self, length: int) -> bytearray:
        while self._pool:
            buffer = self._pool.pop()
            if len(buffer) >= length:
                return buffer
        return bytearray(length)


class BytesWindow:
    """A slice of bytes that the caller gave us."""

    __slots__ = ("view",)

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def verify(self) -> None:
        """These bytes are ours."""

    def release(self) -> None:
        self.view.release()


class BytesSource:
    """Bytes in memory, for small things and tests."""

    kind = "bytes"
    lent = None
    executor: Executor | None = None

    def __init__(self, content: bytes, *, name: str) -> None:
        self.name = name
        self.size = len(content)
        self._whole = memoryview(content)

    async def window(self, start: int, length: int, ahead: int) -> BytesWindow:
        return BytesWindow(self._whole[start : start + length])

    def check(self) -> None:
        """Bytes do not change."""

    def close(self) -> None:
        self._whole.release()
