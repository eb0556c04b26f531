"""TLS from the caller's memory straight into the socket.

The loops' own TLS encrypts into memory, copies that into bytes and writes these: two more passes
over every byte, under the GIL. Here OpenSSL writes to the socket itself. Rule: no byte that waits
for a full socket is kept here unless `write` was given it; nobody is waited for when it closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

_P = TypeVar("_P", bound=asyncio.Protocol)

RECORD = 16 * 1024
"""What one read can return: the longest record (RFC 8446, section 5.1)."""
READS = 16
"""Records that are read in one turn of the loop."""


def fits(context: object) -> bool:
    """Whether sockets of `context` can be used here: subclasses may verify in ways of their own."""
    return sys.platform != "win32" and type(context) is ssl.SSLContext


async def secure(
    sock: socket.socket,
    factory: Callable[[], _P],
    *,
    context: ssl.SSLContext,
    server_hostname: str,
) -> tuple[TlsTransport, _P]:
    """Shake hands on a connected, non-blocking socket, which belongs to the transport from now on.

    Raises `ssl.SSLError` or `OSError`; there is no limit of time.
    """
    loop = asyncio.get_running_loop()
    try:
        secured = context.wrap_socket(
            sock, server_hostname=server_hostname, do_handshake_on_connect=False
        )
    except BaseException:
        sock.close()
        raise
    try:
        await _shake_hands(loop, secured)
        protocol = factory()
        return TlsTransport(loop, secured, protocol), protocol
    except BaseException:
        secured.close()
        raise


async def _shake_hands(loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket) -> None:
    descriptor = sock.fileno()
    while True:
        ready = loop.create_future()
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            loop.add_reader(descriptor, _wake, ready)
            forget = loop.remove_reader
        except ssl.SSLWantWriteError:
            loop.add_writer(descriptor, _wake, ready)
            forget = loop.remove_writer
        else:
            return
        try:
            await ready
        finally:
            forget(descriptor)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class TlsTransport(asyncio.Transport):
    """A transport over a socket whose handshake is done.

    `send` is for large bodies: what it was offered and did not take must be offered again, the same
    bytes, before anything else is written (OpenSSL's SSL_write).
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket, protocol: asyncio.BaseProtocol
    ) -> None:
        super().__init__(
            {
                "socket": sock,
                "ssl_object": sock,
                "sslcontext": sock.context,
                "peername": sock.getpeername(),
                "sockname": sock.getsockname(),
                "peercert": sock.getpeercert(),
                "cipher": sock.cipher(),
                "compression": sock.compression(),
            }
        )
        self._loop = loop
        self._sock = sock
        self._descriptor = sock.fileno()
        self._protocol: Any = protocol
        self._ended = False
        self._waiting = deque[bytes]()
        self._size = 0
        self._owed = False
        """Whether a piece was taken in part, and must be offered again."""
        self._blocked = False
        """Whether the socket takes no more."""
        self._reads_to_write = self._writes_to_read = False
        """Whether TLS itself must first be heard, or say something: new keys, for instance."""
        self._writable: asyncio.Future[None] | None = None
        self._high, self._low = 64 * 1024, 16 * 1024
        self._full = False
        self._paused = False
        self._watched = [False, False]
        self._protocol.connection_made(self)
        self._watch()

    # Writing

    def send(self, data: memoryview) -> bool:
        """Return whether the kernel took all of `data`, encrypted; if not, see `writable`."""
        if self._ended:
            raise ConnectionResetError("the connection is closed")
        return not (self._waiting or self._blocked) and self._write(data)

    async def writable(self) -> None:
        """Wait until `send` is worth another try; raises `OSError` when the connection ends."""
        if self._ended:
            raise ConnectionResetError("the connection is closed")
        if not self._blocked and not self._waiting:
            return
        self._writable = self._loop.create_future()
        try:
            await self._writable
        finally:
            self._writable = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._ended or not data:
            return
        free = not (self._waiting or self._blocked or self._owed)
        try:
            if free and self._write(data):
                return
        except OSError:
            return  # told by `connection_lost`
        self._waiting.append(bytes(data))
        self._size += len(data)
        self._owed = False  # it is kept here, and offered again first
        if self._size > self._high and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def _write(self, data: bytes | bytearray | memoryview) -> bool:
        try:
            self._sock.send(data)
        except ssl.SSLWantWriteError:
            self._blocked = True
        except ssl.SSLWantReadError:
            self._blocked = self._reads_to_write = True
        except OSError as error:
            plain = _plain(error)
            self._end(plain)
            raise plain from None
        self._owed = self._blocked
        if self._blocked:
            self._watch()
        return not self._blocked

    def _go_on_writing(self) -> None:
        self._blocked = self._reads_to_write = False
        with contextlib.suppress(OSError):
            while self._waiting and self._write(self._waiting[0]):
                self._size -= len(self._waiting.popleft())
        if self._ended:
            return
        self._watch()
        if self._full and self._size <= self._low:
            self._full = False
            self._protocol.resume_writing()
        if not self._waiting and self._writable is not None:
            _wake(self._writable)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high if high is not None else 4 * low if low is not None else 64 * 1024
        self._low = low if low is not None else self._high // 4

    def get_write_buffer_size(self) -> int:
        return self._size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> NoReturn:
        raise NotImplementedError("TLS has no half of a connection to close")

    # Reading

    def is_reading(self) -> bool:
        return not self._paused and not self._ended

    def pause_reading(self) -> None:
        self._paused = True
        self._watch()

    def resume_reading(self) -> None:
        self._paused = False
        self._watch()

    def _read(self) -> None:
        self._writes_to_read = False
        for number in range(READS):
            if self._paused or self._ended:
                return
            error: OSError | None = None
            try:
                data = self._sock.recv(RECORD)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLWantWriteError:
                self._writes_to_read = True
                return
            except OSError as failure:
                data, error = b"", failure
            if data:
                self._protocol.data_received(data)
                continue
            # Whoever was just told of data gets to look at the connection before it is closed.
            if number:
                self._loop.call_soon(self._finish, error)
            else:
                self._finish(error)
            return

    def _finish(self, error: OSError | None) -> None:
        """End what the peer has ended; half of a TLS connection is of no use."""
        if self._ended:
            return
        if error is not None:
            self._end(_plain(error))
            return
        self._protocol.eof_received()
        self.close()

    # The loop

    def _watch(self) -> None:
        """Be called when, and only when, there is something to do."""
        loop, descriptor = self._loop, self._descriptor
        going = not self._ended
        reading = going and (not self._paused or self._reads_to_write)
        writing = going and ((self._blocked and not self._reads_to_write) or self._writes_to_read)
        if [reading, writing] == self._watched:
            return
        was_reading, was_writing = self._watched
        self._watched = [reading, writing]
        if reading and not was_reading:
            loop.add_reader(descriptor, self._on_readable)
        elif was_reading and not reading:
            loop.remove_reader(descriptor)
        if writing and not was_writing:
            loop.add_writer(descriptor, self._on_writable)
        elif was_writing and not writing:
            loop.remove_writer(descriptor)

    def _on_readable(self) -> None:
        if not self._paused:
            self._read()
        if self._reads_to_write and not self._ended:
            self._go_on_writing()
        self._watch()

    def _on_writable(self) -> None:
        if self._writes_to_read:
            self._read()
        if self._blocked and not self._ended:
            self._go_on_writing()
        self._watch()

    # The end

    def is_closing(self) -> bool:
        return self._ended

    def close(self) -> None:
        """Say farewell and close, without waiting for the peer's.

        What still waits is dropped: a request that is closed in its midst was given up.
        """
        if self._ended:
            return
        if not self._waiting and not self._owed:
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def _end(self, error: OSError | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._watch()
        self._waiting.clear()
        self._size = 0
        self._sock.close()
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(
                error or ConnectionResetError("the connection was closed while it was written to")
            )
        self._loop.call_soon(self._protocol.connection_lost, error)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol


def _plain(error: OSError) -> OSError:
    """Return an error of the connection: numbers of OpenSSL's are no `errno`."""
    if isinstance(error, ssl.SSLError):
        return ConnectionResetError(f"TLS broke off: {error.reason or type(error).__name__}")
    return error
