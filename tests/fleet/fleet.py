"""A sandbox, a journal, brokers, and workers that a test starts, stops and kills.

Rule: every worker is a process of its own that `celery worker` made; nothing of Celery is replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fleet.brokers import until
from tests.orphans import ended_with_us
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox
from uploader import Uploader
from uploader.journal import Entry, State

ROOT = Path(__file__).resolve().parents[2]
PART = 5_242_880


@dataclass
class Worker:
    """A `celery worker` and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def children(self) -> list[int]:
        """Return the processes of its pool, by the kernel."""
        pid = self.process.pid
        path = Path(f"/proc/{pid}/task/{pid}/children")
        try:
            return [int(each) for each in path.read_text().split()]
        except OSError:
            return []

    def kill_child(self) -> None:
        """Kill a process of its pool, as the kernel does when memory runs out."""
        for pid in self.children()[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill all of it, as a power failure does."""
        for pid in (self.process.pid, *self.children()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 60.0) -> int:
        """Stop it the warm way; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@dataclass
class Fleet:
    """Where a test plays."""

    folder: Path
    sandbox: Sandbox
    install: dict[str, Any] = field(default_factory=dict)
    conf: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    accounts: int = 1
    django: bool = False
    """Whether the journal is that of this process's Django project, which workers inherit."""
    workers: list[Worker] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(2026))

    def __post_init__(self) -> None:
        tokens = {
            f"account-{number}": self.sandbox.issue_token(account=f"account-{number}")
            for number in range(self.accounts)
        }
        (self.folder / "tokens.json").write_text(json.dumps(tokens))
        self.tokens = tokens
        if self.django:
            from uploader.contrib.django import get_uploader

            self.uploader = get_uploader()
        else:
            self.uploader = Uploader(
                journal=self.folder / "uploads.db",
                credentials=lambda _, account: tokens[account or ""],
                metrics=False,
            )
        self.journal = self.uploader.journal

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.uploader.close()

    def told(self, broker: str) -> dict[str, Any]:
        journal = {} if self.django else {"journal": str(self.folder / "uploads.db")}
        return {
            **journal,
            "broker": broker,
            "tokens": str(self.folder / "tokens.json"),
            "install": self.install,
            "conf": self.conf,
            **self.more,
        }

    def start(
        self, broker: str, *options: str, ready: bool = True, environment: Mapping[str, str] = {}
    ) -> Worker:
        """Start a worker with one process, and wait until it takes messages."""
        name = f"worker-{len(self.workers)}"
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.fleet.scene", "worker",
                 "--concurrency=1", "--loglevel=INFO", "--without-gossip", "--without-mingle",
                 f"--hostname={name}@fleet", *options],
                cwd=ROOT,
                env={**os.environ, "FLEET": json.dumps(self.told(broker)), **environment},
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=ended_with_us(),  # noqa: PLW1509 - one system call
            )  # fmt: skip
        worker = Worker(name, process, log)
        self.workers.append(worker)
        if ready:
            until(
                lambda: "ready." in worker.said or process.poll() is not None,
                30,
                f"{name} is ready",
            )
            assert process.poll() is None, worker.said[-3000:]
        return worker

    def send_by_application(self, broker: str, *ids: str) -> None:
        """Let a process of the application say `publish.delay`."""
        script = (
            "import sys\nfrom tests.fleet.scene import app\n"
            "from uploader.contrib.celery import publish\n"
            "[publish.delay(each) for each in sys.argv[1:]]"
        )
        subprocess.run(
            [sys.executable, "-c", script, *ids],
            cwd=ROOT, env={**os.environ, "FLEET": json.dumps(self.told(broker))}, check=True,
        )  # fmt: skip

    def beat(self, broker: str) -> Worker:
        """Start a `celery beat`."""
        name = f"beat-{len(self.workers)}"
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.fleet.scene", "beat",
                 f"--schedule={self.folder / name}", "--pidfile="],
                cwd=ROOT,
                env={**os.environ, "FLEET": json.dumps(self.told(broker))},
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        worker = Worker(name, process, log)
        self.workers.append(worker)
        return worker

    def film(self, parts: float = 0.02) -> Path:
        """Write a film that no other one is like."""
        path = self.folder / f"film-{self._random.getrandbits(64):x}.mp4"
        path.write_bytes(self._random.randbytes(int(parts * PART)))
        return path

    def enqueue(self, film: Path, account: int = 0, **more: Any) -> str:
        """Record an upload, as an application does in a request."""
        post = DirectPost(
            account=f"account-{account}",
            title=film.stem,
            privacy_level="SELF_ONLY",
            credentials=lambda *_: self.tokens[f"account-{account}"],
            base_url=self.sandbox.base_url,
            chunk_size=PART,
        )
        return self.uploader.enqueue(film, post, **more)

    def entry(self, upload_id: str) -> Entry:
        found = self.journal.get(upload_id)
        assert found is not None
        return found

    def is_done(self, upload_id: str) -> bool:
        return self.entry(upload_id).state is State.DONE

    def check_posted_once(self, film: Path) -> None:
        """Check that there is one post of a film, whole, and only one was ever opened."""
        digest = hashlib.sha256(film.read_bytes()).hexdigest()
        posts = [post for post in self.sandbox.uploads if post.title == film.stem]
        assert [post.sha256 for post in posts if post.complete] == [digest]
        assert len(posts) == 1

    def check_nothing_left(self) -> None:
        """Check that no lease is held and no rule of TikTok's was broken."""
        assert [entry.holder for entry in self.journal.latest(10_000) if entry.holder] == []
        assert self.sandbox.violations == []


@contextmanager
def fleet(folder: Path, sandbox: Sandbox, **settings: Any) -> Iterator[Fleet]:
    """Have a fleet for a while."""
    made = Fleet(folder, sandbox, **settings)
    try:
        yield made
    finally:
        made.close()


def producer(broker: str) -> Any:
    """Return a Celery application that sends messages to a broker, and works on none."""
    from celery import Celery

    return Celery("producer", broker=broker, set_as_current=False)


def send(app: Any, upload_id: str, **options: Any) -> None:
    """Send what `publish.delay(upload_id)` sends."""
    app.send_task("uploader.publish", (upload_id,), **options)
