"""A real reverse proxy, in front of a real peer, that breaks what a test tells it to break.

    with FaultyProxy(peer_url) as proxy:
        proxy.script(Fault(method="PUT", path=r"partNumber=2", act=LoseAnswer()))
        ...                                  # upload to proxy.base_url
        assert proxy.exchanges[-1].status == 200

Rule: it runs on a thread and loop of its own, streams in constant memory, and never sleeps for an
effect: what stalls stalls until `release`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeAlias

from uploader.testing.proxy_exchange import Exchange
from uploader.testing.proxy_faults import (
    Act,
    Answer,
    Drop,
    Fault,
    Garble,
    LoseAnswer,
    ResetAfter,
    Script,
    Slow,
    Stall,
    Truncate,
)
from uploader.testing.proxy_forwarding import Forwarder

__all__ = [
    "Act",
    "Answer",
    "Drop",
    "Exchange",
    "Fault",
    "FaultyProxy",
    "Garble",
    "LoseAnswer",
    "ResetAfter",
    "Slow",
    "Stall",
    "Truncate",
]

NameOf: TypeAlias = Callable[[str, str, Mapping[str, str]], str | None]
"""`operation(method, path and query, headers)`: what the request is for, in the author's words."""


class FaultyProxy:
    """Stand between a client and an HTTP peer.

    `peer` is the peer's origin (`http://host:port`); it may be set after `start`, for a peer that
    has to be told `base_url` when it starts. With `ssl_context` it serves TLS and still speaks
    plain HTTP to the peer. The Host header goes through as it came, as signatures want it, unless
    `keep_host` is false. The peer's absolute URLs, in headers and in short texts (JSON, XML), lead
    to the proxy.
    """

    def __init__(
        self,
        peer: str = "",
        *,
        ssl_context: ssl.SSLContext | None = None,
        operation: NameOf | None = None,
        keep_host: bool = True,
        port: int = 0,
    ) -> None:
        self.peer = peer.rstrip("/")
        self.keep_host = keep_host
        self._operation = operation
        self._ssl_context = ssl_context
        self._port = port
        self._script = Script()
        self._exchanges: list[Exchange] = []
        self._changed = threading.Condition()
        self._running: _Running | None = None
        self.stalls = 0
        """How many requests are held."""
        self.failures: list[Exception] = []
        """What went wrong in the proxy itself; the first is raised where its context ends."""

    # -- running ---------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen on the loopback address."""
        if self._running is not None:
            raise RuntimeError(f"the proxy runs already, at {self.base_url}")
        listener = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self._port = listener.getsockname()[1]
        self._running = _Running(self, listener, self._ssl_context)
        return self

    def stop(self) -> None:
        """Reset every connection and end the thread. What was recorded stays readable."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if exc is None and self.failures:
            raise self.failures[0]

    @property
    def base_url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"{'https' if self._ssl_context else 'http'}://127.0.0.1:{self._port}"

    # -- what goes wrong -------------------------------------------------------------------------

    def script(self, *faults: Fault) -> None:
        """Let these happen to the requests that come from now on; each request meets one."""
        self._script.add(*faults)

    def clear(self) -> None:
        """Forget the faults that have not happened, and what was recorded."""
        self._script.clear()
        self._exchanges = []

    @property
    def pending(self) -> list[Fault]:
        """The faults that have not happened as often as they should."""
        return self._script.pending

    def release(self) -> None:
        """Let everything go on that is held now."""
        if self._running is not None:
            self._running.release()

    # -- what happened ---------------------------------------------------------------------------

    @property
    def exchanges(self) -> list[Exchange]:
        """Every request in order of arrival."""
        return list(self._exchanges)

    def seen(self, operation: str) -> list[Exchange]:
        """Return the requests that were for one operation."""
        return [each for each in self._exchanges if each.operation == operation]

    def wait_for(self, happened: Callable[[], object], timeout: float = 10.0) -> None:
        """Wait until `happened()` is true of what the proxy has seen; else raise TimeoutError."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not happened():
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError(f"did not happen within {timeout} s")
                self._changed.wait(min(left, 0.05))

    # -- for the forwarder -----------------------------------------------------------------------

    def opened(self, exchange: Exchange, headers: Mapping[str, str]) -> Act | None:
        """Record a request, and say what is to become of it."""
        if self._operation is not None:
            target = exchange.target.reveal()
            exchange.operation = self._operation(exchange.method, target, headers)
        exchange.number = len(self._exchanges) + 1
        self._exchanges.append(exchange)
        act = self._script.take(exchange)
        exchange.act = act
        self.moved()
        return act

    def moved(self, stalls: int = 0) -> None:
        """Wake those who wait for something to happen."""
        with self._changed:
            self.stalls += stalls
            self._changed.notify_all()


class _Running:
    """The proxy's thread, from listening to stopped."""

    def __init__(
        self, proxy: FaultyProxy, listener: socket.socket, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._proxy = proxy
        self._listener = listener
        self._ssl_context = ssl_context
        self._ready: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._forwarder: Forwarder | None = None
        self._thread = threading.Thread(target=self._run, name="faulty-proxy", daemon=True)
        self._thread.start()
        self._ready.result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def release(self) -> None:
        if self._forwarder is not None:
            self._loop.call_soon_threadsafe(self._forwarder.release)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as exc:
            if self._ready.done():
                raise
            self._ready.set_exception(exc)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with Forwarder(self._proxy) as self._forwarder:
            server = self._forwarder.server
            listening = await self._loop.create_server(
                server, sock=self._listener, ssl=self._ssl_context
            )
            self._ready.set_result(None)
            await self._stop.wait()
            listening.close()
            for connection in server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
