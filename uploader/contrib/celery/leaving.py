"""Tells the shifts in a worker's processes that the worker has to go.

Celery sends `worker_shutting_down` in the worker's main process only. So that one holds the end of
a pipe that every process which it forks can see: a byte in it, or its end, means to go. Nobody
reads the byte, so all see it; and its end comes by itself when the main process is killed.

Rule: nothing is done in a signal handler but one write. A process that was not forked (the start
method `spawn`) sees nothing, and ends its shift in time all the same.
"""

from __future__ import annotations

import importlib
import os
import select
import threading
from contextlib import suppress
from typing import Any, Final

from celery import signals

HEAVY: Final = ("uvloop", "aiofiles", "uploader.engine", "uploader.wire.aiohttp_wire")
"""Imported before the forks: a process that replaces a killed one begins at once."""


class Leaving:
    """A worker's pipe."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._main = os.getpid()
        self._lock = threading.Lock()
        self._event: threading.Event | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def tell(self) -> None:
        """Say so; may be called in a signal handler, in the main process only."""
        if os.getpid() == self._main:
            with suppress(OSError):
                os.write(self._writer, b".")

    def event(self) -> threading.Event:
        """Return what is set in this process once the worker has to go."""
        with self._lock:
            if self._event is None:
                self._event = threading.Event()
                threading.Thread(
                    target=self._listen, args=(self._event,), name="uploader-leaving", daemon=True
                ).start()
            return self._event

    def _listen(self, event: threading.Event) -> None:
        select.select([self._reader], [], [])
        event.set()

    def _after_fork(self) -> None:
        # As long as a child held it, nobody would see the main process's death.
        if self._main != os.getpid() and self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
        self._lock = threading.Lock()
        self._event = None


_worker: Leaving | None = None
_never = threading.Event()


def event() -> threading.Event:
    """Return what tells the tasks of this process that the worker has to go."""
    return _worker.event() if _worker is not None else _never


def connect() -> None:
    """Listen to Celery's signals. Idempotent."""
    signals.worker_init.connect(_begin, dispatch_uid="uploader-leaving")
    signals.worker_shutting_down.connect(_tell, dispatch_uid="uploader-leaving")


def _begin(**_: Any) -> None:
    global _worker  # noqa: PLW0603 - one worker is one process
    _worker = Leaving()
    for name in HEAVY:
        with suppress(ImportError):
            importlib.import_module(name)


def _tell(**_: Any) -> None:
    if _worker is not None:
        _worker.tell()
