"""Half a thousand uploads through two brokers while everything goes wrong that may.

Rule: what goes wrong is drawn from a seed; what must hold is asked of the sandbox and the journal.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fleet.fleet import Fleet, Worker, producer, send
from transports.tiktok.sandbox import Fault
from uploader import Outcome, Uploader
from uploader.engine.settings import SystemClock
from uploader.journal import ENDED, Entry, State

TICK = 0.2
"""Seconds between two looks at the workers."""
FEW = 5
"""Uploads after which something happens."""
FAULTS = (
    lambda draw: Fault("put", reset_after=draw.randrange(200_000)),
    lambda draw: Fault("put", status=503),
    lambda draw: Fault("put", lose_answer=True),
    lambda draw: Fault("put", lose_request=True),
    lambda draw: Fault("put", slow=draw.randrange(200_000, 2_000_000)),
    lambda draw: Fault("init", vendor_code="rate_limit_exceeded"),
    lambda draw: Fault("init", delay=draw.uniform(0.1, 0.5)),
    lambda draw: Fault("status", status=500),
    lambda draw: Fault("status", lose_answer=True),
)
SETTLED = 130.0
"""Seconds in which all has ended then: what failed is tried again after 30 and 60."""
ACCOUNTS = 20
WINDOW = 2.0
"""TikTok's minute, so that 25 posts of an account need no four minutes."""
RATES = ",".join(
    [
        *(f"tiktok.{rate}/{WINDOW:g}" for rate in ("video_init=6", "creator_info=20", "status=30")),
        "tiktok.posts_a_day=off",
    ]
)
"""The sandbox's own amounts, in its window."""
SANDBOX: dict[str, Any] = {"rate_limits": True, "strict": False, "processing_seconds": 1.0}
INSTALL: dict[str, Any] = {
    "seconds": 2.0,
    "overtime": 8.0,
    "grace": 3.0,
    "margin": 5.0,
    "sweep_every": 3.0,
    "watch_every": 2.0,
}
CONF: dict[str, Any] = {"broker_transport_options": {"visibility_timeout": 25}}
LATER = 3700.0
"""Seconds after which an upload whose opening nobody answered may be opened again."""


class Tomorrow(SystemClock):
    """The clock of a process that comes after the sessions of today have ended."""

    def time(self) -> float:
        return super().time() + LATER


@dataclass
class Chaos:
    """What is done to a fleet, and how often."""

    fleet: Fleet
    brokers: tuple[str, ...]
    seed: int = 2026
    done: Counter[str] = field(default_factory=Counter)
    films: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.apps = [producer(broker) for broker in self.brokers]
        self.running: list[tuple[str, Worker]] = []
        self.leaving: list[Worker] = []
        self.gone: list[Worker] = []

    # What happens.

    def begin(self, each: int) -> None:
        """Start so many workers on each broker, and a beat."""
        for broker in self.brokers:
            self.fleet.beat(broker)
            self.running += [(broker, self.fleet.start(broker, ready=False)) for _ in range(each)]

    def publish(self, account: int, parts: float) -> None:
        """Record an upload and send its message, or leave that to the sweep."""
        film = self.fleet.film(parts)
        late = self.draw.random() < 0.1
        due = self.fleet.uploader.now() + self.draw.uniform(1, 8) if late else None
        upload_id = self.fleet.enqueue(film, account, not_before=due)
        self.films[upload_id] = film
        self.done["published"] += 1
        if self.draw.random() < 0.9:
            self._send(upload_id)
        else:
            self.done["never sent"] += 1

    def trouble(self) -> None:
        """Do one of the things that happen to fleets."""
        chosen = self.draw.choices(
            ["process killed", "worker killed", "worker stopped", "sent again", "fault"],
            [4, 2, 3, 4, 8],
        )[0]
        self.done[chosen] += 1
        index = self.draw.randrange(len(self.running))
        worker = self.running[index][1]
        match chosen:
            case "process killed":
                worker.kill_child()
            case "worker killed":
                worker.kill()
            case "worker stopped":
                worker.process.terminate()
                # One that has only begun to start knows no warm way yet.
                (self.leaving if "ready." in worker.said else self.gone).append(worker)
            case "sent again":
                for upload_id in self.draw.choices(list(self.films), k=3):
                    self._send(upload_id)
            case _:
                self.fleet.sandbox.script(self.draw.choice(FAULTS)(self.draw))

    def forget_all(self) -> None:
        """Empty every Redis among the brokers."""
        for app in self.apps:
            with app.connection_for_write() as connection:
                client = getattr(connection.default_channel, "client", None)
                if client is not None:
                    client.flushall()
                    self.done["emptied"] += 1

    def supervise(self) -> None:
        """Start a worker where one has ended or goes, as whatever keeps services running does."""
        for index, (broker, worker) in enumerate(self.running):
            if worker.process.poll() is not None or worker in (*self.leaving, *self.gone):
                self.running[index] = broker, self.fleet.start(broker, ready=False)
                self.done["started"] += 1

    def run(self, count: int, seconds: float, accounts: int) -> None:
        """Publish `count` uploads, evenly over `seconds` where there is the time; after each few of
        them something happens, and half-way everything is forgotten."""
        began, pause = time.monotonic(), threading.Event()
        while (number := len(self.films)) < count:
            if number < count * (time.monotonic() - began) / seconds:
                self.publish(number % accounts, 2.3 if number % 25 == 7 else 0.01)
                if number % FEW == FEW - 1:
                    self.trouble()
                if number == count // 2:
                    self.forget_all()
            else:
                pause.wait(TICK)
            self.supervise()

    def settle(self, seconds: float) -> None:
        """Wait, without further trouble, until nothing is left that workers can do."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while left := [entry for entry in self.entries() if not _settled(entry)]:
            assert time.monotonic() < deadline, [_told(entry) for entry in left[:10]]
            self.supervise()
            pause.wait(TICK)

    def end(self) -> list[int]:
        """Stop the workers the warm way; return their exit codes."""
        codes = [worker.process.wait(40) for worker in self.leaving]
        return codes + [worker.stop(40) for _, worker in self.running if worker not in self.leaving]

    def resolve(self) -> None:
        """Take up, an hour later, what was killed while it was being opened.

        Until then nobody can tell whether there is a session into which somebody still sends.
        """
        doubtful = [entry.upload_id for entry in self.entries() if entry.state is State.UNKNOWN]
        self.done["resolved an hour later"] = len(doubtful)
        with Uploader(
            journal=self.fleet.journal,
            clock=Tomorrow(),
            credentials=lambda _, account: self.fleet.tokens[account or ""],
            metrics=False,
        ) as later:
            for upload_id in doubtful:
                result = later.resume(upload_id)
                assert result.outcome in (Outcome.DONE, Outcome.PROCESSING), result

    # What must hold.

    def entries(self) -> list[Entry]:
        return list(self.fleet.journal.latest(10_000))

    def check(self) -> None:
        """Check that every upload ended, whole, as one post, and that nothing is held or left."""
        entries = {entry.upload_id: entry for entry in self.entries()}
        assert entries.keys() == self.films.keys()
        assert Counter(entry.state for entry in entries.values()) == {State.DONE: len(self.films)}
        posts = Counter(post.title for post in self.fleet.sandbox.posts)
        assert posts == Counter(film.stem for film in self.films.values())
        digests = {post.title: post.sha256 for post in self.fleet.sandbox.posts}
        for film in self.films.values():
            assert digests[film.stem] == _sha256(film)
        self.fleet.check_nothing_left()

    def _send(self, upload_id: str) -> None:
        send(self.draw.choice(self.apps), upload_id)
        self.done["messages"] += 1


def play(fleet: Fleet, on: tuple[str, ...], count: int, seconds: float) -> Chaos:
    """Let it happen to `count` uploads, and check what must hold; two workers on each broker."""
    chaos = Chaos(fleet, on)
    began = time.monotonic()
    chaos.begin(each=2)
    chaos.run(count, seconds, fleet.accounts)
    chaos.settle(SETTLED)
    chaos.done["seconds"] = round(time.monotonic() - began)
    codes = chaos.end()
    chaos.resolve()
    chaos.check()
    assert set(codes) == {0}
    assert fleet.sandbox.limited == {}
    return chaos


def _settled(entry: Entry) -> bool:
    unanswered = entry.state is State.UNKNOWN and entry.session is None
    return entry.state in ENDED or unanswered


def _told(entry: Entry) -> str:
    return f"{entry.upload_id} {entry.state} {entry.holder} {entry.not_before} {entry.error}"


def _sha256(film: Path) -> str:
    import hashlib

    with film.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
