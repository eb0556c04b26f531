"""One holder at a time over threads and processes, by a lock that the kernel drops with its holder.

Rule: a file for each account, named by a digest: an account's name may hold anything. The file
stays; removing it would give two processes two locks of one name.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from uploader.accounts import rules

try:
    import fcntl
except ImportError:  # Windows: processes are not held apart there
    fcntl = None  # type: ignore[assignment]

_flock: Final = getattr(fcntl, "flock", None)
LOOK_EVERY: Final = 0.02
"""Seconds between two tries: flock(2) knows no time limit."""


@contextmanager
def held(
    folder: Path,
    transport: str,
    account: str,
    *,
    timeout: float,
    pause: Callable[[float], object] | None = None,
) -> Iterator[None]:
    """Hold the lock of an account; raise `TokenStoreError` after `timeout` seconds."""
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(f"{transport}\0{account}".encode(errors="surrogatepass")).hexdigest()
    # Threads exclude each other too: the lock belongs to this opening of the file.
    fd = os.open(folder / name[:32], os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        _wait(fd, account, timeout, pause or threading.Event().wait)
        try:
            yield
        finally:
            # Closing is not enough where a child was forked meanwhile: it holds the same opening.
            _unlock(fd)
    finally:
        os.close(fd)


def _wait(fd: int, account: str, timeout: float, pause: Callable[[float], object]) -> None:
    end = time.monotonic() + timeout
    while not _lock(fd):
        if time.monotonic() >= end:
            raise rules.busy(account, timeout)
        pause(LOOK_EVERY)


def _lock(fd: int) -> bool:
    if _flock is None:
        return True
    try:
        _flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(fd: int) -> None:
    if _flock is not None:
        _flock(fd, fcntl.LOCK_UN)
