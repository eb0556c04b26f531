"""How a `FaultyProxy` passes one request on, and breaks it.

Rule: the only module of the kit that touches aiohttp and sockets. Each request goes to the peer on
a connection of its own, so that no idle one can die unnoticed; nobody but the client retries.
"""

from __future__ import annotations

import asyncio
import hashlib
import select
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import aiohttp
import yarl
from aiohttp import web
from multidict import CIMultiDict

from uploader.model import MIB
from uploader.secret import Secret
from uploader.testing.proxy_exchange import RANGES, Exchange
from uploader.testing.proxy_faults import (
    Act,
    Answer,
    Drop,
    Garble,
    LoseAnswer,
    ResetAfter,
    Slow,
    Stall,
    Truncate,
)

if TYPE_CHECKING:
    from uploader.testing.faulty_proxy import FaultyProxy

HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer")
) | {"transfer-encoding", "upgrade", "expect"}
"""https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1; and `Expect`, which the proxy answers."""
UNSAID: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What aiohttp would add to a request that does not have it."""
TEXTS: Final = ("json", "xml", "text/", "javascript")
SHORT: Final = MIB
"""The longest text in which URLs are looked for."""
LOOK: Final = 0.01
LINGER: Final = 1.0
# A close with a linger time of 0 is a hard reset.
HARD_RESET: Final = struct.pack("ii", 1, 0)


class _CutError(Exception):
    """The body goes no further: the client is gone, or shall believe that the peer is."""


class Forwarder:
    """The server's handler, and the client that it forwards with."""

    def __init__(self, proxy: FaultyProxy) -> None:
        self._proxy = proxy
        self._held: set[asyncio.Event] = set()
        self.server = web.Server(self._handle, access_log=None)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=UNSAID,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    def release(self) -> None:
        """Let everything go on that is held."""
        for event in self._held:
            event.set()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(
            0,
            request.method,
            Secret(request.raw_path),
            ranges={name: request.headers[name] for name in RANGES if name in request.headers},
            length=request.content_length,
        )
        act = self._proxy.opened(exchange, request.headers)
        try:
            return await _Passage(self, self._proxy, request, exchange, act).go()
        except (_CutError, aiohttp.ClientError, ConnectionError):
            return reset(request)
        except Exception as error:
            self._proxy.failures.append(error)
            return reset(request)
        finally:
            exchange.ended = True
            self._proxy.moved()

    async def hold(self, request: web.BaseRequest) -> None:
        """Wait for `release`; raise when the client has gone before."""
        released = asyncio.Event()
        self._held.add(released)
        self._proxy.moved(1)
        try:
            # A connection that is not read does not tell that it has ended: it is looked at.
            while not released.is_set():
                if gone(request):
                    raise _CutError
                try:
                    await asyncio.wait_for(released.wait(), LOOK)
                except TimeoutError:
                    continue
        finally:
            self._held.discard(released)
            self._proxy.moved(-1)

    def send(
        self, request: web.BaseRequest, body: AsyncIterator[bytes] | None
    ) -> aiohttp.client._RequestContextManager:
        """Send a request on to the peer."""
        headers = passed_on(request.headers)
        if not self._proxy.keep_host:
            headers.popall("Host", None)
        url = yarl.URL(self._proxy.peer + request.raw_path, encoded=True)
        return self._session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        )


class _Passage:
    """One request on its way through."""

    def __init__(
        self,
        forwarder: Forwarder,
        proxy: FaultyProxy,
        request: web.BaseRequest,
        exchange: Exchange,
        act: Act | None,
    ) -> None:
        self._forwarder = forwarder
        self._proxy = proxy
        self._request = request
        self._exchange = exchange
        self._act = act
        # A body that is still being forwarded when the answer is there has a reader already.
        self._reading = asyncio.Lock()
        self._digest = hashlib.sha256()
        exchange.sha256 = self._digest.hexdigest()

    async def go(self) -> web.StreamResponse:
        """Carry out the act, or simply pass the request on."""
        match self._act:
            case Drop():
                raise _CutError
            case Answer(forward=False, after=after) as answer:
                await self._proceed()
                await self._read(after)
                return await self._answer(answer, early=after is not None)
            case Garble(forward=False, raw=raw):
                await self._proceed()
                await self._read(None)
                raise self._garbled(raw)
        await self._proceed()
        body = self._body() if self._request.can_read_body else None
        async with self._forwarder.send(self._request, body) as response:
            return await self._answered(response)

    async def _answered(self, response: aiohttp.ClientResponse) -> web.StreamResponse:
        """Go on from the moment at which the peer has answered."""
        exchange = self._exchange
        exchange.forwarded = exchange.length in (None, exchange.received)
        exchange.status = response.status
        self._proxy.moved()
        match self._act:
            case LoseAnswer():
                await response.read()
                raise _CutError
            case Answer() as answer:
                await response.read()
                return await self._answer(answer)
            case Garble(raw=raw):
                await response.read()
                raise self._garbled(raw)
            case Stall(after=None):
                await self._forwarder.hold(self._request)
        return await self._pass_back(response)

    # -- the request's body ----------------------------------------------------------------------

    async def _body(self) -> AsyncIterator[bytes]:
        """Give out the body as it comes, up to where it shall break."""
        stop: int | None = None
        match self._act:
            case ResetAfter(count=count):
                stop = count
            case Stall(after=int(after)):
                stop = after
        async for piece in self._pieces(stop):
            if self._exchange.received == stop:
                if piece:
                    yield piece
                if isinstance(self._act, ResetAfter):
                    raise _CutError
                await self._forwarder.hold(self._request)
                continue
            if not isinstance(self._act, Slow):
                yield piece
                continue
            for start in range(0, len(piece), self._act.piece):
                yield piece[start : start + self._act.piece]
                await asyncio.sleep(0)

    async def _pieces(self, stop: int | None) -> AsyncIterator[bytes]:
        """Read the body, with a piece that ends exactly at `stop`."""
        if stop == 0:
            yield b""
        while True:
            left = MIB if stop is None else stop - self._exchange.received
            piece = await self._take(left if left > 0 else MIB)
            if not piece:
                return
            self._digest.update(piece)
            self._exchange.received += len(piece)
            self._exchange.sha256 = self._digest.hexdigest()
            self._proxy.moved()
            yield piece

    async def _take(self, most: int) -> bytes:
        async with self._reading:
            return await self._request.content.read(most)

    async def _read(self, count: int | None) -> None:
        """Read so many bytes of the body and throw them away."""
        if count != 0:
            async for _ in self._pieces(count):
                if self._exchange.received == count:
                    return

    async def _proceed(self) -> None:
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request.writer.output_size = 0

    # -- the answer ------------------------------------------------------------------------------

    async def _answer(self, answer: Answer, *, early: bool = False) -> web.StreamResponse:
        response = web.Response(
            status=answer.status, headers=CIMultiDict(answer.headers), body=answer.content
        )
        self._exchange.answered = answer.status
        return await self._early(response) if early else response

    async def _pass_back(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Send the peer's answer on, with its URLs made ours."""
        headers = CIMultiDict(
            (name, self._ours(value)) for name, value in passed_on(answer.headers).items()
        )
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        text = any(each in answer.headers.get("Content-Type", "") for each in TEXTS)
        first = await _up_to(answer, SHORT) if text else b""
        if text and len(first) < SHORT and not answer.headers.get("Content-Encoding"):
            first = self._ours(first.decode("latin-1")).encode("latin-1")
            if self._request.method != "HEAD" and "Content-Length" in headers:
                headers["Content-Length"] = str(len(first))
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=headers
            )
        early = not self._exchange.forwarded
        if early or isinstance(self._act, Truncate):
            response.force_close()
        self._exchange.answered = answer.status
        await response.prepare(self._request)
        await self._write(response, first)
        async for piece in answer.content.iter_any():
            await self._write(response, piece)
        if early:
            return await self._early(response)
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, piece: bytes) -> None:
        match self._act:
            case Truncate(keep=keep):
                await response.write(piece[:keep])
                close(self._request)
                raise _CutError
            case Slow(piece=size):
                for start in range(0, len(piece), size):
                    await response.write(piece[start : start + size])
                    await asyncio.sleep(0)
            case _ if piece:
                await response.write(piece)

    async def _early(self, response: web.StreamResponse) -> web.StreamResponse:
        """Answer while the body still comes, and read on for a moment: closing with unread bytes
        would reset the connection, and could destroy the answer on its way.
        """
        response.force_close()
        await response.prepare(self._request)
        await response.write_eof()
        try:
            async with asyncio.timeout(LINGER):
                while await self._take(MIB):
                    pass
        except (TimeoutError, ConnectionError):
            pass
        return response

    def _garbled(self, raw: bytes) -> _CutError:
        if self._request.transport is not None:
            self._request.transport.write(raw)
        close(self._request)
        return _CutError()

    def _ours(self, text: str) -> str:
        """Return a text in which the peer's origin is the proxy's."""
        ours = self._proxy.base_url
        theirs = {self._proxy.peer, self._proxy.peer.replace("127.0.0.1", "localhost")}
        # A peer that was told our Host header makes URLs of it, and does not know of the TLS.
        theirs |= {f"http://{ours.partition('://')[2]}"} - {ours}
        for origin in filter(None, theirs):
            text = text.replace(origin, ours).replace(escaped(origin), escaped(ours))
        return text


def escaped(url: str) -> str:
    """Return a URL as JSON with escaped slashes has it."""
    return url.replace("/", "\\/")


def passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers that a proxy passes on."""
    kept = CIMultiDict(headers)
    for name in HOP_BY_HOP:
        kept.popall(name, None)
    return kept


async def _up_to(answer: aiohttp.ClientResponse, most: int) -> bytes:
    found = b""
    while len(found) < most and (piece := await answer.content.read(most - len(found))):
        found += piece
    return found


def reset(request: web.BaseRequest) -> web.Response:
    """Send RST instead of an answer; the response returned goes nowhere."""
    transport = request.transport
    if transport is not None and not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, HARD_RESET
        )
        transport.abort()
    return web.Response()


def close(request: web.BaseRequest) -> None:
    """End the connection after what has been written."""
    if request.transport is not None:
        request.transport.close()


def gone(request: web.BaseRequest) -> bool:
    """Tell whether the client has closed or reset its connection."""
    transport = request.transport
    if transport is None or transport.is_closing():
        return True
    poll = select.poll()
    events = select.POLLHUP | select.POLLERR | select.POLLNVAL
    poll.register(
        transport.get_extra_info("socket").fileno(), events | getattr(select, "POLLRDHUP", 0)
    )
    return bool(poll.poll(0))
