"""`uploader publish`: files to a destination, several at once.

Rule: everything is checked before anything is sent; stdout gets the results, stderr the rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploader import registry
from uploader.api import Uploader
from uploader.cli import complaints, destinations, logs, results, screen
from uploader.cli.credentials import access_token
from uploader.cli.drive import Job, checked, drive
from uploader.cli.exits import Exit, exit_of
from uploader.cli.progress import display
from uploader.cli.stop import Stop
from uploader.errors import ConfigurationError
from uploader.model import Outcome, UploadResult

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def publish(
    files: Sequence[Path],
    *,
    to: str,
    fields: Mapping[str, Any],
    token_file: Path | None,
    wait: bool,
    concurrency: int,
    bandwidth: int | None,
    json: bool,
    log_format: logs.LogFormat,
    log_level: str | None,
    metrics: tuple[str, int] | None,
) -> int:
    """Publish the files and return the exit code. Raises `BadInput` or `UploaderError` before."""
    logs.configure(log_format, log_level)
    factory = registry.load(to)
    token = access_token(factory.token_variable, token_file)
    destination = destinations.build(factory, token, fields)
    with Stop() as stop, _metrics(metrics) as collected:
        uploader = Uploader(
            max_uploads=concurrency,
            bandwidth=bandwidth,
            registry=collected,
            metrics=metrics is not None,
        )
        try:
            jobs = checked(uploader, files, destination)
            names = [(job.file.name, job.plan.size) for job in jobs]
            with display(screen.stderr(), names, quiet=log_format == "json") as shown:
                ended = drive(uploader, jobs, wait=wait, display=shown, stop=stop)
        finally:
            stop.close(uploader)
        code = Exit.INTERRUPTED if stop.asked else exit_of(ended)
        _report(jobs, ended, code, json=json, variable=factory.token_variable)
        return stop.leave(code)


def _report(
    jobs: Sequence[Job],
    ended: Sequence[UploadResult],
    code: Exit,
    *,
    json: bool,
    variable: str,
) -> None:
    interrupted = code is Exit.INTERRUPTED
    for job, result in zip(jobs, ended, strict=True):
        if interrupted:
            screen.remark(complaints.fate(job.file.name, result))
        elif result.error is not None and result.outcome is not Outcome.DONE:
            screen.complain(complaints.line(result.error, file=str(job.file), variable=variable))
        elif result.outcome is Outcome.PROCESSING:
            screen.remark(complaints.goes_on(job.file.name, result))
    if json:
        screen.document(results.as_document(jobs, ended, code))
    elif not interrupted and (len(ended) > 1 or ended[0].outcome is not Outcome.FAILED):
        console = screen.stdout()
        console.print(results.table(jobs, ended, width=console.width))


@contextmanager
def _metrics(address: tuple[str, int] | None) -> Iterator[CollectorRegistry | None]:
    """Serve metrics while the context lasts."""
    if address is None:
        yield None
        return
    from prometheus_client import CollectorRegistry, start_http_server

    host, port = address
    collected = CollectorRegistry()
    try:
        server, thread = start_http_server(port, addr=host, registry=collected)
    except OSError as error:
        raise ConfigurationError(
            f"metrics cannot be served at {host}:{port}: {os.strerror(error.errno or 0)}"
        ).hint("give another --metrics-port") from None
    try:
        yield collected
    finally:
        server.shutdown()
        thread.join(1.0)
        server.server_close()
