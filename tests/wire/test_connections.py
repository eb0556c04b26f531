"""Which connection a request goes out on, and that it goes out once."""

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.wire.conftest import SIZE
from tests.wire.peer import Connection, peer
from tests.wire.rig import body_of, descriptors, post, put, wire
from uploader import NetworkError
from uploader.http import Response


async def polite(connection: Connection) -> None:
    """Answer every request."""
    while True:
        await connection.request()
        await connection.answer(200, b"{}")


async def test_requests_share_a_connection() -> None:
    """One keep-alive connection serves what may be asked again."""
    async with peer(polite) as server, wire() as sender:
        for _ in range(3):
            assert (await sender.send(post(server.url))).status == 200
        assert (server.connections, len(server.heads)) == (1, 3)


async def test_what_must_not_be_sent_twice_gets_a_connection_of_its_own() -> None:
    """An idle connection may be dead, and finding out would cost a second try."""
    async with peer(polite) as server, wire() as sender:
        await sender.send(post(server.url))
        await sender.send(post(server.url, fresh=True))
        await sender.send(post(server.url, fresh=True))
        await sender.send(post(server.url))
        assert (server.connections, len(server.heads)) == (3, 4)


async def test_a_peer_that_says_no_farewell_keeps_no_connection(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """A connection of its own ends with its answer; TLS would wait half a minute for the peer."""

    async def mute(connection: Connection) -> None:
        await connection.request()
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            await connection.answer(200, b"{}")
            await asyncio.Event().wait()
        finally:
            connection.writer.transport.abort()

    async with (
        peer(mute, tls=tls_server_context) as server,
        wire(ssl_context=tls_client_context) as sender,
    ):
        before = descriptors()
        assert (await sender.send(post(server.url, fresh=True))).status == 200
        for _ in range(3):
            await asyncio.sleep(0)
        assert descriptors() <= before + 1  # at most the side of the peer


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_pooled_connection_that_dies_under_a_put(
    film: Path,
    how: str,
    secure: bool,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> None:
    """aiohttp would send a PUT again by itself; here nobody does without having asked."""

    async def dying(connection: Connection) -> None:
        await connection.request()
        await connection.answer(206)
        await connection.head()
        if how == "reset":
            connection.reset()

    tls = tls_server_context if secure else None
    async with peer(dying, tls=tls) as server, wire(ssl_context=tls_client_context) as sender:
        async with body_of(film) as body:
            assert (await sender.send(put(server.url, body))).status == 206
        async with body_of(film) as body:
            with pytest.raises(NetworkError) as caught:
                await sender.send(put(server.url, body))
        assert caught.value.ambiguous
        assert (server.connections, len(server.heads)) == (1, 2)


async def test_a_small_request_on_a_connection_that_dies() -> None:
    """A POST is not sent again either: the engine decides."""

    async def dying(connection: Connection) -> None:
        await connection.request()
        await connection.answer(200, b"{}")
        await connection.head()

    async with peer(dying) as server, wire() as sender:
        await sender.send(post(server.url))
        with pytest.raises(NetworkError) as caught:
            await sender.send(post(server.url))
        assert caught.value.ambiguous
        assert len(server.heads) == 2


async def test_a_connection_that_died_while_it_was_idle(film: Path) -> None:
    """Its end was heard of: the next request goes out on a new one, once."""

    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.answer(206, Connection="close")

    async with peer(once) as server, wire() as sender:
        for _ in range(2):
            async with body_of(film) as body:
                assert (await sender.send(put(server.url, body))).status == 206
        assert (server.connections, len(server.heads)) == (2, 2)


async def test_redirects_are_answers() -> None:
    """They are handed to the protocol, which refuses them; nothing is followed."""

    async def elsewhere(connection: Connection) -> None:
        await connection.request()
        await connection.answer(307, Location="/other")

    async with peer(elsewhere) as server, wire() as sender:
        answer = await sender.send(post(server.url))
        assert (answer.status, answer.headers["location"]) == (307, "/other")
        assert len(server.heads) == 1


async def test_cookies_are_not_kept() -> None:
    """Nothing that one answer says changes the next request."""

    async def sweet(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.answer(200, Set_Cookie="a=b; Path=/")

    async with peer(sweet) as server, wire() as sender:
        for _ in range(2):
            await sender.send(post(server.url))
        assert not any("cookie" in head.headers for head in server.heads)


async def test_an_upload_url_is_used_as_it_was_given() -> None:
    """No letter of it is quoted, unquoted or put in order."""
    target = "/a%2Fb/./c?x=%7e~&upload_token=a+b%20c&&y='(é)'".replace("é", "%C3%a9")
    async with peer(polite) as server, wire() as sender:
        await sender.send(post(f"http://127.0.0.1:{server.port}{target}"))
        assert server.heads[0].line == f"POST {target} HTTP/1.1"


async def test_the_headers_of_a_put(film: Path) -> None:
    """An exact length, no chunks, no credentials, nothing to decompress."""
    async with peer(polite) as server, wire() as sender, body_of(film) as body:
        answer: Response = await sender.send(put(server.url, body))
        assert answer.status == 200
        headers = server.heads[0].headers
        assert headers["content-length"] == str(SIZE)
        assert headers["content-type"] == "video/mp4"
        assert headers["accept-encoding"] == "identity"
        assert not {"transfer-encoding", "authorization", "expect", "cookie"} & set(headers)
