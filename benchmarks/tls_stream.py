"""The receiving side of a TLS connection, read in large pieces.

An `SSLSocket` reads five bytes of record header and then at most 16 KiB from the kernel; the sink
would spend more on calls than on decryption and wake the sender for every record. Rule: the
kernel is asked for as much as there is, and OpenSSL takes the records out of that.
"""

from __future__ import annotations

import socket
import ssl
from typing import cast

_PIECE = 256 * 1024


class TlsStream:
    """A server's TLS connection with the few verbs of a socket that the sink uses."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._piece = memoryview(bytearray(_PIECE))
        self._handshake()

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""
        buffer = bytearray(size)
        return bytes(buffer[: self.recv_into(memoryview(buffer), size)])

    def recv_into(self, buffer: memoryview, size: int) -> int:
        """Fill `buffer` with at most `size` bytes of one record; 0 at the end."""
        while True:
            try:
                return cast(int, self._tls.read(size, buffer))  # the stub knows bytes only
            except ssl.SSLWantReadError:
                self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return 0

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        self._tls.write(data)
        self._flush()

    def _handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._more()
            else:
                self._flush()
                return

    def _more(self) -> None:
        taken = self._sock.recv_into(self._piece)
        if taken:
            self._incoming.write(self._piece[:taken])
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._sock.sendall(data)
