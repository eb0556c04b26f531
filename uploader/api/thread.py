"""The engine's own thread and loop.

Rule: starts on first use, ends with `close` (or when nobody holds it any more, or with the
interpreter), and starts afresh in a forked child, which abandons what it inherited: closing it, or
letting it be collected, would close the parent's sockets too.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import ctypes
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from uploader.engine import Engine
from uploader.errors import ConfigurationError, UploaderError

T = TypeVar("T")
CLOSED: Final = "the uploader is closed"
WAS_CLOSED: Final = "the uploader was closed"
UNASKED_GRACE: Final = 1.0
"""Seconds for runs to record where they stand when nobody called `close`."""
_threads: weakref.WeakSet[EngineThread] = weakref.WeakSet()
_dropped: deque[threading.Thread] = deque(maxlen=8)
"""Threads that end by themselves; the interpreter waits for the last of them."""


class EngineThread:
    """Run an engine, made by `make` on the loop, on a thread of its own."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._abandon()
        _threads.add(self)

    def _abandon(self) -> None:
        """Stand at the beginning: at birth, and in a forked child."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._finalizer: weakref.finalize[..., EngineThread] | None = None
        self._pending: set[concurrent.futures.Future[Any]] = set()
        self._closed = False

    def _inherit(self) -> None:
        """Start anew in a forked child; what is the parent's is never touched nor collected."""
        if self._finalizer is not None:
            self._finalizer.detach()
        for thing in (self._loop, self._engine, self._pending):
            # Not in a list: the interpreter empties modules when it ends.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
        self._abandon()

    def start(
        self, work: Callable[[Engine], Awaitable[T]]
    ) -> tuple[concurrent.futures.Future[T], Callable[[], None]]:
        """Run `work` on the engine's loop; return its future, and a way to cancel it."""
        loop, engine = self._running()
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        box: list[asyncio.Task[None]] = []

        async def carry() -> None:
            # `close` may have answered already for work that did not end in its grace.
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                try:
                    value = await work(engine)
                except asyncio.CancelledError:
                    future.set_exception(UploaderError(WAS_CLOSED))
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(value)

        def begin() -> None:
            box.append(engine.track(loop.create_task(carry())))

        def cancel() -> None:
            def stop() -> None:
                # After the task's first step: one that has not begun would end without a word.
                loop.call_soon(box[0].cancel)

            self._tell(loop, stop)

        if not self._tell(loop, begin):
            raise UploaderError(CLOSED)
        return future, cancel

    def post(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the engine's loop, if it runs."""
        loop = self._loop
        if loop is not None:
            self._tell(loop, callback)

    def call_soon(self, call: Callable[[Engine], object]) -> None:
        """Call `call` with the engine on its loop, if it runs."""

        def on_loop() -> None:
            if self._engine is not None:
                call(self._engine)

        self.post(on_loop)

    def start_now(self) -> None:
        """Start the thread if it does not run."""
        self._running()

    def call(self, work: Callable[[Engine], Awaitable[T]]) -> T:
        """Run `work` and wait for it."""
        future, cancel = self.start(work)
        return waited(future, cancel)

    def close(self, grace: float) -> None:
        """Stop the engine and its thread. Idempotent."""
        with self._lock:
            loop, engine, thread = self._loop, self._engine, self._thread
            self._loop = self._engine = self._thread = None
            self._closed = True
            if self._finalizer is not None:
                self._finalizer.detach()
        if loop is None or engine is None or thread is None:
            return
        _leave(loop, engine, grace)
        thread.join(grace + 5.0)
        _give_up(self._pending)

    def _running(self) -> tuple[asyncio.AbstractEventLoop, Engine]:
        with self._lock:
            if self._closed:
                raise UploaderError(CLOSED)
            if self._loop is None or self._engine is None:
                refuse_green_threads()
                self._loop = new_event_loop()
                self._thread = threading.Thread(
                    target=_run_loop,
                    args=(self._loop, self._pending),
                    name="uploader-engine",
                    daemon=True,
                )
                self._thread.start()
                self._engine = self._made(self._loop)
                self._finalizer = weakref.finalize(
                    self, _drop, self._loop, self._engine, self._thread
                )
                self._finalizer.atexit = False  # `_at_exit` waits for the thread too
            return self._loop, self._engine

    def _made(self, loop: asyncio.AbstractEventLoop) -> Engine:
        """Make the engine on its loop, which ends when that fails: the next use begins anew."""
        making = asyncio.run_coroutine_threadsafe(self._build(), loop)
        self._pending.add(making)
        making.add_done_callback(self._pending.discard)
        try:
            return making.result()
        except BaseException:
            self._tell(loop, loop.stop)
            self._loop = self._thread = None
            raise

    async def _build(self) -> Engine:
        return self._make()

    @staticmethod
    def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> bool:
        """Run a callback on the loop; tell whether there still is one."""
        try:
            loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return False
        return True


def _leave(loop: asyncio.AbstractEventLoop, engine: Engine, grace: float) -> None:
    """Close the engine and stop its loop, without waiting for it."""

    async def leave() -> None:
        # What was started a moment ago must have begun, or it would be cancelled without a word.
        await asyncio.sleep(0)
        try:
            await engine.close(grace)
        finally:
            loop.stop()

    leaving = leave()
    try:
        asyncio.run_coroutine_threadsafe(leaving, loop)
    except RuntimeError:  # the loop is closed already
        leaving.close()


def _drop(loop: asyncio.AbstractEventLoop, engine: Engine, thread: threading.Thread) -> None:
    """Stop an engine that nobody holds any more; whoever collects garbage must not wait."""
    _leave(loop, engine, UNASKED_GRACE)
    _dropped.append(thread)


def waited(future: concurrent.futures.Future[T], cancel: Callable[[], None]) -> T:
    """Wait for a future; an exception thrown into the waiting thread stops the work first."""
    try:
        return future.result()
    except BaseException:
        if not future.done():
            cancel()
            concurrent.futures.wait([future], timeout=2.0)
        raise


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop loop, or asyncio's where there is none (Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def refuse_green_threads() -> None:
    """Refuse gevent and eventlet: their patched threads would never run our loop."""
    for name in ("gevent", "eventlet"):
        if name not in sys.modules:
            continue
        patcher = sys.modules.get("gevent.monkey" if name == "gevent" else "eventlet.patcher")
        check = getattr(patcher, "is_module_patched", None) or getattr(
            patcher, "is_monkey_patched", None
        )
        if check is not None and (check("threading") or check("thread")):
            raise ConfigurationError(
                f"{name} has patched the threads of this process, and the uploader needs real ones"
            ).hint("use a prefork or thread worker for uploads (celery -P prefork or threads)")


def _run_loop(
    loop: asyncio.AbstractEventLoop, pending: set[concurrent.futures.Future[Any]]
) -> None:
    """Run a loop to its end; whoever waits for something on it by then is told."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
        _give_up(pending)


def _give_up(pending: set[concurrent.futures.Future[Any]]) -> None:
    for future in list(pending):
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            future.set_exception(UploaderError(WAS_CLOSED))


def _after_fork() -> None:
    _dropped.clear()
    for thread in list(_threads):
        thread._inherit()


def _at_exit() -> None:
    for running in list(_threads):
        running.close(UNASKED_GRACE)
    for thread in _dropped:
        thread.join(2 * UNASKED_GRACE)


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
