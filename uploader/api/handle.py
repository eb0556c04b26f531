"""A hold on an upload that runs on the engine's thread.

Rule: every method may be called from any thread.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Protocol

from uploader.api.thread import waited
from uploader.engine.stopping import StopReason
from uploader.journal import Entry
from uploader.model import Progress, UploadResult


class _HasProgress(Protocol):
    @property
    def progress(self) -> Progress: ...


class UploadHandle:
    """What `submit` and `take_up` return.

    `found` is what the journal had of the upload before this run, `None` for a new one. When that
    had ended already, the result is the recorded one, and nothing is sent.
    """

    def __init__(
        self,
        upload_id: str,
        tally: _HasProgress,
        future: concurrent.futures.Future[UploadResult],
        stop: Callable[[StopReason], None],
        *,
        found: Entry | None = None,
    ) -> None:
        self.upload_id = upload_id
        self.found = found
        self._tally = tally
        self._future = future
        self._stop = stop

    @property
    def progress(self) -> Progress:
        """Return bytes sent, confirmed and done as of now."""
        return self._tally.progress

    def done(self) -> bool:
        """Tell whether the run is over."""
        return self._future.done()

    def cancel(self) -> None:
        """Stop the upload for good; `result` then tells how it stands. Returns at once."""
        self._stop(StopReason.CANCELLED)

    def suspend(self) -> None:
        """Stop the upload so that it can be resumed. Returns at once."""
        self._stop(StopReason.SUSPENDED)

    def hand_over(self) -> None:
        """Stop the upload at the next part's boundary, so that it can be resumed.

        Returns at once. What only waits, or is in the middle of a part, goes on until then.
        """
        self._stop(StopReason.HANDED_OVER)

    def result(self, timeout: float | None = None) -> UploadResult:
        """Wait for the result, at most `timeout` seconds.

        Raises `TimeoutError` when it takes longer (the upload goes on), and what was the caller's
        fault.
        """
        return self._future.result(timeout)

    def wait(self) -> UploadResult:
        """Wait for the result; an exception thrown into the waiting thread suspends the upload."""
        return waited(self._future, self.suspend)

    @property
    def future(self) -> concurrent.futures.Future[UploadResult]:
        """The future behind `result`."""
        return self._future
