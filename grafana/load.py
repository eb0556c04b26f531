"""A process that publishes through faults and serves its metrics, for something to be seen.

Rule: real uploads over real sockets to the TikTok sandbox, round after round, each meeting every
kind of trouble once. It ends when its stdin does.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry

from transports.tiktok import DirectPost, TikTokLimits
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import LeaseHeldError, Outcome, PollPolicy, RetryPolicy, Timeouts, Uploader
from uploader.breaker import BREAKER
from uploader.events import TokenRefreshed, WebhookReceived
from uploader.instruments.metrics import (
    metrics_for,
    serve,
    watch_accounts,
    watch_journal,
    watch_paused,
)
from uploader.journal import Pause
from uploader.journals import SqliteJournal

UNLIMITED = TikTokLimits(inits_a_minute=0, statuses_a_minute=0, posts_a_day=0)
"""A dozen accounts stand for thousands."""
CHUNK = 5_242_880
LARGE = 2 * CHUNK + 3
SMALL = 1000
BANDWIDTH = 80_000_000.0
"""Bytes a second; low enough that uploads wait for it."""
NEVER = 4e9
"""Seconds since the epoch, long after whoever watches."""

TROUBLE = (
    Fault("put", status=503),
    Fault("put", status=429),
    Fault("put", lose_answer=True),
    Fault("put", stall_answer=True),
    Fault("put", nth=2, reset_after=1_000_000),
    Fault("init", vendor_code="rate_limit_exceeded"),
    Fault("init", vendor_code="access_token_invalid"),  # the token is asked for anew
    Fault("status", status=500),
)
"""What an upload gets over."""
VERDICTS = (
    (Fault("init", status=500), Outcome.UNKNOWN),
    (Fault("init", vendor_code="invalid_params"), Outcome.FAILED),
    (Fault("put", status=403), Outcome.FAILED),
)
"""What ends one."""


class Stage:
    """A sandbox, an uploader, and files that nobody has sent before."""

    def __init__(self, folder: Path, registry: CollectorRegistry, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._folder = folder
        self._random = random.Random(7)  # noqa: S311 - the content of files
        self._numbers = itertools.count()
        self.uploader = Uploader(
            journal=folder / "uploads.db",
            registry=registry,
            credentials=lambda transport, account: sandbox.access_token,
            bandwidth=BANDWIDTH,
            max_uploads=2,
            retry=RetryPolicy(base=0.05, cap=0.2, rate_base=0.1),
            poll=PollPolicy(first=0.05, slowest=0.2),
            timeouts=Timeouts(response=0.4),
        )

    def post(self) -> DirectPost:
        return DirectPost(
            account=f"account-{next(self._numbers) % 12}",
            title=f"clip {next(self._numbers)}",
            privacy_level="SELF_ONLY",
            base_url=self.sandbox.base_url,
            chunk_size=CHUNK,
            limits=UNLIMITED,
        )

    def puts(self) -> int:
        return sum(request.operation == "put" for request in self.sandbox.requests)

    @contextlib.contextmanager
    def clip(self, size: int) -> Iterator[Path]:
        """Have a file of its own content for a while."""
        path = self._folder / f"{next(self._numbers)}.mp4"
        head = b"\0\0\0\x18ftypisom" + self._random.randbytes(500)
        path.write_bytes(head.ljust(size, b"\x5a"))
        try:
            yield path
        finally:
            path.unlink()


def smooth(stage: Stage) -> None:
    """Several at once, more than are driven at once."""
    with contextlib.ExitStack() as clips:
        pairs = [(clips.enter_context(stage.clip(LARGE)), stage.post()) for _ in range(3)]
        for result in stage.uploader.upload_many(pairs):
            result.raise_for_outcome()


def overcome(stage: Stage) -> None:
    """Every trouble that ends well."""
    for fault in TROUBLE:
        stage.sandbox.script(fault)
        with stage.clip(LARGE if fault.nth > 1 else SMALL) as clip:
            stage.uploader.upload(clip, stage.post()).raise_for_outcome()


def verdicts(stage: Stage) -> None:
    """Every trouble that does not."""
    for fault, outcome in VERDICTS:
        stage.sandbox.script(fault)
        with stage.clip(SMALL) as clip:
            _expect(stage.uploader.upload(clip, stage.post()).outcome, outcome)


def stopped(stage: Stage) -> None:
    """Suspended and resumed; cancelled; not waited for."""
    with stage.clip(LARGE) as clip:
        first = stage.uploader.upload(clip, stage.post(), time_limit=0.001)
        _expect(first.outcome, Outcome.SUSPENDED)
        stage.uploader.resume(first.upload_id).raise_for_outcome()
    with stage.clip(LARGE) as clip:
        stage.sandbox.script(Fault("put", slow=1e6))
        before = stage.puts()
        handle = stage.uploader.submit(clip, stage.post())
        stage.sandbox.wait_for(lambda: stage.puts() > before)
        handle.cancel()
        handle.result()
    with stage.clip(SMALL) as clip:
        stage.uploader.upload(clip, stage.post(), wait=False)


def shared(stage: Stage) -> None:
    """A file that somebody has open for writing; an upload that two want."""
    with stage.clip(SMALL) as clip, clip.open("r+b"):
        stage.uploader.upload(clip, stage.post()).raise_for_outcome()
    with stage.clip(LARGE) as clip:
        post = stage.post()
        handle = stage.uploader.submit(clip, post)
        with contextlib.suppress(LeaseHeldError):
            stage.uploader.upload(clip, post)
        handle.result()


ROUND: tuple[Callable[[Stage], None], ...] = (smooth, overcome, verdicts, stopped, shared)


def publish(stage: Stage, registry: CollectorRegistry, ended: Callable[[], bool]) -> None:
    """Go round until told to end. What has no upload of its own is told as its edge would."""
    tell = metrics_for(registry)
    with stage.clip(SMALL) as waiting:
        stage.uploader.enqueue(waiting, stage.post(), not_before=NEVER)
        for number in itertools.count():
            for act in ROUND:
                if ended():
                    return
                act(stage)
            outcome = "authentication" if number % 4 == 0 else "refreshed"
            tell(TokenRefreshed(transport="tiktok", account="a", outcome=outcome, seconds=0.1))
            outcome = "refused" if number % 4 == 0 else "accepted"
            tell(WebhookReceived(transport="tiktok", kind="publish", outcome=outcome))


def main(port: int) -> None:
    """Serve metrics at `port` (0: any), print it as JSON, publish until stdin ends."""
    over = threading.Event()
    threading.Thread(target=_watch_stdin, args=(over,), daemon=True).start()
    registry = CollectorRegistry()
    with (
        tempfile.TemporaryDirectory(prefix="uploader-load-") as folder,
        Sandbox(rate_limits=False, processing_seconds=0.1) as sandbox,
    ):
        stage = Stage(Path(folder), registry, sandbox)
        watch_accounts(lambda: {"active": 11, "expired": 1}, registry)
        watch_paused(lambda: {"tiktok": False, "s3": True}, registry)
        broken = SqliteJournal(Path(folder) / "broken.db")
        watch_journal(broken, registry)
        broken.close()  # so that counting it fails at every scrape
        pause = Pause("s3", None, "the same refusal of three accounts", since=0.0, by=BREAKER)
        stage.uploader.journal.pause(pause)
        with stage.uploader, serve(port, registry=registry) as served:
            print(json.dumps({"port": served.port}), flush=True)
            publish(stage, registry, over.is_set)


def _watch_stdin(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _expect(outcome: Outcome, wanted: Outcome) -> None:
    if outcome is not wanted:
        raise RuntimeError(f"an upload ended {outcome}, not {wanted}")
