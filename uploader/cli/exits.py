"""Exit codes: what the shell is told.

Rule: bad input is found before anything is sent, so 2 never mixes with what uploads came to.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from uploader.errors import (
    ConfigurationError,
    JournalError,
    LeaseHeldError,
    SourceError,
    UploaderError,
)
from uploader.model import Outcome, UploadResult


class Exit(IntEnum):
    """The exit codes of the command."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    UNKNOWN = 3
    """It may be posted: look before sending it again."""
    NOT_FINISHED = 4
    """Processing, suspended or driven by another run; `--no-wait` ends so."""
    INTERRUPTED = 130


WORST_FIRST = (Exit.INTERRUPTED, Exit.UNKNOWN, Exit.FAILED, Exit.NOT_FINISHED, Exit.DONE)

_OF_OUTCOME = {
    Outcome.DONE: Exit.DONE,
    Outcome.PROCESSING: Exit.NOT_FINISHED,
    Outcome.SUSPENDED: Exit.NOT_FINISHED,
    Outcome.FAILED: Exit.FAILED,
    Outcome.UNKNOWN: Exit.UNKNOWN,
    # A signal has its own exit code; this one was due too long ago, or came to nothing.
    Outcome.CANCELLED: Exit.FAILED,
}


class BadInput(Exception):
    """What was asked for cannot be; nothing was sent. Each error has the file that it is about."""

    def __init__(self, errors: list[tuple[str | None, UploaderError]]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = errors


def exit_of(results: Iterable[UploadResult]) -> Exit:
    """Return the most serious exit code among the results."""
    codes = {_OF_OUTCOME[result.outcome] for result in results}
    return next((code for code in WORST_FIRST if code in codes), Exit.DONE)


def exit_of_error(error: UploaderError) -> Exit:
    """Return the exit code of an error that came before any upload began."""
    if isinstance(error, LeaseHeldError):
        return Exit.NOT_FINISHED
    caller = isinstance(error, ConfigurationError | SourceError | JournalError)
    return Exit.BAD_INPUT if caller else Exit.FAILED
