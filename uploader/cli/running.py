"""What every command does that drives uploads: listens for signals, opens the journal, tells.

Rule: stdout gets the results, stderr the rest. The journal is open before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uploader.api import Uploader, UploadHandle
from uploader.cli import complaints, results, screen
from uploader.cli.drive import End, Job, drive
from uploader.cli.exits import BadInput, Exit, exit_of
from uploader.cli.journals import Place
from uploader.cli.logs import LogFormat
from uploader.cli.progress import display
from uploader.cli.stop import Stop
from uploader.cli.waits import Waits
from uploader.errors import ConfigurationError, JournalError, LeaseHeldError
from uploader.model import Outcome
from uploader.transport import CredentialSource

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a command drives uploads, and how it tells of them."""

    wait: bool = True
    preflight: bool = True
    time_limit: float | None = None
    concurrency: int = 4
    bandwidth: int | None = None
    json: bool = False
    log_format: LogFormat = "console"
    log_level: str | None = None
    metrics: tuple[str, int] | None = None


def run(
    jobs_of: Callable[[Uploader], Sequence[Job]],
    *,
    manner: Manner,
    where: Place,
    credentials: CredentialSource | None = None,
    variable: str = "",
) -> int:
    """Drive the jobs that `jobs_of` makes and return the exit code.

    Raises `BadInput` or `UploaderError` when nothing could begin. `variable` is the token's, for
    advice.
    """
    with Stop() as stop, _metrics(manner.metrics) as collected:
        own = where.host.settings if where.host is not None else {}
        said: dict[str, Any] = {
            "max_uploads": manner.concurrency,
            "bandwidth": manner.bandwidth,
            "subscribers": (*own.get("subscribers", ()), *_waits(manner)),
            "preflight": manner.preflight,
            "registry": collected,
            "metrics": manner.metrics is not None,
            "journal": where.journal,
            "credentials": credentials,
        }
        uploader = Uploader(**{**own, **said})
        try:
            jobs = jobs_of(uploader)
            names = [(job.name, job.plan.size) for job in jobs]
            open_journal(uploader, where)
            with display(screen.stderr(), names, quiet=manner.log_format == "json") as shown:
                # What only memory remembers cannot be resumed: it is cancelled.
                brake = UploadHandle.suspend if where.journal is not None else UploadHandle.cancel
                ends = drive(jobs, display=shown, stop=stop, brake=brake)
        finally:
            stop.close(uploader)
        if not stop.asked:
            _raise_when_nothing_began(ends)
        code = Exit.INTERRUPTED if stop.asked else exit_of(end.result for end in ends)
        report(ends, code, where=where, json=manner.json, variable=variable)
        return stop.leave(code)


def _waits(manner: Manner) -> tuple[Waits, ...]:
    """Return what tells of waits, where the log does not."""
    return () if manner.log_format == "json" else (Waits(),)


def open_journal(uploader: Uploader, where: Place) -> None:
    """Open the journal now: what is wrong with it is said before anything is sent."""
    try:
        _ = uploader.journal
    except OSError as error:
        raise JournalError(f"the journal {where}: {error.strerror}") from None


def report(ends: Sequence[End], code: Exit, *, where: Place, json: bool, variable: str) -> None:
    """Tell how uploads ended."""
    interrupted = code is Exit.INTERRUPTED
    for end in ends:
        text, is_error = complaints.tell(end, where, interrupted=interrupted, variable=variable)
        if text:
            (screen.complain if is_error else screen.remark)(text)
    shown = [end for end in ends if not _said_enough(end, alone=len(ends) == 1)]
    if json:
        screen.document(results.as_document(ends, code))
    elif shown and not interrupted:
        console = screen.stdout()
        console.print(results.table(shown, width=console.width))


def _said_enough(end: End, *, alone: bool) -> bool:
    """A single upload that failed or never began has had its line."""
    return alone and (end.result.outcome is Outcome.FAILED or end.refused)


def _raise_when_nothing_began(ends: Sequence[End]) -> None:
    """Bad input is that no upload could begin for reasons that are the caller's to mend."""
    errors = [(end.job.file, end.result.error) for end in ends if end.refused]
    bad = [
        (file, error)
        for file, error in errors
        if error is not None and not isinstance(error, LeaseHeldError)
    ]
    if bad and len(bad) == len(ends):
        raise BadInput([*bad])


@contextmanager
def _metrics(address: tuple[str, int] | None) -> Iterator[CollectorRegistry | None]:
    """Serve metrics while the context lasts."""
    if address is None:
        yield None
        return
    from prometheus_client import CollectorRegistry

    from uploader.instruments.metrics import serve

    host, port = address
    collected = CollectorRegistry()
    try:
        served = serve(port, address=host, registry=collected)
    except ConfigurationError as error:
        raise ConfigurationError(error.message).hint("give another --metrics-port") from None
    with served:
        yield collected
