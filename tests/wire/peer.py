"""A server of a few lines that a test scripts byte by byte, on the test's own loop."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Head:
    """The head of a request as it came."""

    line: str
    headers: Mapping[str, str]

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", 0))


class Connection:
    """One client's connection, from the server's side."""

    def __init__(
        self, peer: "Peer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._peer = peer
        self.reader = reader
        self.writer = writer

    async def head(self) -> Head:
        """Read the head of the next request."""
        raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = raw.strip().split("\r\n")
        pairs = (text.partition(": ") for text in rest)
        head = Head(line, {name.lower(): value for name, _, value in pairs})
        self._peer.heads.append(head)
        return head

    async def request(self) -> Head:
        """Read the next request, head and body."""
        head = await self.head()
        left = head.length
        while left:
            left -= len(await self.read(left))
        return head

    async def read(self, most: int) -> bytes:
        """Read some bytes; the client's going away is an error."""
        piece = await self.reader.read(min(most, 1 << 20))
        if not piece:
            raise ConnectionResetError("the client has gone")
        self._peer.received += len(piece)
        return piece

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer."""
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    def reset(self) -> None:
        """Send RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_gone(self) -> None:
        """Read on until the client has gone; raise what it went with."""
        while await self.reader.read(1 << 16):
            pass


Talk = Callable[[Connection], Awaitable[None]]


@dataclass
class Peer:
    """What a test knows of its server."""

    talk: Talk
    port: int = 0
    secure: bool = False
    connections: int = 0
    received: int = 0
    heads: list[Head] = field(default_factory=list)
    ended: list[BaseException | None] = field(default_factory=list)
    """How each connection's talk ended."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http{'s' if self.secure else ''}://127.0.0.1:{self.port}/there"

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to a client, and remember how it ended."""
        self.connections += 1
        try:
            await self.talk(Connection(self, reader, writer))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.ended.append(error)
        except asyncio.CancelledError:
            self.ended.append(None)
        else:
            self.ended.append(None)
        finally:
            self.finished.set()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def peer(
    talk: Talk, *, tls: ssl.SSLContext | None = None, buffer: int | None = None
) -> AsyncIterator[Peer]:
    """Serve `talk` to every connection; `buffer` bounds what the kernel takes unread."""
    listener = socket.socket()
    if buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    listener.bind(("127.0.0.1", 0))
    serving = Peer(talk, listener.getsockname()[1], tls is not None)
    tasks: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await serving.meet(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(meet, sock=listener, ssl=tls, limit=1 << 16)
    try:
        yield serving
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def passed(seconds: float) -> asyncio.Future[None]:
    """Return what is done when the loop's clock has moved so far: a peer that takes its time."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    loop.call_later(seconds, finish)
    return done
