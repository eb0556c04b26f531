"""The one uploader of a process, made when its first task needs it.

Rule: after the fork, never before: a worker's main process opens no journal and starts no thread.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import Any, Final

from celery import current_app, signals

from uploader.api import Uploader
from uploader.contrib.celery.settings import settings_of
from uploader.contrib.surroundings import uploader_of_environment
from uploader.instruments.workers import worker_gone

DJANGO: Final = "uploader.contrib.django"
_CLOSING: Final = 2.0
_lock = threading.Lock()
_mine: dict[int, Uploader] = {}
"""By process id: what a child finds under another one is its parent's, and left alone."""


def current_uploader() -> Uploader:
    """Return the uploader of this process, in a task or wherever the application is current."""
    make = settings_of(current_app).uploader
    if make is None and _django_has_one():
        found: Uploader = importlib.import_module(DJANGO).get_uploader()
        return found
    with _lock:
        mine = _mine.get(os.getpid())
        if mine is None:
            mine = _mine[os.getpid()] = (make or uploader_of_environment)()
        return mine


def connect() -> None:
    """Listen to Celery's signals. Idempotent."""
    signals.worker_process_shutdown.connect(_leave, dispatch_uid="uploader-process")
    signals.worker_shutdown.connect(_leave, dispatch_uid="uploader-process")


def _django_has_one() -> bool:
    registry = sys.modules.get("django.apps")
    return registry is not None and registry.apps.ready and registry.apps.is_installed(DJANGO)


def _leave(pid: int | None = None, **_: Any) -> None:
    mine = _mine.pop(os.getpid(), None)
    if mine is not None:
        mine.close(_CLOSING)
    if _django_has_one():  # a worker's processes end without a word to whoever waits for an exit
        importlib.import_module(DJANGO).close()
    worker_gone(pid)


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may hold it for ever
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
