"""The aiohttp server: one handler for the API, the upload host and the redirect trap.

Rule: routes a request, lets at most one fault at it, and records what was answered before the
answer leaves, so that a client that has read it finds the sandbox up to date.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from transports.tiktok.sandbox import api, oauth
from transports.tiktok.sandbox.api import Api
from transports.tiktok.sandbox.book import Book
from transports.tiktok.sandbox.faults import Fault, FaultQueue
from transports.tiktok.sandbox.oauth import OAuth
from transports.tiktok.sandbox.page import Page
from transports.tiktok.sandbox.peer import Peer
from transports.tiktok.sandbox.posts import RequestRecord
from transports.tiktok.sandbox.rules import ApiRefusal, status_of
from transports.tiktok.sandbox.switches import UPLOAD_PATHS
from transports.tiktok.sandbox.uploads import UploadHost

TRAP_PATH = "/redirected/"
_READ_BUFFER = 256 * 1024  # per connection; twice as much is a quarter faster and doubles memory
_LINE_BYTES = 64 * 1024  # upload URLs of 8 KiB have been seen
_CODE_OF_STATUS = {401: "access_token_invalid", 429: "rate_limit_exceeded"}

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Host:
    """Serve one sandbox on one loop."""

    def __init__(
        self, book: Book, faults: FaultQueue, pool: Executor, *, oauth: OAuth, origin: str,
        page: Page, rate_limits: bool, check_host: bool,
    ) -> None:  # fmt: skip
        self._book = book
        self._faults = faults
        self._oauth = oauth
        self._page = page
        self._origin = origin
        self._trap = origin + TRAP_PATH
        self._api = Api(book, rate_limits=rate_limits)
        self._uploads = UploadHost(book, pool, trap=self._trap, check_host=check_host)
        self.server = _Server(self)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; a failure of the sandbox itself is as loud as a broken rule."""
        try:
            return await self._route(request)
        except ConnectionError:
            return web.Response(status=500)  # nobody is there to read it
        except Exception as exc:
            _log.exception("the sandbox failed on %s", request.method)
            self._book.violation(f"the sandbox itself failed: {exc!r}")
            return web.Response(status=500)

    def malformed(self, reason: str) -> None:
        """Note bytes that are not HTTP, such as the rest of a body longer than declared."""
        self._book.record("malformed").status = 400
        self._book.violation(f"bytes that are not a request: {reason}")

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        target = urlsplit(request.raw_path)
        shown = self._page.answer(request, target.path, target.query)
        if shown is not None:
            return shown
        self._note_credentials(request, target.path, target.query)
        operation = api.PATHS.get(target.path) or oauth.PATHS.get(target.path)
        if operation is not None:
            return await self._call(request, operation)
        if target.path == oauth.AUTHORIZE_PATH and request.method == "GET":
            return self._consent(target.query)
        if target.path in UPLOAD_PATHS and request.method == "PUT":
            record = self._book.record("put")
            return await self._uploads.put(request, record, await self._fault("put", record))
        return await self._lost(request, target.path)

    async def _lost(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        record = self._book.record("unknown")
        record.status = 405 if path in UPLOAD_PATHS else 404
        if path.startswith(TRAP_PATH):
            record.operation = "redirected"
            self._book.violation(f"{request.method} followed a redirect")
        elif record.status == 404:
            self._book.violation(f"{request.method} {path}: TikTok has no such path")
        return await Peer(request).answer_early(web.Response(status=record.status))

    def _note_credentials(self, request: web.BaseRequest, path: str, query: str) -> None:
        if "access_token" in parse_qs(query) or self._book.knows(query):
            self._book.violation(f"{request.method} {path}: access token in the query")
        if request.headers.get("Authorization", "").lower().startswith("basic "):
            self._book.violation(f"{request.method} {path}: Basic credentials (from a .netrc?)")

    async def _fault(self, operation: str, record: RequestRecord) -> Fault | None:
        fault = self._faults.take(operation)
        record.fault = fault is not None
        if fault is not None and fault.delay:
            await self._book.clock.wait(fault.delay)
        return fault

    # -- the API ---------------------------------------------------------------------------------

    async def _call(self, request: web.BaseRequest, operation: str) -> web.StreamResponse:
        record = self._book.record(operation)
        fault = await self._fault(operation, record)
        peer = Peer(request)
        if fault is not None and fault.lose_request:
            await peer.reset()
        if request.method != "POST":
            record.status = 405
            return await peer.answer_early(web.Response(status=405, headers={"Allow": "POST"}))
        await peer.proceed()
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            record.status = 413
            return await peer.answer_early(web.Response(status=413))
        response = self._answer_or_fault(request, record, body, fault)
        if fault is not None and fault.lose_answer:
            await peer.reset()
        if fault is not None and fault.stall_answer:
            await peer.abandon()
        record.status = response.status
        self._book.notify()
        return response

    def _answer_or_fault(
        self, request: web.BaseRequest, record: RequestRecord, body: bytes, fault: Fault | None
    ) -> web.Response:
        scripted = self._scripted(fault, record.operation)
        if scripted is not None and fault is not None and not fault.stored:
            return scripted
        answer = self._answer(request, record, body)
        if fault is not None and fault.malformed:
            return _garbage(fault)
        return scripted or answer

    def _answer(self, request: web.BaseRequest, record: RequestRecord, body: bytes) -> web.Response:
        operation = record.operation
        if operation in oauth.PATHS.values():
            return _json(*self._oauth.call(operation, body, request.content_type))
        try:
            token = self._api.authorise(operation, request.headers.get("Authorization"))
            data, post = self._api.call(operation, token, body, request.content_type, self._origin)
        except ApiRefusal as refusal:
            return self._refusal(status_of(refusal.code, operation), refusal.code, refusal.message)
        record.publish_id = post.publish_id if post else None
        return _json(200, self._api.envelope(data, bare=data is None))

    def _consent(self, query: str) -> web.Response:
        """Answer the login page, as if the user had pressed the button at once."""
        record = self._book.record("authorize")
        target = self._oauth.authorize(query)
        record.status = 400 if target is None else 302
        return web.Response(status=record.status, headers={"Location": target} if target else {})

    def _refusal(self, status: int, code: str, message: str) -> web.Response:
        headers = {}
        if status == 429 and self._book.switches.retry_after is not None:
            headers["Retry-After"] = str(self._book.switches.retry_after)
        return _json(status, self._api.envelope(None, code, message), headers)

    def _scripted(self, fault: Fault | None, operation: str) -> web.Response | None:
        """Return the answer that a fault puts in the place of the real one."""
        if fault is None:
            return None
        if fault.redirect:
            location = self._trap if fault.redirect is True else fault.redirect
            return web.Response(status=307, headers={"Location": location, **fault.headers})
        code = fault.vendor_code
        status = fault.status or (status_of(code, operation) if code is not None else None)
        if status is None:
            return None
        code = code or _CODE_OF_STATUS.get(status)
        if fault.body is not None or code is None:
            return _json(status, fault.body or b"", fault.headers)
        return _json(status, self._api.envelope(None, code, "scripted"), fault.headers)


def _json(status: int, body: str | bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    response = web.Response(status=status, body=body, headers=headers)
    if headers is None or "Content-Type" not in headers:
        response.content_type = "application/json"
    return response


def _garbage(fault: Fault) -> web.Response:
    if fault.malformed == "shape":
        return _json(200, b'{"data": ["ok"], "error": "ok"}')
    return _json(200, b'{"data": {"publish_id')


class _Server(web.Server):
    """Hands out connections that report garbage to the sandbox instead of a log."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.handle, handler_cancellation=True)
        self._host = host

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._host)


class _Connection(web.RequestHandler):
    __slots__ = ("_host",)

    def __init__(self, server: web.Server, host: Host) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None is documented as "no log"
            logger=_log,
            auto_decompress=False,
            lingering_time=0,
            read_bufsize=_READ_BUFFER,
            max_line_size=_LINE_BYTES,
            max_field_size=_LINE_BYTES,
        )
        self._host = host

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, HttpProcessingError):
            self._host.malformed(message or type(exc).__name__)
        response = web.Response(status=status)
        response.force_close()
        return response
