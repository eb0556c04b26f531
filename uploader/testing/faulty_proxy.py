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
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from uploader.serving import ServerThread
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

if TYPE_CHECKING:
    from aiohttp import web

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
        self._script = Script()
        self._exchanges: list[Exchange] = []
        self._changed = threading.Condition()
        self._forwarder: Forwarder | None = None
        self._server = ServerThread(
            self._opened,
            noun="faulty proxy",
            port=port,
            ssl_context=ssl_context,
            loop=asyncio.new_event_loop,
        )
        self.stalls = 0
        """How many requests are held."""
        self.failures: list[Exception] = []
        """What went wrong in the proxy itself; the first is raised where its context ends."""

    # -- running ---------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen on the loopback address."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Reset every connection and end the thread. What was recorded stays readable."""
        self._server.stop()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[web.Server]:
        async with Forwarder(self) as self._forwarder:
            yield self._forwarder.server

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
        return self._server.base_url

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
        if self._forwarder is not None:
            self._server.call_soon(self._forwarder.release)

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
