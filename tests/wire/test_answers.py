"""Answers that are too long, too early, or none at all."""

import asyncio
from pathlib import Path

import pytest

from tests.wire.peer import Connection, peer
from tests.wire.rig import body_of, post, put, wire
from uploader import NetworkError, ProtocolError, Timeouts
from uploader.wire.aiohttp_wire import MAX_ANSWER

HASTY = Timeouts(connect=5.0, stall=0.2, response=0.2)


async def test_the_longest_answer() -> None:
    """A mebibyte is read."""

    async def long(connection: Connection) -> None:
        await connection.request()
        await connection.answer(200, b"x" * MAX_ANSWER)

    async with peer(long) as server, wire() as sender:
        assert len((await sender.send(post(server.url))).content) == MAX_ANSWER


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_that_is_too_long(chunked: bool) -> None:
    """One byte more is refused, and so is one that does not end."""

    async def endless(connection: Connection) -> None:
        await connection.request()
        if not chunked:
            await connection.answer(200, b"x" * (MAX_ANSWER + 1))
            return
        connection.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while True:
            connection.writer.write(piece)
            await connection.writer.drain()

    async with peer(endless) as server, wire() as sender:
        with pytest.raises(ProtocolError) as caught:
            await sender.send(post(server.url))
        assert caught.value.ambiguous
        await asyncio.wait_for(server.finished.wait(), 5)


async def test_an_answer_that_drips() -> None:
    """Its bytes do not stretch the limit for ever."""

    async def dripping(connection: Connection) -> None:
        await connection.request()
        connection.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx")
        await connection.until_gone()

    async with peer(dripping) as server, wire(HASTY) as sender:
        with pytest.raises(NetworkError, match=r"no answer came .* for 0\.2 s") as caught:
            await sender.send(post(server.url))
        assert caught.value.ambiguous


@pytest.mark.parametrize(
    "raw",
    [
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
    ids=["no HTTP", "no status", "no length", "long header", "cut", "no chunk", "nothing"],
)
async def test_what_is_no_answer(raw: bytes) -> None:
    """Typed, ambiguous, without the library's frames, whatever the bytes are."""

    async def babble(connection: Connection) -> None:
        await connection.request()
        connection.writer.write(raw)
        await connection.writer.drain()

    async with peer(babble) as server, wire() as sender:
        with pytest.raises((NetworkError, ProtocolError)) as caught:
            await sender.send(post(server.url))
        assert caught.value.ambiguous
        assert caught.value.operation == "status"
        assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("status", [200, 201, 206, 307])
async def test_an_answer_before_the_body_is_out_is_no_success(film: Path, status: int) -> None:
    """What nobody has read is not stored."""

    async def hasty(connection: Connection) -> None:
        await connection.head()
        await connection.answer(status)
        await connection.until_gone()

    async with peer(hasty, buffer=4096) as server, wire() as sender, body_of(film) as body:
        with pytest.raises(ProtocolError, match=f"answered {status} after") as caught:
            await sender.send(put(server.url, body))
        assert (caught.value.status, caught.value.ambiguous) == (status, True)


async def test_an_answer_that_the_peer_gave_before_it_had_read_the_body(film: Path) -> None:
    """Read and thrown away afterwards, as a polite server does: it was early all the same."""

    async def polite(connection: Connection) -> None:
        head = await connection.head()
        await connection.answer(206)
        left = head.length
        while left:
            left -= len(await connection.read(left))

    async with peer(polite, buffer=4096) as server, wire() as sender, body_of(film) as body:
        with pytest.raises(ProtocolError):
            await sender.send(put(server.url, body))


@pytest.mark.parametrize("status", [400, 403, 404, 416, 500, 503])
async def test_a_refusal_before_the_body_is_out_is_a_refusal(film: Path, status: int) -> None:
    """The body ends there, and the connection with it."""

    async def refusing(connection: Connection) -> None:
        await connection.head()
        await connection.answer(status)
        await connection.until_gone()

    async with peer(refusing, buffer=4096) as server, wire() as sender:
        async with body_of(film) as body:
            assert (await sender.send(put(server.url, body))).status == status
            assert not body.complete
        await asyncio.wait_for(server.finished.wait(), 5)
        assert server.connections == 1
