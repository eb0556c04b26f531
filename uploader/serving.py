"""An aiohttp server on a thread and loop of its own, for stand-ins that synchronous code holds.

Rule: stand-alone (aiohttp and the standard library only), so that a sandbox loads nothing else of
the uploader. It stops in a moment, whatever its clients are doing: every connection is reset.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from aiohttp import web

Opened: TypeAlias = "Callable[[], AbstractAsyncContextManager[web.Server]]"
"""Called on the server's own loop; what it lends is left after the last request has ended."""
Complaint: TypeAlias = Callable[[dict[str, Any]], object]
"""Told what asyncio tells an exception handler."""

GRACE: Final = 0.15
"""Seconds that a cancelled request has to end."""
BACKLOG: Final = 1024


def swift_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop, or asyncio's own where that is not installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class ServerThread:
    """Run what `opened` lends, as often as it is started.

    `noun` names it in errors and as a thread. `port` 0 picks a free one and keeps it.
    """

    def __init__(
        self,
        opened: Opened,
        *,
        noun: str,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        loop: Callable[[], asyncio.AbstractEventLoop] = swift_loop,
        complain: Complaint = lambda context: None,
    ) -> None:
        self._opened = opened
        self._noun = noun
        self._host = host
        self._port = port
        self._ssl_context = ssl_context
        self._new_loop = loop
        self._complain = complain
        self._run: _Run | None = None
        self._stopped = threading.Event()

    @property
    def is_running(self) -> bool:
        return self._run is not None

    @property
    def base_url(self) -> str:
        """Where it listens, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl_context else 'http'}://{host}:{self._port}"

    def start(self) -> None:
        """Listen. Raise `OSError` if the address cannot be had, RuntimeError if it runs already."""
        if self._run is not None:
            raise RuntimeError(f"the {self._noun} runs already, at {self.base_url}")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family, backlog=BACKLOG)
        self._port = listener.getsockname()[1]
        self._stopped.clear()
        run = _Run(self._opened, listener, self._ssl_context, self._new_loop(), self._complain)
        run.start(self._noun)
        self._run = run

    def stop(self) -> None:
        """Reset every connection and end the thread."""
        if self._run is not None:
            self._run.stop()
            self._run = None
        self._stopped.set()

    def serve_forever(self) -> None:
        """Serve until `stop` is called elsewhere or KeyboardInterrupt arrives."""
        if self._run is None:
            self.start()
        try:
            self._stopped.wait()
        finally:
            self.stop()

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Call on the server's loop, while it runs."""
        if self._run is not None:
            self._run.loop.call_soon_threadsafe(callback)


class _Run:
    """A server from listening to stopped."""

    def __init__(
        self,
        opened: Opened,
        listener: socket.socket,
        ssl_context: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
        complain: Complaint,
    ) -> None:
        self._opened = opened
        self._listener = listener
        self._ssl_context = ssl_context
        self._complain = complain
        self._ready: Future[None] = Future()
        self._over = asyncio.Event()
        self.loop = loop

    def start(self, noun: str) -> None:
        self._thread = threading.Thread(target=self._main, name=noun.replace(" ", "-"), daemon=True)
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._thread.join()
            self._listener.close()
            raise

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _main(self) -> None:
        try:
            self.loop.run_until_complete(self._serve())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            self.loop.close()

    async def _serve(self) -> None:
        self.loop.set_exception_handler(lambda loop, context: self._complain(context))
        async with self._opened() as server:
            listening = await self.loop.create_server(
                server, sock=self._listener, ssl=self._ssl_context
            )
            self._ready.set_result(None)
            await self._over.wait()
            listening.close()
            for connection in server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=GRACE)
