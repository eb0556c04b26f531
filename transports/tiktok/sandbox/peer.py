"""One client's connection, seen as a socket: reset it, stop reading it, notice that it has gone.

Rule: the only module that touches transports and sockets below HTTP.
"""

import asyncio
import select
import socket
import struct
import sys
from typing import NoReturn

from aiohttp import web

_LOOK_SECONDS = 0.01
_LINGER_SECONDS = 1.0
_NARROW_BYTES = 64 * 1024
# A close with a linger time of 0 is a hard reset; on Windows the structure has two shorts.
_HARD_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


if sys.platform == "win32":

    def _left(fd: int) -> bool:
        return False  # there is no poll: only reading tells

else:

    def _left(fd: int) -> bool:
        # POLLRDHUP (Linux) sees a client's FIN although unread bytes lie before it.
        gone = select.POLLHUP | select.POLLERR | select.POLLNVAL
        poll = select.poll()
        poll.register(fd, gone | getattr(select, "POLLRDHUP", 0))
        return bool(poll.poll(0))


class Peer:
    """The client's end of a request's connection."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._transport = request.transport
        address = self._transport.get_extra_info("peername") if self._transport else None
        self.name = f"{address[0]}:{address[1]}" if address else "unknown"

    @property
    def hung_up(self) -> bool:
        """Tell whether the client has closed or reset the connection."""
        fd = self._fd()
        return fd < 0 or _left(fd)

    async def reset(self) -> NoReturn:
        """Send RST instead of an answer; never returns, the request is cancelled."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _HARD_RESET
            )
            transport.abort()
        await self._cancelled()

    async def wait_gone(self) -> None:
        """Wait until the client has gone, reading or not."""
        # A transport that is not being read does not report the end of the connection.
        while not self.hung_up:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    async def abandon(self) -> NoReturn:
        """Wait until the client has gone, then drop the connection; never returns."""
        await self.wait_gone()
        if self._transport is not None:
            self._transport.abort()
        await self._cancelled()

    def narrow(self) -> None:
        """Shrink the receive buffer, so that little is taken that has not been read."""
        if self._fd() >= 0 and self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW_BYTES
            )

    def hold(self) -> None:
        """Stop reading from the socket."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def release(self) -> None:
        """Read from the socket again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def proceed(self) -> None:
        """Answer `Expect: 100-continue`, if the client asked."""
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request.writer.output_size = 0  # it is not part of the answer

    async def answer_early(self, response: web.Response) -> web.Response:
        """Answer before the body has been read, then close as a real host does.

        Closing with unread bytes would reset the connection and could destroy the answer on its
        way, so the rest is read and thrown away for a moment ("lingering close").
        """
        response.force_close()
        await response.prepare(self._request)
        await response.write_eof()
        transport = self._transport
        if transport is not None and not transport.is_closing() and transport.can_write_eof():
            transport.write_eof()
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self.drain()
        except TimeoutError:
            pass
        return response

    async def prove_alive(self) -> None:
        """Go on if the client still waits for an answer; if it has gone, never return.

        Its FIN may be behind the body, so the body is read (and thrown away) first.
        """
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self.drain()
        except TimeoutError:
            return
        if self.hung_up:
            await self.abandon()

    async def drain(self) -> None:
        """Read the rest of the body and throw it away."""
        while await self._request.content.readany():
            pass

    def _fd(self) -> int:
        if self._transport is None or self._transport.is_closing():
            return -1
        fd: int = self._transport.get_extra_info("socket").fileno()
        return fd

    async def _cancelled(self) -> NoReturn:
        # The loss of the connection cancels the handler; nothing else ends this wait.
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")
