"""What is said of errors: the fact, and what to do next, on one line.

Rule: an error's own hints win; the advice here is for errors that brought none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from uploader import errors
from uploader.model import Outcome, UploadResult

_ADVICE: tuple[tuple[type[errors.UploaderError], str], ...] = (
    (errors.AuthenticationError, "put a valid access token into {variable} or --token-file"),
    (errors.OutcomeUnknownError, "it may be posted: look at the account before sending it again"),
    (errors.SourceChangedError, "upload a file only when nothing writes to it any more"),
    (errors.SourceError, "give the path of a readable video file"),
    (errors.PlanError, "make the file smaller, or choose another --chunk-size"),
    (errors.SessionExpiredError, "run the command again: a new upload gets a new address"),
    (errors.RateLimitedError, "wait a minute, then run the command again"),
    (errors.NetworkError, "check the network and --base-url, then run the command again"),
    (errors.ServerError, "the destination is in trouble: run the command again later"),
)

FATES = {
    Outcome.DONE: "was posted before the stop",
    Outcome.PROCESSING: "every byte had arrived, the destination goes on by itself",
    Outcome.CANCELLED: "cancelled, nothing was posted",
    Outcome.SUSPENDED: "suspended, nothing was posted yet",
    Outcome.FAILED: "failed, nothing was posted",
    Outcome.UNKNOWN: "it may be posted: look at the account before sending it again",
}
"""What became of an upload that was interrupted."""


def line(error: errors.UploaderError, *, file: str | None = None, variable: str = "") -> str:
    """Return the one line that tells of an error. `variable` is the token's, for the advice."""
    name = Path(file).name if file else ""
    said = error.message if not name or name in error.message else f"{name}: {error.message}"
    hints = error.hints or _advice(error, variable)
    if isinstance(error, errors.AuthenticationError) and error.hints:
        hints = [*error.hints, *_advice(error, variable)]
    return f"{said} ({'; '.join(hints)})" if hints else said


def fate(name: str, result: UploadResult) -> str:
    """Return the one line that tells what an interrupt did to an upload."""
    known = reference(result)
    return f"{name}: {FATES[result.outcome]}" + (f" ({known})" if known else "")


def goes_on(name: str, result: UploadResult) -> str:
    """Return the one line that tells of an upload that the destination still works on."""
    known = reference(result)
    said = f"{name}: every byte is confirmed, the destination still works on it"
    return said + (f" ({known})" if known else "")


def reference(result: UploadResult) -> str:
    """Return what a person finds the upload by: its address, or the destination's own id."""
    if result.location:
        return result.location
    ids = (value for name, value in result.fields.items() if name.endswith("_id") and value)
    return str(next(ids, ""))


def as_dict(error: errors.UploaderError, file: str | None) -> dict[str, Any]:
    """Return an error as JSON-able facts, with the file that it is about."""
    return {"file": file, **error.to_dict()}


def _advice(error: errors.UploaderError, variable: str) -> list[str]:
    if isinstance(error, errors.RetriesExhaustedError):
        return list(error.last.hints) or _advice(error.last, variable)
    for kind, text in _ADVICE:
        if isinstance(error, kind):
            return [text.format(variable=variable or "the token's variable")]
    return []
