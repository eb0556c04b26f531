"""The TLS transport: what it owes to a protocol, to the loop and to a peer."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from tests.wire.peer import Connection, Peer, passed, peer
from tests.wire.rig import descriptors
from uploader.wire.tls import TlsTransport, fits, secure

PIECE = memoryview(os.urandom(1 << 20))


class Heard(asyncio.Protocol):
    """A protocol that writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.data = b""
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.told.append("eof")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(exc)
        self.lost.set()


@contextlib.asynccontextmanager
async def connected(
    server: Peer, context: ssl.SSLContext, name: str = "127.0.0.1"
) -> AsyncIterator[tuple[TlsTransport, Heard]]:
    """Connect to a peer; the transport is dropped in the end."""
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.setblocking(False)
    transport, protocol = await secure(sock, Heard, context=context, server_hostname=name)
    try:
        yield transport, protocol
    finally:
        transport.abort()
        await protocol.lost.wait()


class Gate:
    """A talk that reads on when it is told to, and keeps what came."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.got = bytearray()

    async def __call__(self, connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await self.open.wait()
        connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
        while piece := await connection.reader.read(1 << 16):
            self.got += piece


async def filled(transport: TlsTransport) -> int:
    """Offer pieces until one is not taken whole, and return how many were."""
    count = 0
    while transport.send(PIECE):
        count += 1
    return count


async def test_a_piece_that_was_not_taken_is_offered_again(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """In order and once; what is written meanwhile comes after it, and closing says farewell."""
    gate = Gate()
    async with (
        peer(gate, tls=tls_server_context, buffer=4096) as server,
        connected(server, tls_client_context) as (transport, protocol),
    ):
        taken = await filled(transport)
        assert transport.get_write_buffer_size() == 0
        gate.open.set()
        while not transport.send(PIECE):
            await transport.writable()
        transport.write(b"the end")
        while transport.get_write_buffer_size():
            await transport.writable()
        transport.close()
        await asyncio.wait_for(server.finished.wait(), 5)
        await protocol.lost.wait()
    assert bytes(gate.got) == bytes(PIECE) * (taken + 1) + b"the end"
    assert protocol.told == [None]
    assert server.ended == [None]


async def test_what_is_written_waits_and_the_writer_is_paused(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """A full socket pauses above the high mark and resumes at the low one, once each."""
    gate = Gate()
    async with (
        peer(gate, tls=tls_server_context, buffer=4096) as server,
        connected(server, tls_client_context) as (transport, protocol),
    ):
        transport.set_write_buffer_limits(high=1, low=0)
        assert transport.get_write_buffer_limits() == (0, 1)
        count = 0
        while not transport.get_write_buffer_size():
            transport.write(PIECE)
            count += 1
        transport.write(b"more")
        assert transport.get_write_buffer_size() == len(PIECE) + 4
        assert protocol.told == ["pause"]
        gate.open.set()
        await asyncio.wait_for(transport.writable(), 5)
        assert protocol.told == ["pause", "resume"]
        transport.close()
        await asyncio.wait_for(server.finished.wait(), 5)
    assert bytes(gate.got) == bytes(PIECE) * count + b"more"


@pytest.mark.parametrize("how", ["abort", "close", "reset"])
async def test_whoever_waits_to_write_hears_of_the_end(
    how: str, tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """The connection is lost once, whoever ended it and however often."""
    resetting = asyncio.Event()

    async def deaf(connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await resetting.wait()
        connection.reset()

    async with (
        peer(deaf, tls=tls_server_context, buffer=4096) as server,
        connected(server, tls_client_context) as (transport, protocol),
    ):
        await filled(transport)
        waiting = asyncio.create_task(transport.writable())
        await asyncio.sleep(0)
        if how == "reset":
            resetting.set()
        else:
            getattr(transport, how)()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(waiting, 5)
        await protocol.lost.wait()
        transport.close()
        transport.abort()
        assert transport.is_closing()
        assert transport.get_extra_info("socket").fileno() == -1
        with pytest.raises(ConnectionResetError):
            transport.send(PIECE)
        transport.write(b"nobody hears it")
    assert [what for what in protocol.told if what != "eof"] == protocol.told[-1:]


async def test_reading_stops_and_goes_on(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """A protocol that pauses is told nothing; the peer's end comes after all of its bytes."""
    said = asyncio.Event()

    async def talking(connection: Connection) -> None:
        connection.writer.write(bytes(PIECE))
        said.set()
        await connection.writer.drain()

    async with (
        peer(talking, tls=tls_server_context) as server,
        connected(server, tls_client_context) as (transport, protocol),
    ):
        transport.pause_reading()
        assert not transport.is_reading()
        already = len(protocol.data)
        await asyncio.wait_for(said.wait(), 5)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(protocol.data) == already < len(PIECE)
        transport.resume_reading()
        await asyncio.wait_for(protocol.lost.wait(), 5)
    assert protocol.data == PIECE
    assert protocol.told == ["eof", None]


async def test_what_is_known_of_the_connection(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """As much as the loop's own transport tells."""
    gate = Gate()
    gate.open.set()
    async with (
        peer(gate, tls=tls_server_context) as server,
        connected(server, tls_client_context) as (transport, protocol),
    ):
        assert transport.get_extra_info("sslcontext") is tls_client_context
        assert transport.get_extra_info("peername") == ("127.0.0.1", server.port)
        assert transport.get_extra_info("peercert")["subjectAltName"]
        assert transport.get_extra_info("ssl_object").version().startswith("TLSv1.")
        assert transport.get_extra_info("cipher")
        assert transport.get_protocol() is protocol
        assert not transport.can_write_eof()
        transport.close()
        await asyncio.wait_for(server.finished.wait(), 5)


async def test_a_name_that_the_certificate_does_not_bear(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """Refused in the handshake, and no descriptor stays behind."""
    async with peer(Gate(), tls=tls_server_context) as server:
        before = descriptors()
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(server, tls_client_context, "somebody-else.example"):
                pass
        async with asyncio.timeout(5):
            while descriptors() > before:
                await passed(0.01)


def test_contexts_with_ways_of_their_own_are_left_to_the_loop() -> None:
    """Such as those that ask the system whom it trusts."""

    class Special(ssl.SSLContext):
        pass

    assert fits(ssl.create_default_context())
    assert not fits(Special(ssl.PROTOCOL_TLS_CLIENT))
    assert not fits(None)


class Moody:
    """A socket whose TLS has something of its own to say or hear, by a script of errors."""

    context = None

    def __init__(self, sock: socket.socket, *moods: tuple[str, type[Exception]]) -> None:
        self._sock = sock
        self._moods = deque(moods)
        self.tried: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def getpeercert(self) -> None:
        return None

    cipher = compression = getpeercert

    def send(self, data: bytes) -> int:
        return cast(int, self._do("send", len(data), lambda: self._sock.send(data)))

    def recv(self, size: int) -> bytes:
        try:
            return cast(bytes, self._do("recv", size, lambda: self._sock.recv(size)))
        except BlockingIOError:
            raise ssl.SSLWantReadError from None

    def unwrap(self) -> None:
        raise ssl.SSLWantReadError

    def _do(self, what: str, size: int, really: Callable[[], Any]) -> Any:
        self.tried.append((what, size))
        if self._moods and self._moods[0][0] == what:
            raise self._moods.popleft()[1]
        return really()


async def test_a_write_that_must_first_hear_the_peer() -> None:
    """Renegotiation: it goes on when something came, also while the protocol does not read."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    moody = Moody(ours, ("send", ssl.SSLWantReadError))
    protocol = Heard()
    with theirs:
        transport = TlsTransport(asyncio.get_running_loop(), cast(Any, moody), protocol)
        transport.pause_reading()
        transport.write(b"held back")
        await asyncio.sleep(0)
        assert [what for what, _ in moody.tried] == ["send"]
        theirs.sendall(b"new keys")
        await asyncio.wait_for(transport.writable(), 5)
        assert theirs.recv(100) == b"held back"
        transport.abort()
        await protocol.lost.wait()


async def test_a_read_that_must_first_say_something() -> None:
    """It goes on when the socket takes it, and no byte is lost."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    moody = Moody(ours, ("recv", ssl.SSLWantWriteError))
    protocol = Heard()
    with theirs:
        transport = TlsTransport(asyncio.get_running_loop(), cast(Any, moody), protocol)
        theirs.sendall(b"an answer")
        theirs.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(protocol.lost.wait(), 5)
    assert (protocol.data, protocol.told) == (b"an answer", ["eof", None])
    assert transport.is_closing()
