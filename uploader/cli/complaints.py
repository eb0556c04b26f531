"""What is said of errors: the fact, and what to do next, on one line.

Rule: an error's own hints win; the advice here is for errors that brought none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploader import errors
from uploader.cli.journals import Place
from uploader.cli.times import show_moment
from uploader.journal import Entry, State
from uploader.model import Outcome, UploadResult

if TYPE_CHECKING:
    from uploader.cli.drive import End

_ADVICE: tuple[tuple[type[errors.UploaderError], str], ...] = (
    (errors.AuthenticationError, "put a valid access token into {variable} or --token-file"),
    (errors.OutcomeUnknownError, "it may be posted: look at the account before sending it again"),
    (errors.SourceChangedError, "upload a file only when nothing writes to it any more"),
    (errors.SourceError, "give the path of a readable video file"),
    (errors.PlanError, "make the file smaller, or choose another --chunk-size"),
    (errors.SessionExpiredError, "run the command again: a new upload gets a new address"),
    (errors.RateLimitedError, "wait a minute, then run the command again"),
    (errors.LeaseHeldError, "it goes on there"),
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


def tell(end: End, where: Place, *, interrupted: bool, variable: str) -> tuple[str, bool]:
    """Return the line that tells of an end, and whether it is an error; "" when none is needed."""
    name, result = end.job.name, end.result
    if end.recorded and result.outcome is Outcome.DONE:
        return already(name, result, end.found), False
    if interrupted:
        return fate(name, result, where), False
    match result.outcome:
        case Outcome.DONE:
            return "", False
        case Outcome.PROCESSING:
            said = f"{name}: every byte is confirmed, the destination still works on it"
            return said + _steps(result, where, [reference(result)]), False
        case Outcome.SUSPENDED if not _is_failure(result.error):
            why = result.error.message if result.error is not None else "nothing is posted yet"
            return f"{name}: suspended: {why}" + _steps(result, where), False
        case Outcome.SUSPENDED | Outcome.UNKNOWN if result.error is not None:
            more = _next(result, where)
            return line(result.error, file=end.job.file, variable=variable, more=more), True
    if result.error is None:
        return f"{name}: {FATES[result.outcome]}", True
    more = ["publish it again to start anew"] if end.recorded else []
    return line(result.error, file=end.job.file, variable=variable, more=more), True


def line(
    error: errors.UploaderError,
    *,
    file: str | None = None,
    variable: str = "",
    more: Sequence[str] = (),
) -> str:
    """Return the one line that tells of an error. `variable` is the token's, for the advice."""
    name = Path(file).name if file else ""
    said = error.message if not name or name in error.message else f"{name}: {error.message}"
    hints = error.hints or _advice(error, variable)
    if isinstance(error, errors.AuthenticationError) and error.hints:
        hints = [*error.hints, *_advice(error, variable)]
    hints = [*hints, *more]
    return f"{said} ({'; '.join(hints)})" if hints else said


def fate(name: str, result: UploadResult, where: Place) -> str:
    """Return the one line that tells what an interrupt did to an upload."""
    return f"{name}: {FATES[result.outcome]}" + _steps(result, where, [reference(result)])


def already(name: str, result: UploadResult, found: Entry | None) -> str:
    """Return the one line that tells of an upload that was done before."""
    when = f" on {show_moment(found.updated)}" if found is not None else ""
    post = reference(result)
    return f"{name}: already posted{f' as {post}' if post else ''}{when}; use --again to post anew"


def goes_on(name: str, found: Entry) -> str:
    """Return the one line that tells where an upload goes on that was begun before."""
    total, count = found.plan.size, found.plan.count
    match found.state:
        case State.PROCESSING:
            where = "every byte was confirmed already, the destination is asked how it stands"
        case State.SENDING if found.confirmed:
            done = min(total, found.confirmed * found.plan.part_size)
            where = (
                f"{found.confirmed} of {count} parts were confirmed, {done:,} of {total:,} bytes"
            )
        case State.COMMITTING | State.UNKNOWN:
            where = "it may have arrived, so the destination is asked first"
        case _:
            where = "no part was confirmed yet"
    return f"{name}: goes on with the upload {found.upload_id}: {where}"


def same(name: str, other: str) -> str:
    """Return the one line that tells of a file that is another one's copy."""
    return f"{name}: is the same upload as {other}, it is sent once"


def reference(result: UploadResult) -> str:
    """Return what a person finds the upload by: its address, or the destination's own id."""
    if result.location:
        return result.location
    ids = (value for name, value in result.fields.items() if name.endswith("_id") and value)
    return str(next(ids, ""))


def as_dict(error: errors.UploaderError, file: str | None) -> dict[str, Any]:
    """Return an error as JSON-able facts, with the file that it is about."""
    return {"file": file, **error.to_dict()}


def _is_failure(error: errors.UploaderError | None) -> bool:
    return error is not None and not isinstance(error, errors.UploadCancelledError)


def _steps(result: UploadResult, where: Place, first: Sequence[str] = ()) -> str:
    known = [each for each in (*first, *_next(result, where)) if each]
    return f" ({'; '.join(known)})" if known else ""


def _next(result: UploadResult, where: Place) -> list[str]:
    """Return what to do with an upload that has not ended; nothing where nothing remembers it."""
    if where.journal is None or not result.upload_id:
        return []
    match result.outcome:
        case Outcome.SUSPENDED if isinstance(result.error, errors.LeaseHeldError):
            return []
        case Outcome.SUSPENDED:
            return [f"go on with: {where.command('resume', result.upload_id)}"]
        case Outcome.PROCESSING:
            return [f"watch it with: {where.command('resume', result.upload_id)}"]
        case Outcome.UNKNOWN:
            return [f"what now: {where.command('show', result.upload_id)}"]
    return []


def _advice(error: errors.UploaderError, variable: str) -> list[str]:
    if isinstance(error, errors.RetriesExhaustedError):
        return list(error.last.hints) or _advice(error.last, variable)
    if isinstance(error, errors.AuthenticationError) and not variable:
        return ["check the credentials that it is signed with, or give --token-file"]
    for kind, text in _ADVICE:
        if isinstance(error, kind):
            return [text.format(variable=variable or "the token's variable")]
    return []
