"""A server on a thread of its own starts whole or not at all, and ends whatever its clients do."""

import asyncio
import http.client
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from aiohttp import web

from uploader.serving import ServerThread


class Room:
    """Answers with its name; notes what happens to it."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.held = threading.Event()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[web.Server]:
        self.notes.append("opened")
        yield web.Server(self._handle)
        self.notes.append("left")

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/held":
            self.held.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.notes.append("ended")
        return web.Response(text="here")


@contextmanager
def asked(server: ServerThread, path: str = "/") -> Iterator[http.client.HTTPConnection]:
    """Send a request and leave its answer unread."""
    connection = http.client.HTTPConnection(server.base_url.partition("//")[2], timeout=10)
    connection.request("GET", path)
    yield connection
    connection.close()


def test_it_keeps_its_port_and_starts_again() -> None:
    """A client finds it where it was."""
    room = Room()
    server = ServerThread(room.opened, noun="room")
    server.start()
    first = server.base_url
    server.stop()
    assert not server.is_running
    server.start()
    assert server.base_url == first
    with asked(server) as connection:
        assert connection.getresponse().read() == b"here"
    with pytest.raises(RuntimeError, match=f"the room runs already, at {first}"):
        server.start()
    server.stop()
    assert room.notes == ["opened", "left"] * 2


def test_what_it_serves_is_left_after_its_requests() -> None:
    """A request that waits for ever is ended by the stop, then the room is left."""
    room = Room()
    server = ServerThread(room.opened, noun="room")
    server.start()
    with asked(server, "/held") as connection:
        assert room.held.wait(10)
        server.stop()
        with pytest.raises((ConnectionError, http.client.BadStatusLine)):
            connection.getresponse()
    assert room.notes == ["opened", "ended", "left"]


def test_a_start_that_fails_leaves_nothing() -> None:
    """Neither a thread nor a port, and the error is the one that happened."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[web.Server]:
        raise ZeroDivisionError
        yield web.Server(lambda request: None)

    before = set(threading.enumerate())
    server = ServerThread(opened, noun="room")
    with pytest.raises(ZeroDivisionError):
        server.start()
    assert not server.is_running
    assert set(threading.enumerate()) == before
    with socket.create_server(("127.0.0.1", int(server.base_url.rpartition(":")[2]))):
        pass


async def test_it_calls_on_its_own_loop() -> None:
    """Not on the caller's; and not at all once it has stopped."""
    room = Room()
    server = ServerThread(room.opened, noun="room")
    server.call_soon(lambda: room.notes.append("never"))
    server.start()
    told = threading.Event()
    names: list[str] = []

    def tell() -> None:
        names.append(threading.current_thread().name)
        told.set()

    server.call_soon(tell)
    assert await asyncio.to_thread(told.wait, 10)
    server.stop()
    assert names == ["room"]
    assert "never" not in room.notes
