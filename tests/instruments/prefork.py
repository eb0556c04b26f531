"""Worker processes as gunicorn and Celery keep them: forked, counting, recycled, killed.

Rule: run as a program in the multiprocess mode of the Prometheus client, whose variable must stand
before the first import. What it prints is one JSON object.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from tests.instruments.scrape import Samples, parsed, total, value
from uploader import events
from uploader.instruments.metrics import (
    compact,
    exposed,
    metrics_for,
    serve,
    watch_journal,
    worker_gone,
)
from uploader.journal import State
from uploader.model import Outcome

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 5_242_880
WHO = {"upload_id": "u", "transport": "tiktok"}


def run(directory: Path | None, what: str, *arguments: object) -> Any:
    """Run one of this module's scenes in an interpreter of its own and return what it found."""
    environment = dict(os.environ)
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    if directory is not None:
        directory.mkdir(exist_ok=True)
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    done = subprocess.run(
        [sys.executable, "-m", "tests.instruments.prefork", what, *map(str, arguments)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def scraped(registry: CollectorRegistry) -> Samples:
    """Return what a scrape of all workers tells."""
    return parsed(generate_latest(exposed(registry)).decode())


def forked(work: Callable[[], None]) -> int:
    """Let a child do something and leave as a worker does; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def joined(child: int) -> None:
    """Wait for a child that must have done well, and say so as gunicorn's master does."""
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    worker_gone(child)


def one_upload(registry: CollectorRegistry) -> None:
    """Tell of an upload that went well."""
    count = metrics_for(registry)
    count(events.BytesSent(**WHO, count=1000, windows=1))
    count(events.RequestFinished(**WHO, operation="put", outcome="201", seconds=0.2))
    count(
        events.UploadCompleted(
            **WHO, outcome=Outcome.DONE, seconds=7000.0, bytes_sent=1000, retries=0,
            size=1000, location=None,
        )
    )  # fmt: skip


def told(samples: Samples) -> dict[str, float]:
    """Pick what the tests compare."""
    put = {"transport": "tiktok", "operation": "put"}
    done = {"transport": "tiktok", "outcome": "done"}
    return {
        "sent": value(samples, "sent_bytes_total", transport="tiktok"),
        "requests": value(samples, "requests_total", **put, outcome="201"),
        "uploads": value(samples, "uploads_total", **done),
        "seconds": value(samples, "upload_duration_seconds_sum", **done),
        "below 2 h": value(samples, "upload_duration_seconds_bucket", **done, le="7200.0"),
        "below 1 h": value(samples, "upload_duration_seconds_bucket", **done, le="3600.0"),
        "all": value(samples, "upload_duration_seconds_count", **done),
        "active": total(samples, "uploads_in_progress"),
    }


def living(registry: CollectorRegistry) -> Any:
    """Four workers in the middle of an upload each; one is killed, the others end well."""
    metrics_for(registry)  # as a preloaded application has it
    ready, go = os.pipe(), os.pipe()

    def work() -> None:
        one_upload(registry)
        metrics_for(registry)(
            events.UploadStarted(
                **WHO, account=None, name="", size=1, parts=1, part_size=1, resumed_from=None
            )
        )
        os.write(ready[1], b".")
        os.close(go[1])
        os.read(go[0], 1)

    children = [forked(work) for _ in range(4)]
    for _ in children:
        os.read(ready[0], 1)
    found = {}
    with serve(0, registry=registry) as served:

        def ask() -> dict[str, float]:
            with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/") as answer:
                return told(parsed(answer.read().decode()))

        found["all alive"] = ask()
        os.kill(children[0], signal.SIGKILL)
        os.waitpid(children[0], 0)
        found["one killed"] = ask()
        os.close(go[1])
        for child in children[1:]:
            joined(child)
        found["all gone"] = ask()
    return found


def recycled(registry: CollectorRegistry, count: str) -> Any:
    """Start worker after worker, each for one upload; a third says itself that it goes."""
    metrics_for(registry)
    most = 0
    directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    for number in range(int(count)):

        def work(number: int = number) -> None:
            one_upload(registry)
            if number % 3 == 0:
                worker_gone()

        joined(forked(work))
        if number % 50 == 0:
            most = max(most, len(list(directory.iterdir())))
    before = told(scraped(registry))
    compact()
    return {
        "most files": most,
        "files": sorted(file.name for file in directory.iterdir()),
        "before": before,
        "after": told(scraped(registry)),
        "mine": str(os.getpid()),
    }


def crowded(registry: CollectorRegistry, count: str) -> Any:
    """Recycle workers while two processes do nothing but merge, and a third one scrapes."""
    metrics_for(registry)
    over = os.pipe()
    os.set_blocking(over[0], False)
    notes = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) / "seen.json"

    def again_and_again(work: Callable[[], None]) -> None:
        os.close(over[1])
        while True:
            work()
            try:
                os.read(over[0], 1)
                return
            except BlockingIOError:
                continue

    def scrape() -> None:
        seen: list[float] = []
        again_and_again(lambda: seen.append(told(scraped(registry))["sent"]))
        notes.write_text(json.dumps(seen))

    def merge() -> None:
        again_and_again(lambda: _ignore(compact()))

    others = [forked(scrape), forked(merge), forked(merge)]
    children: list[int] = []
    for _ in range(int(count)):
        children.append(forked(lambda: one_upload(registry)))
        if len(children) == 3:
            joined(children.pop(0))
    for child in children:
        joined(child)
    os.close(over[1])
    for other in others:
        joined(other)
    return {"seen": json.loads(notes.read_text()), "end": told(scraped(registry))}


def _ignore(_: object) -> None:
    pass


def journalled(registry: CollectorRegistry, journal: str) -> Any:
    """Let four workers and the one that serves know the same journal."""
    from uploader.journals import SqliteJournal

    children = []
    for _ in range(4):

        def work() -> None:
            watch_journal(SqliteJournal(journal), registry)
            one_upload(registry)
            scraped(registry)

        children.append(forked(work))
    for child in children:
        joined(child)
    watch_journal(SqliteJournal(journal), registry)
    samples = scraped(registry)
    return {
        str(state): value(samples, "journal_uploads", state=str(state)) for state in State
    } | told(samples)


def published(registry: CollectorRegistry, base_url: str, token: str, *clips: str) -> Any:
    """Share the clips among four workers that upload them; return the whole exposition."""
    from tests.engine.clock import FakeClock
    from transports.tiktok import DirectPost
    from uploader import Uploader

    metrics_for(registry)

    def work(mine: list[str]) -> None:
        with Uploader(registry=registry, clock=FakeClock()) as uploader:
            posts = [
                DirectPost(
                    account="acme", access_token=token, title=Path(clip).name,
                    privacy_level="SELF_ONLY", base_url=base_url, chunk_size=CHUNK,
                )
                for clip in mine
            ]  # fmt: skip
            uploader.upload_many(list(zip(mine, posts, strict=True)), concurrency=4)

    children = [forked(lambda mine=list(clips[n::4]): work(mine)) for n in range(4)]  # type: ignore[misc]
    for child in children:
        joined(child)
    return generate_latest(exposed(registry)).decode()


def late(registry: CollectorRegistry, directory: str) -> Any:
    """Set the variable when the client is imported already: this process stands for itself."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    one_upload(registry)
    worker_gone(1)
    return told(scraped(registry))


SCENES: dict[str, Callable[..., Any]] = {
    scene.__name__: scene for scene in (living, recycled, crowded, journalled, published, late)
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(SCENES[sys.argv[1]](CollectorRegistry(), *sys.argv[2:])))
