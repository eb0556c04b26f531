"""What happens on a session: chunks, questions and its end, one at a time.

Rule: `rules` decides, `Content` counts, a `Fault` interferes; this module only says in which order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from transports.youtube.sandbox.connection import Connection
from transports.youtube.sandbox.faults import Fault
from transports.youtube.sandbox.rules import Chunk, chunk_fault, read_chunk, read_question
from transports.youtube.sandbox.videos import ALIGNMENT, ARRIVED, Book, Turn, Video

# A client that has given up on a chunk may ask before its FIN has got through.
_PATIENCE = 2.0


class Answer(NamedTuple):
    """What is answered; `reason` makes it one of Google's errors."""

    status: int
    resource: dict[str, Any] | None = None
    reason: str | None = None
    message: str = ""
    stored: int = 0


class Intake:
    """Serve the sessions of one sandbox."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def serve(
        self, request: web.BaseRequest, video: Video, operation: str, fault: Fault | None
    ) -> Answer:
        """Answer one request on a session; never returns when a fault says so."""
        connection = Connection(request)
        async with self._turn(video, connection, operation) as turn:
            if fault is not None and (fault.lose_request or fault.reset_after == 0):
                await connection.reset()
            if fault is not None and fault.expire:
                video.expired = True
            if fault is not None and fault.status is not None and not fault.stored:
                await connection.drain()
                return _scripted(fault)
            answer = await self._work(request, video, operation, fault, turn)
            if fault is not None and fault.lose_answer:
                await connection.reset()
            if fault is not None and fault.stall_answer:
                await connection.silence(turn.hurry)
            if fault is not None and fault.status is not None:
                return _scripted(fault)
            if fault is not None and fault.malformed:
                return Answer(204)
            video.told |= answer.status in (200, 201)
            return answer

    @asynccontextmanager
    async def _turn(
        self, video: Video, connection: Connection, operation: str
    ) -> AsyncIterator[Turn]:
        """Wait for the request before this one to end: its client must have left it."""
        while (busy := video.busy) is not None:
            busy.hurry.set()
            try:
                await asyncio.wait_for(busy.done.wait(), _PATIENCE)
            except TimeoutError:
                busy.gone = False
                video.busy = None
            if not busy.gone:
                self._break(video, f"{operation} was sent while another request was unanswered")
        turn = video.busy = Turn()
        try:
            yield turn
        finally:
            turn.gone = connection.is_lost
            turn.done.set()
            if video.busy is turn:
                video.busy = None
            self._book.notify()

    async def _work(
        self,
        request: web.BaseRequest,
        video: Video,
        operation: str,
        fault: Fault | None,
        turn: Turn,
    ) -> Answer:
        if video.cancelled:
            await Connection(request).drain()
            return Answer(499)
        if video.expired:
            await Connection(request).drain()
            return Answer(404, reason="notFound", message="the session is gone")
        if operation == "abort":
            if video.complete:
                return Answer(404, reason="notFound", message="the upload is complete")
            video.cancelled = True
            return Answer(499)
        if operation == "query":
            return self._asked(request, video)
        return await self._stored(request, video, fault, turn)

    def _asked(self, request: web.BaseRequest, video: Video) -> Answer:
        total = read_question(request.headers.get("Content-Range"))
        if total != video.size:
            self._break(video, f"a question says {total} bytes, and {video.size} were announced")
            return Answer(400, reason="badRequest", message="another size was announced")
        return self._standing(video)

    async def _stored(
        self, request: web.BaseRequest, video: Video, fault: Fault | None, turn: Turn
    ) -> Answer:
        connection = Connection(request)
        chunk = read_chunk(request.headers.get("Content-Range"))
        broken = "has no Content-Range that can be read"
        if chunk is not None:
            broken = chunk_fault(video, chunk, request.content_length) or ""
        if chunk is None or broken:
            self._break(video, f"PUT {request.headers.get('Content-Range')} {broken}")
            await connection.drain()
            return Answer(400, reason="badRequest", message=broken)
        await self._receive(request, video, chunk, fault, turn)
        return self._standing(video)

    async def _receive(
        self, request: web.BaseRequest, video: Video, chunk: Chunk, fault: Fault | None, turn: Turn
    ) -> None:
        content, connection = video.content, Connection(request)
        limit = _limit(fault, chunk)
        content.begin()
        try:
            if fault is not None and fault.stall_after is not None:
                connection.narrow()
            while content.at < limit:
                piece = await request.content.readany()
                if not piece:
                    break
                content.take(piece[: limit - content.at])
                self._book.notify()
            if fault is not None and fault.reset_after is not None:
                await connection.reset()
            if fault is not None and fault.stall_after is not None:
                connection.hold()
                await connection.silence(turn.hurry)
        except BaseException:
            content.cut()
            raise
        await connection.drain()
        content.commit() if content.at == chunk.stop else content.cut()
        self._book.notify()

    def _standing(self, video: Video) -> Answer:
        if video.complete:
            return Answer(200, video.resource(ARRIVED))
        return Answer(308, stored=video.received)

    def _break(self, video: Video, text: str) -> None:
        self._book.violation(f"{video.video_id}: {text}")


def _limit(fault: Fault | None, chunk: Chunk) -> int:
    """Return where a chunk's reading ends: at its end, or where a fault says."""
    if fault is None:
        return chunk.stop
    if fault.keep is not None:
        return min(chunk.stop, (chunk.first + fault.keep) // ALIGNMENT * ALIGNMENT)
    for after in (fault.reset_after, fault.stall_after):
        if after is not None:
            return min(chunk.stop, chunk.first + after)
    return chunk.stop


def _scripted(fault: Fault) -> Answer:
    assert fault.status is not None
    return Answer(fault.status, reason=fault.reason or "scripted", message="scripted")
