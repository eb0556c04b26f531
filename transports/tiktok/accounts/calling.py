"""Drives a flow of the login from a thread that may block.

Rule: once. Whether it is tried again is the engine's to decide, or the user's.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from uploader.engine.caller import drive
from uploader.errors import NetworkError, TransportError
from uploader.http import Timeouts
from uploader.transport import Flow

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """How the token endpoints are reached."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    def call(self, flow: Flow[T]) -> T:
        """Drive the flow to its end; raise its `TransportError`, which is never ambiguous.

        Whatever became of the request, it posted nothing.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._run(flow)
        # An event loop of the caller's runs in this thread; only another one can run another.
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(self._run, flow).result()

    def _run(self, flow: Flow[T]) -> T:
        try:
            return asyncio.run(self._once(flow))
        except TransportError as error:
            error.ambiguous = False
            if isinstance(error, NetworkError):
                error.hint("the tokens could not be asked for")
            failure = error.with_traceback(None)
            failure.__context__ = failure.__cause__ = None
        raise failure

    async def _once(self, flow: Flow[T]) -> T:
        from uploader.wire.aiohttp_wire import AiohttpWire

        wire = AiohttpWire(timeouts=self.timeouts, ssl_context=self.ssl_context)
        try:
            return await drive(flow, wire.send)
        finally:
            await wire.close()
