"""Serves metrics: on a port of their own, or inside a WSGI or ASGI application.

Rule: prints nothing. In multiprocess mode a scrape of any worker tells the sums of all, and the
readings of the one that is asked.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Metric,
    make_asgi_app,
    make_wsgi_app,
    start_http_server,
)

from uploader.errors import ConfigurationError
from uploader.instruments.counting import metrics_for
from uploader.instruments.readings import readings_for
from uploader.instruments.workers import WorkersCollector, directory

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


def exposed(registry: CollectorRegistry | None = None) -> CollectorRegistry:
    """Return what a scrape is to read: `registry` itself, or the sums over all workers."""
    chosen = REGISTRY if registry is None else registry
    metrics_for(chosen)  # so that what was never counted is told as zero
    readings = readings_for(chosen)
    path = directory()
    if path is None:
        return chosen
    sums = CollectorRegistry()
    sums.register(WorkersCollector(path))
    sums.register(readings)
    return sums


@dataclass(frozen=True, slots=True)
class Served:
    """Metrics that are being served at `port`, until closed or the process ends."""

    port: int
    _server: WSGIServer = field(repr=False)
    _thread: threading.Thread = field(repr=False)

    def close(self) -> None:
        """Stop, and give the port back."""
        self._server.shutdown()
        self._thread.join(1.0)
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(
    port: int, *, address: str = "127.0.0.1", registry: CollectorRegistry | None = None
) -> Served:
    """Serve metrics on a thread of their own; port 0 takes a free one. The result tells which.

    Only this machine is answered unless `address` says otherwise: metrics tell of one's business.
    """
    try:
        server, thread = start_http_server(port, addr=address, registry=exposed(registry))
    except OSError as error:
        raise ConfigurationError(
            f"metrics cannot be served at {address}:{port}: {os.strerror(error.errno or 0)}"
        ).hint("give another port, or 0 for a free one") from None
    return Served(server.server_port, server, thread)


def wsgi_app(registry: CollectorRegistry | None = None) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that answers with the metrics, to be mounted at /metrics."""
    app: Callable[..., Iterable[bytes]] = make_wsgi_app(exposed(registry))
    return app


def asgi_app(registry: CollectorRegistry | None = None) -> AsgiApp:
    """Return an ASGI application that answers with the metrics, to be mounted at /metrics.

    What is read for it, files and the journal, is read on a thread, not on the server's loop.
    """
    told = exposed(registry)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        taken = _Taken(await asyncio.to_thread(lambda: list(told.collect())))
        held = CollectorRegistry(auto_describe=True)
        held.register(taken)
        await make_asgi_app(held)(scope, receive, send)

    return app


class _Taken:
    """What a scrape has read."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
