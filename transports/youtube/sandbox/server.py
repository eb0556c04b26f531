"""The aiohttp server: opens sessions, lists videos, hands the rest to the session's own room.

Rule: routes a request, lets at most one fault at it, and records what was answered before the
answer leaves, so that a client that has read it finds the sandbox up to date.
"""

import asyncio
import json
import secrets
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from transports.youtube.sandbox.connection import Connection
from transports.youtube.sandbox.faults import Fault, FaultQueue
from transports.youtube.sandbox.intake import Answer, Intake
from transports.youtube.sandbox.rules import ApiRefusal, announced, check_metadata, read_question
from transports.youtube.sandbox.videos import ARRIVED, Book, RequestRecord, Video

INSERT = "/upload/youtube/v3/videos"
LIST = "/youtube/v3/videos"
_READ_BUFFER = 256 * 1024


class Host:
    """Serve one sandbox. `ended` is how videos end, `asks` after how many questions."""

    def __init__(
        self, book: Book, faults: FaultQueue, *, origin: str, ended: dict[str, str], asks: int
    ) -> None:
        self._book = book
        self._faults = faults
        self._origin = origin
        self._ended = ended
        self._asks = asks
        self._intake = Intake(book)
        self.server = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            lingering_time=0,
            read_bufsize=_READ_BUFFER,
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; a failure of the sandbox itself is as loud as a broken rule."""
        try:
            return await self._route(request)
        except ConnectionError:
            return web.Response(status=500)  # nobody is there to read it
        except Exception as exc:
            self._book.violation(f"the sandbox itself failed: {exc!r}")
            return web.Response(status=500)

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        target = urlsplit(request.raw_path)
        query = parse_qs(target.query)
        operation = _operation(request, target.path, query)
        record = self._book.record(operation)
        record.range = request.headers.get("Content-Range")
        fault = self._faults.take(operation)
        record.fault = fault is not None
        try:
            answer = await self._answer(request, operation, query, record, fault)
        except ApiRefusal as refusal:
            await Connection(request).drain()
            answer = Answer(refusal.status, reason=refusal.reason, message=refusal.message)
        record.status = answer.status
        self._book.notify()
        return self._response(answer, record, fault)

    async def _answer(
        self,
        request: web.BaseRequest,
        operation: str,
        query: dict[str, list[str]],
        record: RequestRecord,
        fault: Fault | None,
    ) -> Answer:
        account = self._account(request, operation, query)
        if operation in ("put", "query", "abort"):
            video = self._book.by_session.get(query["upload_id"][0])
            if video is None or urlsplit(video.url).query != urlsplit(request.raw_path).query:
                self._book.violation(f"{operation} went to a session that was never opened")
                raise ApiRefusal(404, "notFound", "there is no such session")
            record.publish_id = video.video_id
            return await self._intake.serve(request, video, operation, fault)
        return await self._call(request, operation, query, record, fault, account)

    async def _call(
        self,
        request: web.BaseRequest,
        operation: str,
        query: dict[str, list[str]],
        record: RequestRecord,
        fault: Fault | None,
        account: str,
    ) -> Answer:
        connection = Connection(request)
        if fault is not None and fault.lose_request:
            await connection.reset()
        body = await request.read()
        if fault is not None and fault.status is not None and not fault.stored:
            return Answer(fault.status, reason=fault.reason or "scripted", message="scripted")
        if operation == "create":
            answer = self._open(request, query, body, record, account)
        elif operation == "list":
            answer = self._listed(query)
        else:
            self._book.violation(
                f"{request.method} {urlsplit(request.raw_path).path}: no such call"
            )
            raise ApiRefusal(404, "notFound", "there is no such call")
        if fault is not None and fault.lose_answer:
            await connection.reset()
        if fault is not None and fault.stall_answer:
            await asyncio.get_running_loop().create_future()
        if fault is not None and fault.status is not None:
            return Answer(fault.status, reason=fault.reason or "scripted", message="scripted")
        return answer

    def _account(
        self, request: web.BaseRequest, operation: str, query: dict[str, list[str]]
    ) -> str:
        if "access_token" in query:
            self._book.violation(f"{operation}: access token in the query")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            self._book.violation(f"{operation}: no Authorization header")
        account = self._book.tokens.get(token) if scheme == "Bearer" else None
        if account is None:
            raise ApiRefusal(401, "authError", "Invalid Credentials")
        return account

    def _open(
        self,
        request: web.BaseRequest,
        query: dict[str, list[str]],
        body: bytes,
        record: RequestRecord,
        account: str,
    ) -> Answer:
        parts = query.get("part", [""])[0].split(",")
        if not request.content_type.startswith("application/json"):
            raise ApiRefusal(400, "parseError", "the metadata is no JSON")
        try:
            metadata = json.loads(body)
        except ValueError:
            raise ApiRefusal(400, "parseError", "the metadata is no JSON") from None
        for name in check_metadata(metadata, parts):
            self._book.violation(f"create: {name} is no field of a video")
        size, kind = announced(request.headers)
        session = secrets.token_urlsafe(32)
        video = Video(
            video_id=secrets.token_urlsafe(8),
            account=account,
            metadata=metadata,
            size=size,
            content_type=kind,
            notify_subscribers=query.get("notifySubscribers", ["true"])[0] == "true",
            url=f"{self._origin}{request.raw_path}&upload_id={session}",
        )
        self._book.by_session[session] = video
        self._book.uploads.append(video)
        record.publish_id = video.video_id
        return Answer(200, {"Location": video.url})

    def _listed(self, query: dict[str, list[str]]) -> Answer:
        wanted = query.get("id", [""])[0]
        found = [each for each in self._book.uploads if each.video_id == wanted and each.complete]
        items = []
        for video in found:
            video.asked += 1
            ready = video.asked >= self._asks
            item = video.resource(self._ended if ready else ARRIVED)
            item["processingDetails"] = {"processingStatus": "succeeded" if ready else "processing"}
            items.append(item)
        return Answer(200, {"kind": "youtube#videoListResponse", "items": items})

    def _response(self, answer: Answer, record: RequestRecord, fault: Fault | None) -> web.Response:
        headers: dict[str, str] = {}
        if fault is not None and fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        if answer.reason is not None:
            error = {"reason": answer.reason, "message": answer.message, "domain": "youtube"}
            content = {"code": answer.status, "message": answer.message, "errors": [error]}
            return _json(answer.status, {"error": content}, headers)
        if record.operation == "create" and answer.resource is not None:
            malformed = fault is not None and fault.malformed
            return web.Response(headers={} if malformed else answer.resource)
        if answer.status == 308 and answer.stored:
            headers["Range"] = f"bytes=0-{answer.stored - 1}"
        if answer.resource is not None:
            return _json(answer.status, answer.resource, headers)
        reason = "Resume Incomplete" if answer.status == 308 else None
        return web.Response(status=answer.status, reason=reason, headers=headers)


def _operation(request: web.BaseRequest, path: str, query: dict[str, list[str]]) -> str:
    if path == LIST and request.method == "GET":
        return "list"
    if path != INSERT:
        return "unknown"
    if "upload_id" not in query:
        resumable = query.get("uploadType") == ["resumable"]
        return "create" if request.method == "POST" and resumable else "unknown"
    if request.method == "PUT":
        asks = read_question(request.headers.get("Content-Range")) is not None
        return "query" if asks else "put"
    return "abort" if request.method == "DELETE" else "unknown"


def _json(status: int, content: object, headers: dict[str, str]) -> web.Response:
    return web.json_response(content, status=status, headers=headers)
