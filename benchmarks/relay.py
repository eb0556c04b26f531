"""A line with a delay and a rate, in this process: connections to it go to a server behind.

Rule: one rate for all connections of a direction, in the order in which their bytes arrive; half
the round trip each way. It models a well-scaled TCP without loss: what is on its way is not
bounded but by the rate, and connecting costs nothing, for everyone alike.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

ROUND_TRIP = 0.080  # seconds
RATE = 25_000_000.0  # bytes a second: 200 Mbit/s
_PIECE = 64 * 1024
_AHEAD = 0.005  # seconds that the line may be booked ahead, as a small queue at its entry


class Line:
    """One direction: when does a piece that is put on it now leave it?"""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._free = 0.0

    def book(self, size: int) -> float:
        """Return when the last byte is on the line, behind all that was booked before."""
        self._free = max(self._free, self._clock()) + size / self._rate
        return self._free


class Relay:
    """Listens on loopback while it is entered; its loop has a thread of its own."""

    def __init__(self, port: int, *, round_trip: float = ROUND_TRIP, rate: float = RATE) -> None:
        self._behind = port
        self._delay = round_trip / 2
        self._rate = rate
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._there = Line(self._rate, self._loop.time)
        self._back = Line(self._rate, self._loop.time)
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0, limit=4 * _PIECE)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, before = await asyncio.open_connection("127.0.0.1", self._behind, limit=4 * _PIECE)
        ways: tuple[Awaitable[None], ...] = (
            self._way(self._there, reader, before),
            self._way(self._back, behind, writer),
        )
        try:
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(*ways)
        finally:
            for each in (before, writer):
                each.close()

    async def _way(
        self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one direction to its end."""
        loop = asyncio.get_running_loop()
        flying: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        landing = asyncio.create_task(self._land(flying, writer))
        try:
            while piece := await reader.read(_PIECE):
                over = line.book(len(piece))
                flying.put_nowait((over + self._delay, piece))
                if (early := over - loop.time() - _AHEAD) > 0:
                    await asyncio.sleep(early)
        finally:
            flying.put_nowait((loop.time() + self._delay, b""))
            await landing

    async def _land(
        self, flying: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while True:
                due, piece = await flying.get()
                if (early := due - loop.time()) > 0:
                    await asyncio.sleep(early)
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
