"""What a line carries: raw TCP streams to a server that answers one byte when all has arrived.

Rule: no protocol at all; the clock runs from the first byte to the last stream's answer.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread
from time import perf_counter

_BLOCK = bytes(2**18)


@contextmanager
def discarding(size: int) -> Iterator[int]:
    """Serve streams of `size` bytes each; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take(sock: socket.socket) -> None:
            left, buffer = size, bytearray(2**18)
            with sock:
                while left:
                    got = sock.recv_into(buffer, min(left, len(buffer)))
                    if not got:
                        return
                    left -= got
                sock.sendall(b"!")

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                Thread(target=take, args=(sock,), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def rate(port: int, size: int, streams: int) -> float:
    """Send so many streams of `size` bytes at once; return bytes a second of all together."""
    began = perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(lambda _: _send(port, size), range(streams)))
    return size * streams / (perf_counter() - began)


def _send(port: int, size: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        left = size
        while left:
            left -= sock.send(_BLOCK[: min(left, len(_BLOCK))])
        if sock.recv(1) != b"!":
            raise ConnectionError("the stream was not taken whole")
