"""Tells of one upload what the other rooms report, as events.

Rule: no decision is taken here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uploader import events
from uploader.engine.progress import Tally
from uploader.errors import RetriesExhaustedError, TransportError
from uploader.model import Outcome, Part, Processing, UploadResult


class Teller:
    """Emit the events of one upload."""

    def __init__(
        self,
        upload_id: str,
        transport: str,
        emit: Callable[[events.Event], None],
        tally: Tally,
        windows: Callable[[], int],
    ) -> None:
        self._upload_id = upload_id
        self._transport = transport
        self._emit = emit
        self._tally = tally
        self._windows = windows
        self._state = ""
        self.only_ends = False
        """Whether a server's state is told only when it is its last."""
        tally.tell = self._sent

    def tell(self, kind: type[events.Event], **facts: Any) -> None:
        self._emit(kind(upload_id=self._upload_id, transport=self._transport, **facts))

    def request_finished(self, operation: str, outcome: str, seconds: float) -> None:
        self.tell(events.RequestFinished, operation=operation, outcome=outcome, seconds=seconds)

    def retry_scheduled(self, operation: str, attempt: int, wait: float, error: str) -> None:
        self._tally.retries += 1
        self.tell(
            events.RetryScheduled, operation=operation, attempt=attempt, wait=wait, error=error
        )

    def part_started(self, part: Part, attempt: int) -> None:
        self.tell(
            events.PartStarted,
            part=part.index,
            start=part.start,
            length=part.length,
            attempt=attempt,
        )

    def part_confirmed(self, part: Part, seconds: float) -> None:
        self.tell(
            events.PartConfirmed,
            part=part.index,
            length=part.length,
            seconds=seconds,
            confirmed=self._tally.confirmed,
        )

    def part_failed(self, part: Part, attempt: int, seconds: float, error: TransportError) -> None:
        self.tell(
            events.PartFailed,
            part=part.index,
            attempt=attempt,
            seconds=seconds,
            error=error.code,
            message=error.message,
        )

    def resynced(self, part: int, offset: int | None) -> None:
        self.tell(events.Resynced, part=part, offset=offset)

    def held_back(self, **facts: Any) -> None:
        self.tell(events.LimitReached, **facts)

    def waited(self, operation: str, seconds: float) -> None:
        self.tell(events.LimitWaited, operation=operation, seconds=seconds)

    def fell_back(self, reason: str) -> None:
        self.tell(events.SourceFallback, reason=reason)

    def processing(self, processing: Processing, seconds: float) -> None:
        """Tell of a state of the server's that is not the one told last."""
        news = processing.is_terminal or not self.only_ends
        if news and processing.state != self._state:
            self._state = processing.state
            self.tell(
                events.ProcessingChanged,
                state=processing.state,
                terminal=processing.is_terminal,
                seconds=seconds,
            )

    def ended(self, result: UploadResult) -> None:
        """Tell how the run ended."""
        common: dict[str, Any] = {
            "outcome": result.outcome,
            "seconds": result.duration,
            "bytes_sent": result.bytes_sent,
            "retries": result.retries,
        }
        error = result.error
        message = error.message if error is not None else ""
        match result.outcome:
            case Outcome.DONE | Outcome.PROCESSING:
                self.tell(
                    events.UploadCompleted, size=result.size, location=result.location, **common
                )
            case Outcome.CANCELLED:
                self.tell(events.UploadCancelled, **common)
            case Outcome.SUSPENDED:
                self.tell(events.UploadSuspended, reason=message, **common)
            case Outcome.UNKNOWN:
                self.tell(events.OutcomeUnknown, error=result.code, message=message, **common)
            case Outcome.FAILED:
                detail = error.last if isinstance(error, RetriesExhaustedError) else error
                self.tell(
                    events.UploadFailed,
                    error=result.code,
                    message=message,
                    operation=getattr(detail, "operation", None),
                    status=getattr(detail, "status", None),
                    vendor_code=getattr(detail, "vendor_code", None),
                    request_id=getattr(detail, "request_id", None),
                    **common,
                )

    def crashed(self, fault: Exception, seconds: float) -> None:
        """Tell of a fault of our own."""
        self.tell(
            events.UploadFailed,
            outcome=Outcome.FAILED,
            seconds=seconds,
            bytes_sent=self._tally.bytes_sent,
            retries=self._tally.retries,
            error="internal",
            message=type(fault).__name__,
        )

    def _sent(self, count: int) -> None:
        self.tell(events.BytesSent, count=count, windows=self._windows())
