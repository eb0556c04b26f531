"""A day of a fleet, on a clock that jumps: the real journal, the real limits, and no bytes.

Rule: what decides is real: one `SqliteJournal` with its leases, states and `due`, and the moving
windows of `uploader.limits` with the destination's own rates. What takes time is modelled: lines,
the server's answers, machines that die. Every promise is checked against books that the simulated
server keeps by itself.
"""

from __future__ import annotations

import heapq
import math
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.scaling import DAY
from transports.tiktok import DirectPost
from uploader import planner
from uploader.engine.logbook import LEASE_TTL
from uploader.journal import ENDED, Entry, Lease, PartRecord, State
from uploader.journals.sqlite import SqliteJournal
from uploader.limits import MovingWindow, Rate
from uploader.model import Plan, Session
from uploader.secret import Secret

BEGIN: Final = 1_800_000_000.0
"""When the day begins, in seconds since the epoch; any moment would do."""
INIT_SECONDS: Final = 0.4
STATUS_SECONDS: Final = 0.2
URL_LIFETIME: Final = 3600.0
SWEEP_EVERY: Final = 60.0
SWEPT: Final = 2000
PATIENCE: Final = 120.0
"""A limit's wait that is longer goes into the journal as `not_before`."""
BURST: Final = 8
RENEW_EVERY: Final = LEASE_TTL / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The machines and what is asked of them. Bytes and seconds."""

    uploads: int
    machines: int
    accounts: int
    lanes: int = 32
    line: float = 125_000_000.0
    upload_line: float = 20_000_000.0
    """What the destination takes of one upload, at most."""
    kills: int = 12
    """Machines that die without a word in the course of the day, and come back."""
    seed: int = 1


@dataclass(slots=True)
class Books:
    """What the simulated server and the clockwork saw."""

    posts: Counter[int] = field(default_factory=Counter)
    sent: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    above: int = 0
    """Requests that would have been answered by 429."""
    writes: Counter[int] = field(default_factory=Counter)
    """Journal transactions by minute of the day."""
    renewals: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds from asking to the last byte."""
    held_back: int = 0
    put_off: int = 0
    kills: int = 0
    taken_over: int = 0
    busiest: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How it went. `seconds` is real time, `virtual` is when the last upload ended."""

    fleet: Fleet
    seconds: float
    virtual: float
    books: Books
    counts: dict[State, int]
    leases: int
    journal_bytes: int

    @property
    def writes(self) -> int:
        return sum(self.books.writes.values())

    @property
    def peak_writes(self) -> float:
        """Journal transactions a second in the busiest minute."""
        return max(self.books.writes.values(), default=0) / 60

    @property
    def is_right(self) -> bool:
        """Whether every upload was posted once, within the limits, and nothing is left over."""
        once = all(count == 1 for count in self.books.posts.values())
        return (
            self.counts.get(State.DONE, 0) == self.fleet.uploads
            and len(self.books.posts) == self.fleet.uploads
            and once
            and not self.books.above
            and not self.leases
        )


@dataclass(slots=True)
class _Run:
    """One upload in the hands of a machine."""

    number: int
    machine: int
    lease: Lease
    plan: Plan
    next_part: int = 0
    opened_at: float = 0.0
    over: bool = False
    ready_at: float = 0.0
    wait: float = 5.0


class Clockwork:
    """Simulates one day; `progress(done)` is told of uploads that ended."""

    def __init__(self, fleet: Fleet, path: Path, progress: Callable[[int], None]) -> None:
        self.fleet = fleet
        self.now = BEGIN
        self.journal = SqliteJournal(path, clock=lambda: self.now)
        self.path = path
        self.books = Books()
        self._progress = progress
        self._chance = random.Random(fleet.seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._queue: deque[int] = deque()
        self._queued: set[int] = set()
        self._free = [fleet.lanes] * fleet.machines
        self._epoch = [0] * fleet.machines
        self._busy = 0
        self._ended = 0
        self._windows: dict[tuple[str, str], MovingWindow] = {}
        post = DirectPost(account="a", access_token="made-up", title="t", privacy_level="SELF_ONLY")  # noqa: S106
        self._capabilities = post.transport().capabilities
        self._rates: dict[str, tuple[Rate, ...]] = {}
        for rate in self._capabilities.rates:
            self._rates[rate.operation] = (*self._rates.get(rate.operation, ()), rate)
        self._init = next(rate.operation for rate in self._capabilities.rates if rate.opens)
        self._status = next(name for name in self._rates if "status" in name)
        self._fields = dict(post.fields())

    def run(self) -> Day:
        """Let the day pass until every upload has ended."""
        began = time.perf_counter()
        arrivals = self._arrivals()
        self._arrive(arrivals)
        self._at(BEGIN + SWEEP_EVERY, self._sweep)
        for number in range(self.fleet.kills):
            moment = BEGIN + DAY * (number + 0.5) / self.fleet.kills
            self._at(moment, self._kill, self._chance.randrange(self.fleet.machines))
        while self._events and self._ended < self.fleet.uploads:
            self.now, _, call, arguments = heapq.heappop(self._events)
            call(*arguments)
        counts = {state: count for state, (count, _) in self.journal.counts().items()}
        leases = self._leases()
        self.journal.close()
        return Day(
            fleet=self.fleet,
            seconds=time.perf_counter() - began,
            virtual=self.now - BEGIN,
            books=self.books,
            counts=counts,
            leases=leases,
            journal_bytes=self.path.stat().st_size,
        )

    # Time.

    def _at(self, moment: float, call: Callable[..., None], *arguments: Any) -> None:
        self._order += 1
        heapq.heappush(self._events, (moment, self._order, call, arguments))

    def _arrivals(self) -> Iterator[tuple[float, int]]:
        """Yield the uploads of a day whose evening is three times as busy as its mean."""
        rates = [1 + 0.8 * math.sin(2 * math.pi * (hour - 12) / 24) for hour in range(24)]
        rates[18] = rates[19] = 3.0
        total, number = sum(rates), 0
        for hour in range(len(rates)):
            count = round(self.fleet.uploads * sum(rates[: hour + 1]) / total) - number
            moments = sorted(self._chance.random() for _ in range(count))
            for moment in moments:
                yield BEGIN + 3600 * (hour + moment), number
                number += 1

    def _arrive(self, arrivals: Iterator[tuple[float, int]]) -> None:
        found = next(arrivals, None)
        if found is not None:
            self._at(found[0], self._enqueue, found[1], arrivals)

    # What happens.

    def _enqueue(self, number: int, arrivals: Iterator[tuple[float, int]]) -> None:
        self._arrive(arrivals)
        # Half of all videos are below 50 MB; the largest have 4 GB.
        size = min(4_000_000_000, max(1_000_000, int(self._chance.lognormvariate(17.7, 1.0))))
        self._write(
            lambda: self.journal.add(
                Entry(
                    upload_id=f"{number:032x}",
                    identity=f"{number:064x}",
                    transport="tiktok",
                    account=self._account(number),
                    name=f"clip-{number}.mp4",
                    source=f"/clips/{number % 1000}/clip-{number}.mp4",
                    fingerprint=f"{number:032x}",
                    content_type="video/mp4",
                    destination=self._fields,
                    plan=planner.plan(size, self._capabilities),
                )
            )
        )
        self._hand_out(number)

    def _hand_out(self, number: int) -> None:
        """Put a message into the queue, as a broker would; one in a hundred comes twice."""
        self._queue.append(number)
        self._queued.add(number)
        if self._chance.random() < 0.01:
            self._queue.append(number)
            self.books.duplicates += 1
        self._dispatch()

    def _dispatch(self) -> None:
        while self._queue and (machine := self._idlest()) is not None:
            number = self._queue.popleft()
            self._queued.discard(number)
            self._take(number, machine)

    def _idlest(self) -> int | None:
        most = max(self._free)
        return self._free.index(most) if most else None

    def _take(self, number: int, machine: int) -> None:
        entry = self.journal.get(f"{number:032x}")
        if entry is None or entry.holder is not None or entry.state in ENDED:
            return  # a duplicate: it sends nothing
        if entry.not_before is not None and self.now < entry.not_before:
            return
        if entry.session is None:
            wait = self._room(entry.account or "", self._init)
            if wait > PATIENCE:
                self._put_off(entry.upload_id, wait)
                return
            if wait > 0:  # without a lane, as the engine waits
                self.books.held_back += 1
                self._at(self.now + wait, self._again, number)
                return
        upload_id = entry.upload_id
        entry, lease = self._write(lambda: self.journal.take(upload_id, LEASE_TTL))
        if entry.state is not State.QUEUED:
            self.books.taken_over += 1
        self._free[machine] -= 1
        self._busy += 1
        self.books.busiest = max(self.books.busiest, self._busy)
        run = _Run(number, machine, lease, entry.plan)
        epoch = self._epoch[machine]
        self._at(self.now + RENEW_EVERY, self._renew, run, epoch)
        if entry.state is State.PROCESSING:
            self._watch(run)
        elif entry.session is not None:
            run.next_part = entry.confirmed
            if self.books.posts[number]:  # its last part arrived before the machine died
                self._stored(run)
            else:
                self._send(run, epoch)
        else:
            self._open(run, entry, epoch)

    def _again(self, number: int) -> None:
        if number not in self._queued:
            self._hand_out(number)

    def _put_off(self, upload_id: str, wait: float) -> None:
        self.books.put_off += 1
        _, lease = self._write(lambda: self.journal.take(upload_id, LEASE_TTL))
        moment = self.now + wait
        self._write(lambda: self.journal.save(lease, {"not_before": moment}))
        self._write(lambda: self.journal.release(lease))

    def _open(self, run: _Run, entry: Entry, epoch: int) -> None:
        account = entry.account or ""
        self._write(lambda: self.journal.save(run.lease, {"state": State.OPENING}, durable=True))
        windows = self._ask(account, self._init)
        self._at(self.now + INIT_SECONDS, self._opened, run, windows, epoch)

    def _opened(self, run: _Run, windows: list[MovingWindow], epoch: int) -> None:
        for window in windows:
            window.stamp(self.now)
        if epoch != self._epoch[run.machine]:
            return
        session = Session(
            {"publish_id": f"v_pub_file~v2.{run.number}"},
            {"upload_url": Secret(f"https://upload.invalid/{run.number:032x}")},
            created_at=self.now,
        )
        run.opened_at = self.now
        self._write(
            lambda: self.journal.save(
                run.lease,
                {"state": State.SENDING, "session": session, "fields": dict(session.fields)},
            )
        )
        self._send(run, epoch)

    def _send(self, run: _Run, epoch: int) -> None:
        part = run.plan.part(run.next_part)
        if run.plan.is_last(part):
            self._write(
                lambda: self.journal.save(run.lease, {"state": State.COMMITTING}, durable=True)
            )
        active = max(1, self.fleet.lanes - self._free[run.machine])
        rate = min(self.fleet.upload_line, self.fleet.line / active)
        self._at(self.now + part.length / rate, self._part_arrived, run, epoch)

    def _part_arrived(self, run: _Run, epoch: int) -> None:
        if epoch != self._epoch[run.machine]:
            return
        part = run.plan.part(run.next_part)
        run.next_part += 1
        if run.plan.is_last(part):
            self.books.posts[run.number] += 1
            self._stored(run)
            return
        record = PartRecord(part.index, f"{part.index:032x}")
        self._write(lambda: self.journal.save(run.lease, {"confirmed": run.next_part}, part=record))
        self._send(run, epoch)

    def _stored(self, run: _Run) -> None:
        """Every byte is there: the lane is free, and the status is asked about."""
        self._write(
            lambda: self.journal.save(
                run.lease, {"state": State.PROCESSING, "confirmed": run.plan.count}
            )
        )
        self._watch(run)
        run.ready_at = self.now + self._chance.expovariate(1 / 30)

    def _watch(self, run: _Run) -> None:
        epoch = self._epoch[run.machine]
        self._free[run.machine] += 1
        self._busy -= 1
        self._at(self.now + run.wait, self._poll, run, epoch)
        self._dispatch()

    def _poll(self, run: _Run, epoch: int) -> None:
        if epoch != self._epoch[run.machine]:
            return
        account = self._account(run.number)
        wait = self._room(account, self._status)
        if wait > 0:
            self._at(self.now + wait, self._poll, run, epoch)
            return
        windows = self._ask(account, self._status)
        self._at(self.now + STATUS_SECONDS, self._polled, run, windows, epoch)

    def _polled(self, run: _Run, windows: list[MovingWindow], epoch: int) -> None:
        for window in windows:
            window.stamp(self.now)
        if epoch != self._epoch[run.machine]:
            return
        if self.now < run.ready_at:
            run.wait = min(60.0, run.wait * 1.6)
            self._at(self.now + run.wait, self._poll, run, epoch)
            return
        self._write(lambda: self.journal.save(run.lease, {"state": State.DONE}))
        self._write(lambda: self.journal.release(run.lease))
        run.over = True
        entry = self.journal.get(run.lease.upload_id)
        self.books.waits.append(self.now - (entry.created if entry else self.now))
        self._ended += 1
        if self._ended % 1000 == 0:
            self._progress(self._ended)

    def _sweep(self) -> None:
        """Hand out what is due and has neither a lease nor a message."""
        for upload_id in self.journal.due(self.now, SWEPT):
            number = int(upload_id, 16)
            if number in self._queued:
                continue
            entry = self.journal.get(upload_id)
            # Nobody knows whether it was opened: what was opened dies after an hour.
            unanswered = entry is not None and entry.state is State.OPENING
            if entry is None or (unanswered and self.now < entry.updated + URL_LIFETIME):
                continue
            self._hand_out(number)
        self._at(self.now + SWEEP_EVERY, self._sweep)

    def _kill(self, machine: int) -> None:
        """End a machine without a word: what it held is taken over when its leases lapse."""
        self.books.kills += 1
        self._epoch[machine] += 1
        self._busy -= self.fleet.lanes - self._free[machine]
        self._free[machine] = self.fleet.lanes

    # Books.

    def _account(self, number: int) -> str:
        """Return whose upload it is: eight in a row are one account's, and a few post too much."""
        if number % 97 == 0:
            return f"account-{number // 97 % max(1, self.fleet.accounts // 100)}"
        return f"account-{number // BURST % self.fleet.accounts}"

    def _room(self, account: str, operation: str) -> float:
        return max(
            (
                self._windows.setdefault((account, rate.name), MovingWindow()).wait(rate, self.now)
                for rate in self._rates[operation]
            ),
            default=0.0,
        )

    def _ask(self, account: str, operation: str) -> list[MovingWindow]:
        """Let a request out, and let the server count it by its own books."""
        found = []
        for rate in self._rates[operation]:
            window = self._windows.setdefault((account, rate.name), MovingWindow())
            window.hold()
            found.append(window)
            seen = self.books.sent.setdefault((account, rate.name), deque())
            while seen and seen[0] <= self.now - rate.window:
                seen.popleft()
            seen.append(self.now)
            self.books.above += len(seen) > rate.amount
        return found

    def _renew(self, run: _Run, epoch: int) -> None:
        """Hold the lease as the engine does, by a timer, until the run is over."""
        if epoch == self._epoch[run.machine] and not run.over:
            self.books.renewals += 1
            self._write(lambda: self.journal.renew(run.lease))
            self._at(self.now + RENEW_EVERY, self._renew, run, epoch)

    def _write(self, call: Callable[[], Any]) -> Any:
        self.books.writes[int((self.now - BEGIN) / 60)] += 1
        return call()

    def _leases(self) -> int:
        """Count uploads that somebody still holds."""
        found = self.journal.latest(1000, states=set(State) - {State.DONE})
        done = self.journal.latest(1000, states={State.DONE})
        return sum(entry.holder is not None for entry in (*found, *done))
