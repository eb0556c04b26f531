"""How an upload stands when a run of it ends, and what the journal keeps of it.

Rule: pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from uploader.errors import OutcomeUnknownError, RateLimitedError, UploaderError
from uploader.journal import State
from uploader.model import Outcome, Processing


@dataclass(frozen=True, slots=True)
class Standing:
    """An outcome with what is known about it."""

    outcome: Outcome
    location: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    error: UploaderError | None = None

    @property
    def state(self) -> State | None:
        """What the journal records; `None` leaves the upload where it is, to be resumed."""
        return None if self.outcome is Outcome.SUSPENDED else State(str(self.outcome))


def ended(processing: Processing, fields: Mapping[str, Any]) -> Standing:
    """Return how an upload stands whose server has come to an end."""
    merged = {**fields, **processing.fields}
    if processing.completion is not None:
        return Standing(Outcome.DONE, processing.completion.location, merged)
    if processing.error is None:
        return Standing(Outcome.PROCESSING, fields=merged)
    return Standing(Outcome.FAILED, fields=merged, error=processing.error)


def failed(error: UploaderError, *, in_doubt: bool) -> Standing:
    """Return how an upload stands after `error`.

    As long as the irreversible request may have been acted on, nobody knows, whatever went wrong
    after it: a failed upload may be started anew. Else what may be tried again later is SUSPENDED.
    """
    if in_doubt or isinstance(error, OutcomeUnknownError):
        return Standing(Outcome.UNKNOWN, error=error)
    if error.suspends or (isinstance(error, RateLimitedError) and error.retry_after is not None):
        return Standing(Outcome.SUSPENDED, error=error)
    return Standing(Outcome.FAILED, error=error)
