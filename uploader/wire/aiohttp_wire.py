"""The wire on aiohttp.

Rule: one request, one answer. Redirects are refused, cookies and ~/.netrc are not read, nothing is
sent twice. Exceptions of the library never leave this room: their frames hold URLs and headers.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Mapping
from typing import Any, cast
from urllib.request import getproxies_environment, proxy_bypass

import aiohappyeyeballs
import aiohttp
from multidict import CIMultiDict
from yarl import URL

from uploader.errors import NetworkError, ProtocolError, UploaderError
from uploader.http import Request, Response, Timeouts, origin
from uploader.secret import Secret
from uploader.wire import tls
from uploader.wire.contract import StreamedBody
from uploader.wire.payload import PartPayload, drop, reset_on_close
from uploader.wire.watchdog import Reached, Watchdog, unacknowledged

MAX_ANSWER = 1024 * 1024
"""An answer longer than this is not one of ours."""
KEEPALIVE = 30.0
ASIDE = 4096
"""Bytes that TLS may have sent of its own accord since the body, such as a farewell."""


class AiohttpWire:
    """Send requests through two connection pools: one kept alive, one of fresh connections."""

    def __init__(
        self,
        *,
        timeouts: Timeouts,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = "mmap-uploader",
    ) -> None:
        self._timeouts = timeouts
        self._ssl = ssl_context
        self._proxies = getproxies_environment()
        self._user_agent = user_agent
        self._pools: dict[bool, aiohttp.ClientSession] = {}

    async def send(self, request: Request) -> Response:
        body = request.body
        streamed = cast(StreamedBody, body) if hasattr(body, "stream") else None
        failure: NetworkError | ProtocolError | None = None
        answer: Response | None = None
        progress = _Exchange(streamed)
        watchdog = Watchdog(self._timeouts, progress.reached)
        try:
            async with watchdog:
                answer = await self._exchange(request, progress)
        except asyncio.CancelledError:
            progress.abandon()
            raise
        except TimeoutError:
            failure = self._timed_out(request, watchdog.expired, progress)
        except (aiohttp.ClientError, OSError) as error:
            failure = _translate(request, error, progress)
        except ValueError as error:
            failure = ProtocolError(
                f"{request.operation}: the answer from {origin(request.url)} is not HTTP:"
                f" {type(error).__name__}",
                operation=request.operation,
            )
        if failure is not None:
            progress.abandon()
        if streamed is not None:
            await streamed.ended()
            if streamed.error is not None:
                raise _bare(streamed.error)
        # Raised outside of the handlers, so that no library frame hangs on it as context.
        if failure is not None:
            raise failure
        assert answer is not None
        if progress.early is not None and answer.status < 400:
            raise ProtocolError(
                f"{request.operation}: answered {answer.status} after {progress.early:,} of"
                f" {progress.length:,} bytes",
                operation=request.operation,
                status=answer.status,
            )
        return answer

    async def close(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            connector = pool.connector
            await pool.close()
            _part(connector)
        if pools:
            # Two turns let what was dropped give its descriptors back.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def _exchange(self, request: Request, progress: _Exchange) -> Response:
        data: Any = request.content
        if progress.body is not None:
            data = progress.payload = PartPayload(progress.body)
        elif request.body is not None:
            raise TypeError(f"{type(request.body).__name__} cannot be streamed")
        pool = self._pool(fresh=request.fresh)
        answer = await pool.request(
            request.method,
            _url(request.url),
            headers=_headers(request.headers),
            data=data,
            allow_redirects=False,
            ssl=self._tls(request),
            proxy=self._proxy(request),
            trace_request_ctx=progress,
        )
        progress.answered()
        try:
            content = await answer.content.read(MAX_ANSWER + 1)
            while len(content) <= MAX_ANSWER and (more := await answer.content.read(MAX_ANSWER)):
                content += more
        finally:
            if progress.early is not None:
                progress.abandon()
                answer.close()
            else:
                progress.settled()
                answer.release()
            _part(pool.connector)
        if len(content) > MAX_ANSWER:
            raise ValueError("the answer is too long")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, headers, content)

    def _pool(self, *, fresh: bool) -> aiohttp.ClientSession:
        pool = self._pools.get(fresh)
        if pool is None:
            options: dict[str, Any] = (
                {"force_close": True} if fresh else {"keepalive_timeout": KEEPALIVE}
            )
            pool = self._pools[fresh] = aiohttp.ClientSession(
                connector=_Connector(limit=0, **options),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=None, sock_connect=self._timeouts.connect, sock_read=None
                ),
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
                skip_auto_headers=("Content-Type",),
                auto_decompress=False,
                trace_configs=[_tracing()],
            )
        return pool

    def _tls(self, request: Request) -> ssl.SSLContext | bool:
        """Trust the given context, else the system's store or what SSL_CERT_FILE names now."""
        if not origin(request.url).startswith("https"):
            return True
        if self._ssl is None:
            self._ssl = ssl.create_default_context()
        return self._ssl

    def _proxy(self, request: Request) -> str | None:
        """Obey the proxy variables; aiohttp's `trust_env` would send ~/.netrc along."""
        scheme, _, host = origin(request.url).partition("://")
        proxy = self._proxies.get(scheme)
        if proxy is None or proxy_bypass(host):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"

    def _timed_out(self, request: Request, phase: str, progress: _Exchange) -> NetworkError:
        where = origin(request.url)
        limits = {
            "stall": (self._timeouts.stall, "no byte was taken"),
            "response": (self._timeouts.response, "no answer came"),
        }
        seconds, what = limits.get(phase, (self._timeouts.connect, "no connection was made"))
        return NetworkError(
            f"{request.operation}: {what} by {where} for {seconds:g} s",
            operation=request.operation,
            ambiguous=progress.left,
        )


class _Connector(aiohttp.TCPConnector):
    """A connector that knows its transports.

    A TLS connection that aiohttp has closed waits for its peer's farewell, with its descriptor, up
    to half a minute and past the end of the session.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._open = set[asyncio.Transport]()

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[aiohappyeyeballs.AddrInfoType],
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the library's
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **kwargs: Any,
    ) -> Any:
        """Connect over a TLS transport of ours, except to a proxy, whose tunnel needs the loop's.

        Errors are those of the method that is overridden.
        """
        context: Any = kwargs.get("ssl")
        if not tls.fits(context) or client_error is not aiohttp.ClientConnectorError:
            return await super()._wrap_create_connection(
                *args,
                addr_infos=addr_infos,
                req=req,
                timeout=timeout,
                client_error=client_error,
                **kwargs,
            )
        try:
            async with asyncio.timeout(timeout.sock_connect):
                sock = await aiohappyeyeballs.start_connection(
                    addr_infos,
                    local_addr_infos=self._local_addr_infos,
                    happy_eyeballs_delay=self._happy_eyeballs_delay,
                    interleave=self._interleave,
                )
                return await tls.secure(
                    sock, args[0], context=context, server_hostname=kwargs["server_hostname"]
                )
        except ssl.CertificateError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        except TimeoutError as error:
            if error.errno is None:
                raise
            raise client_error(req.connection_key, error) from error
        except OSError as error:
            raise client_error(req.connection_key, error) from error

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **kwargs)
        if connection.transport is not None:
            self._open.add(connection.transport)
        return connection

    def part(self) -> None:
        """Drop every connection that was closed: nothing is to be said on it."""
        closing = {transport for transport in self._open if transport.is_closing()}
        self._open -= closing
        for transport in closing:
            drop(transport)


def _part(connector: aiohttp.BaseConnector | None) -> None:
    if isinstance(connector, _Connector):
        connector.part()


class _Exchange:
    """What is known of one request under way."""

    def __init__(self, body: StreamedBody | None) -> None:
        self.body = body
        self.payload: PartPayload | None = None
        self.connected = False
        self.left = False
        """Whether any byte of the request may have left."""
        self.early: int | None = None
        """The bytes that the peer had when it answered, if these were not all."""

    @property
    def length(self) -> int:
        return len(self.body) if self.body is not None else 0

    def answered(self) -> None:
        """Note how far the body was when the answer came.

        An answer acknowledges what its sender has read: bytes that nobody has acknowledged by then
        were not read, although the kernel took them. A connection that is closed by then proves
        nothing.
        """
        if self.body is None:
            return
        pending = unacknowledged(self._transport)
        if pending is None or pending > ASIDE or not self.body.complete:
            self.early = max(0, self.body.accepted - (pending or 0))

    def abandon(self) -> None:
        """Drop the connection at once; closing it in TLS's way would wait for the body."""
        if self._transport is not None:
            drop(self._transport)

    def settled(self) -> None:
        """Let the connection serve other requests."""
        reset_on_close(self._transport, on=False)

    @property
    def _transport(self) -> asyncio.Transport | None:
        return self.payload.transport if self.payload is not None else None

    def reached(self) -> Reached | None:
        if not self.connected:
            return None
        if self.body is None:
            return Reached(0, all_out=True)
        pending = unacknowledged(self._transport) or 0
        # Acknowledged bytes, headers and TLS records included: only their growth matters.
        waits = not self.body.complete and not self.body.writing and pending == 0
        return Reached(
            self.body.accepted - pending, self.body.complete and pending == 0, ours=waits
        )


def _tracing() -> aiohttp.TraceConfig:
    """Tell each exchange when it has a connection, which is when bytes can leave."""
    config = aiohttp.TraceConfig()

    async def connected(session: Any, context: Any, params: Any) -> None:
        exchange: _Exchange = context.trace_request_ctx
        exchange.connected = exchange.left = True

    config.on_connection_create_end.append(connected)
    config.on_connection_reuseconn.append(connected)
    return config


def _url(url: str | Secret) -> URL:
    # encoded=True: an upload URL is used as it was given; yarl must not re-quote it.
    return URL(url.reveal() if isinstance(url, Secret) else url, encoded=True)


def _headers(headers: Mapping[str, str | Secret]) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value.reveal() if isinstance(value, Secret) else value)
        for name, value in headers.items()
    )


def _bare(error: UploaderError) -> UploaderError:
    """Strip the frames that lead through the library."""
    return error.with_traceback(None)


def _translate(request: Request, error: Exception, progress: _Exchange) -> NetworkError:
    """Say what happened without the library's words: its texts name the URL."""
    where = origin(request.url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        what = f"the name of {where} is not known"
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        what = f"the certificate of {where} is not trusted"
    elif isinstance(error, aiohttp.ClientSSLError):
        what = f"TLS with {where} failed"
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        what = f"no connection to {where} was made in time"
    elif isinstance(error, aiohttp.ClientConnectorError):
        # asyncio puts an address of its own making into strerror.
        number = error.os_error.errno
        what = f"no connection to {where}: {os.strerror(number) if number else 'refused'}"
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        what = f"{where} closed the connection without an answer"
    elif isinstance(error, aiohttp.ClientPayloadError):
        what = f"{where} broke off its answer"
    elif isinstance(error, OSError) and error.errno:
        what = f"the connection to {where} broke: {errno.errorcode.get(error.errno, error.errno)}"
    else:
        what = f"the connection to {where} broke"
    return NetworkError(
        f"{request.operation}: {what}", operation=request.operation, ambiguous=progress.left
    )
