"""Lets no server outlive the tests that started it, however these end."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from typing import Final

_SET: Final = 1  # PR_SET_PDEATHSIG, prctl(2)
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def ended_with_us(number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """Return a `preexec_fn`: the process gets a signal when the thread that starts it has ended.

    Linux alone; elsewhere only an orderly end ends it.
    """

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_SET, int(number))

    return prepare
