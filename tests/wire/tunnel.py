"""A proxy of a few lines that knows CONNECT."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.wire.peer import Connection, Peer, peer


@contextlib.asynccontextmanager
async def tunnel(port: int) -> AsyncIterator[Peer]:
    """Serve CONNECT: whatever host is asked for, the connection leads to `port`."""

    async def talk(connection: Connection) -> None:
        await connection.head()
        connection.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(
                _carry(connection.reader, writer), _carry(reader, connection.writer)
            )
        finally:
            writer.close()

    async with peer(talk) as serving:
        yield serving


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
