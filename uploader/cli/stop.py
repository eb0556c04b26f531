"""Ctrl-C and SIGTERM: the first stops in order within two seconds, the second ends at once.

Rule: a handler only leaves a message; whoever waits for uploads reads it. A signal that the parent
has us ignore (`nohup`) stays ignored.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Final, Protocol, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
LIMIT: Final = 1.7
"""Seconds from the first signal to the end; the promise is two."""
ANSWERS: Final = 1.4
"""Seconds of them in which uploads may find out how they stand."""
SHOW_CURSOR: Final = b"\x1b[?25h"


class _Closable(Protocol):
    def close(self, grace: float) -> None: ...


class Stop:
    """Listen for signals while the context lasts.

    `inbox` gets `None` at the first signal; others may put into it what its reader shall do.
    """

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._asked_at: float | None = None
        self._former: dict[signal.Signals, signal.Handlers] = {}

    @property
    def asked(self) -> bool:
        """Tell whether a signal has come."""
        return self._asked_at is not None

    def left(self, limit: float) -> float:
        """Return the seconds of `limit` that remain since the first signal."""
        return limit if self._asked_at is None else self._asked_at + limit - time.monotonic()

    def __enter__(self) -> Self:
        for number in SIGNALS:
            former = signal.getsignal(number)
            if former is not signal.SIG_IGN:
                self._former[number] = former  # type: ignore[assignment]
                signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            end_at_once()
        self._asked_at = time.monotonic()
        self.inbox.put(None)  # SimpleQueue.put is reentrant: safe in a handler

    def close(self, uploader: _Closable) -> None:
        """Close the uploader; after a signal, only as long as what is left of it."""
        if not self.asked:
            uploader.close(2.0)
            return
        limit = max(0.1, self.left(LIMIT))
        closing = threading.Thread(target=uploader.close, args=(limit,), daemon=True)
        closing.start()
        closing.join(limit)

    def leave(self, code: int) -> int:
        """Return the exit code; after a signal, end with it instead of waiting for threads."""
        if self.asked:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            end_at_once(code)
        return code


def end_at_once(code: int = 130) -> None:
    """End the process without waiting for any thread, with the cursor back on the screen."""
    if sys.stderr.isatty():
        os.write(2, SHOW_CURSOR)
    os._exit(code)
