"""A streamed body as aiohttp wants it.

Rule: it is never replayed: aiohttp re-sends a PUT by itself when a pooled connection dies, unless
its payload says that it was consumed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
import sys
from typing import Any, NoReturn

from aiohttp import Payload
from aiohttp.abc import AbstractStreamWriter

from uploader.model import KIB, MIB
from uploader.wire.contract import StreamedBody
from uploader.wire.tls import TlsTransport

PLAIN_SLICE = 1 * MIB
"""What one write gets over plain TCP. It goes to the kernel at once, so that a large one costs no
memory and saves turns of the loop."""
WAITING_SLICE = 64 * KIB
"""What waits in the transport, of the mapping, until a full socket takes more."""
TLS_SLICE = 1 * MIB
"""What one write gets under TLS of ours, which encrypts it straight into the socket: 1 ms."""
UNGUARDED_SLICE = 128 * KIB
"""What is encrypted at once of memory that no lease guards: a mapping is looked at before each."""
LOOP_TLS_SLICE = 256 * KIB
"""What one write gets under the loop's TLS, which encrypts it as one piece, into memory."""
_NOT_LENT = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


class WriterSink:
    """aiohttp's stream writer as the pipeline's sink."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._transport: asyncio.Transport = writer.transport
        # With these limits `drain` returns when the kernel has taken every byte: no copy waits in
        # user space, and a window may be released as soon as it was written. Not high=0: uvloop's
        # TLS pauses at `size >= high`, which an empty buffer would reach too, for ever.
        self._transport.set_write_buffer_limits(high=1, low=0)
        reset_on_close(self._transport, on=True)
        secure = self._transport.get_extra_info("sslcontext") is not None
        self.slice_size = LOOP_TLS_SLICE if secure else PLAIN_SLICE
        straight = sys.platform.startswith("linux") and not secure
        self._tls = self._transport if isinstance(self._transport, TlsTransport) else None
        if self._tls is not None:
            self.slice_size = TLS_SLICE
        self._socket: Any = self._transport.get_extra_info("socket") if straight else None
        self._lends = True

    async def write(self, data: memoryview, file: int | None = None, at: int = 0) -> int:
        # Past the writer, which would only count: the length is ours to keep, and the headers are
        # out. It raises what aiohttp would when the connection is gone.
        if self._transport.is_closing():
            raise ConnectionResetError("the connection was closed while the body was sent")
        if self._tls is not None:
            return await self._encrypt(data if file is not None else data[:UNGUARDED_SLICE])
        if self._socket is not None:
            if taken := self._write_straight(data, file, at):
                return taken
            data = data[:WAITING_SLICE]
        self._transport.write(data)
        await self._writer.drain()
        return len(data)

    async def _encrypt(self, data: memoryview) -> int:
        """Return 0 after a wait: whoever offers the bytes again looks at their memory before."""
        assert self._tls is not None
        if not self._tls.send(data):
            await self._tls.writable()
            return 0
        # A peer that is fast never blocks us: others want their turn of the loop.
        await asyncio.sleep(0)
        return len(data)

    def _write_straight(self, data: memoryview, file: int | None, at: int) -> int:
        """Return how many bytes the kernel takes now, past a transport that holds none.

        Unlike the transport's own, these calls drop the GIL. The pages that a file lends are not
        even copied, and stay the socket's until they are acknowledged.
        """
        if self._transport.get_write_buffer_size():
            return 0  # the headers, at first
        descriptor = self._socket.fileno()
        try:
            if file is None or not self._lends:
                return os.write(descriptor, data)
            return os.sendfile(descriptor, file, at, len(data))
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _NOT_LENT:
                raise
            self._lends = False  # as some network and user-space file systems answer
            return 0

    def unsent(self) -> int:
        if self._transport.is_closing():
            raise ConnectionResetError("the connection was closed while the body was sent")
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        drop(self._transport)


def drop(transport: asyncio.WriteTransport) -> None:
    """Drop a connection and what it still holds, at once, also one that is gone already.

    asyncio's TLS transport of Python 3.11.0 to 3.11.4 fails to abort what it has closed before.
    """
    with contextlib.suppress(AttributeError):
        transport.abort()


def reset_on_close(transport: asyncio.BaseTransport | None, *, on: bool) -> None:
    """Choose whether closing drops what the kernel still holds, which is megabytes.

    On while a body is out and unanswered: one that was given up or cancelled must not arrive later
    after all, beside its repetition or after the caller was told that nothing was published.
    """
    if transport is None or transport.is_closing():
        return  # its descriptor may be somebody else's by now
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", on, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


class PartPayload(Payload):
    """Stream a part's body with its exact length, without a copy."""

    def __init__(self, body: StreamedBody) -> None:
        super().__init__(body, content_type="application/octet-stream")
        self._body = body
        self._size = len(body)
        self.transport: asyncio.Transport | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        self._consumed = True
        # The headers go first and alone: before Python 3.12.9 aiohttp would join them with the
        # first slice, which copies it.
        writer.send_headers()
        sink = WriterSink(writer)
        self.transport = sink._transport
        await self._body.stream(sink)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> NoReturn:
        raise TypeError("a streamed part has no text")
