"""One client's connection, below HTTP: reset it, stop reading it.

Rule: the only module that touches transports and sockets.
"""

import asyncio
import socket
import struct
import sys
from typing import NoReturn

from aiohttp import web

# A close with a linger time of 0 is a hard reset; on Windows the structure has two shorts.
_AT_ONCE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_NARROW = 64 * 1024


class Connection:
    """The client's end of a request."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._transport = request.transport

    @property
    def is_lost(self) -> bool:
        """Whether the connection is closed, by either side."""
        return self._transport is None or self._transport.is_closing()

    async def reset(self) -> NoReturn:
        """Send RST instead of an answer; never returns, the request is cancelled."""
        if self._transport is not None and not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._transport.abort()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")

    async def silence(self, hurry: asyncio.Event) -> NoReturn:
        """Neither read nor answer until somebody is in a hurry; then reset."""
        await hurry.wait()
        await self.reset()

    def narrow(self) -> None:
        """Take little more than is read."""
        if not self.is_lost and self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW)

    def hold(self) -> None:
        """Stop reading from the socket."""
        if not self.is_lost and self._transport is not None:
            self._transport.pause_reading()

    async def drain(self) -> None:
        """Read the rest of the body and throw it away."""
        while await self._request.content.readany():
            pass
