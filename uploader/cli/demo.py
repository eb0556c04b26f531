"""`uploader demo`: a real video to a sandbox on this machine, and proof of what arrived.

Rule: what the summary claims was measured or compared in this run; a claim that fails is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from uploader import registry
from uploader.api import Uploader, UploadHandle
from uploader.cli import complaints, destinations, screen
from uploader.cli.checking import Checked, checked
from uploader.cli.clip import grown_clip
from uploader.cli.drive import drive
from uploader.cli.exits import Exit, exit_of
from uploader.cli.journals import MEMORY
from uploader.cli.memory import PeakMemory
from uploader.cli.progress import display
from uploader.cli.sandbox import watching
from uploader.cli.stop import Stop
from uploader.cli.summary import Proof, as_document, summary
from uploader.errors import ConfigurationError
from uploader.model import Outcome, UploadResult
from uploader.secret import Secret
from uploader.transport import TransportFactory

DEFAULT_SIZE: Final = 256_000_000
TITLE: Final = "Published by mmap-uploader"
_BLOCK: Final = 1024 * 1024


def demo(file: Path | None, *, size: int | None, json: bool) -> int:
    """Publish a video to a sandbox, show the summary and return the exit code."""
    if file is not None and size is not None:
        raise ConfigurationError("a file of yours is sent as it is").hint(
            "leave out --size, or the file: the video that comes along grows to any size"
        )
    factory = registry.load(destinations.DEFAULT)
    with Stop() as stop, _video(file, size) as video:
        proof, result = _publish(video, factory, stop)
    if stop.asked:
        screen.remark(complaints.fate(video.name, result, MEMORY))
        return stop.leave(Exit.INTERRUPTED)
    if proof is None:
        if result.error is not None:
            screen.complain(complaints.line(result.error, file=str(video)))
        return exit_of([result]) or Exit.FAILED
    return _show(proof, json=json)


def _show(proof: Proof, *, json: bool) -> int:
    code = Exit.FAILED if proof.faults() else Exit.DONE
    if json:
        screen.document(as_document(proof, code))
    else:
        screen.stdout().print(summary(proof))
    for fault in proof.faults():
        screen.complain(fault)
    return code


@contextmanager
def _video(file: Path | None, size: int | None) -> Iterator[Path]:
    """Lend the file to publish: the given one, or the clip that comes along."""
    if file is not None:
        yield file
        return
    with grown_clip(size or DEFAULT_SIZE) as clip:
        yield clip


def _publish(
    video: Path, factory: TransportFactory, stop: Stop
) -> tuple[Proof | None, UploadResult]:
    """Publish to a sandbox; the proof is `None` unless the upload is done."""
    proof = None
    # A strict sandbox raises what a client did wrong when it is left; the proof holds it already.
    with suppress(AssertionError), factory.sandbox() as sandbox:
        destination = destinations.stand_in(
            factory,
            Secret(sandbox.access_token),
            {"title": TITLE, "base_url": sandbox.base_url, "account": "demo"},
        )
        job, result, growth = _upload(video, destination, stop, sandbox)
        if result.outcome is Outcome.DONE and not stop.asked:
            proof = _proof(job, result, growth, sandbox, stop)
    return proof, result


def _upload(
    video: Path, destination: Any, stop: Stop, sandbox: Any
) -> tuple[Checked, UploadResult, int | None]:
    # Its journal is in memory: the user's own has nothing to do with a demonstration.
    uploader = Uploader(metrics=False)
    try:
        (job,) = checked(uploader, [(video, destination)])
        for line in watching(sandbox):
            screen.remark(line)
        uploader.start()
        memory = PeakMemory()
        with display(screen.stderr(), [(video.name, job.plan.size)]) as shown:
            (end,) = drive([job.job(uploader)], display=shown, stop=stop, brake=UploadHandle.cancel)
        growth = memory.growth()
    finally:
        stop.close(uploader)
    return job, end.result, growth


def _proof(
    job: Checked, result: UploadResult, growth: int | None, sandbox: Any, stop: Stop
) -> Proof:
    posts = list(sandbox.posts)
    with screen.busy("comparing SHA-256"):
        sent = _sha256(job.file, stop)
    return Proof(
        job=job,
        result=result,
        memory=growth,
        sent_sha256=sent,
        received_sha256=posts[-1].sha256 if posts else "",
        posts=len(posts),
        violations=tuple(sandbox.violations),
    )


def _sha256(file: Path, stop: Stop) -> str:
    """Return the SHA-256 of a file; give up when a signal comes."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while not stop.asked and (block := stream.read(_BLOCK)):
            digest.update(block)
    return digest.hexdigest()
