"""The one uploader of a process, made when its first task needs it.

Rule: after the fork, never before: a worker's main process opens no journal and starts no thread.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from celery import current_app, signals

from uploader.api import Uploader
from uploader.contrib.celery.settings import settings_of
from uploader.contrib.surroundings import uploader_of_environment
from uploader.errors import ConfigurationError
from uploader.instruments.workers import worker_gone

_CLOSING: Final = 2.0
_lock = threading.Lock()
_mine: dict[int, Uploader] = {}
"""By process id: what a child finds under another one is its parent's, and left alone."""


def current_uploader() -> Uploader:
    """Return the uploader of this process, in a task or wherever the application is current."""
    with _lock:
        found = _mine.get(os.getpid())
        if found is None:
            make = settings_of(current_app).uploader or _found()
            found = _mine[os.getpid()] = make()
        return found


def connect() -> None:
    """Listen to Celery's signals. Idempotent."""
    signals.worker_process_shutdown.connect(_leave, dispatch_uid="uploader-process")
    signals.worker_shutdown.connect(_leave, dispatch_uid="uploader-process")


def _found() -> Callable[[], Uploader]:
    if _django_is_configured():
        made: Callable[[], Uploader] = importlib.import_module(
            "uploader.contrib.django"
        ).get_uploader
        return made
    return uploader_of_environment


def _django_is_configured() -> bool:
    conf = sys.modules.get("django.conf")
    if conf is None or not conf.settings.configured:
        return False
    if not hasattr(conf.settings, "UPLOADER"):
        raise ConfigurationError("Django's settings have no UPLOADER").hint(
            "add it, or say install(app, uploader=…)"
        )
    return True


def _leave(pid: int | None = None, **_: Any) -> None:
    mine = _mine.pop(os.getpid(), None)
    if mine is not None:
        mine.close(_CLOSING)
    worker_gone(pid)


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may hold it for ever
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
