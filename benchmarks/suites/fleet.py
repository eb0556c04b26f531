"""Does a fleet keep its promises through a day, and what does its journal have to bear?

Rule: the day is simulated on a clock that jumps, with the real journal and the real limits; what
the journal can bear is measured on this machine's disk. `docs/scale.md` draws the consequences.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.fleet import Clockwork, Day, Fleet
from benchmarks.report import Limit, Report, Section
from uploader.journal import Entry, PartRecord, State
from uploader.journals.sqlite import SqliteJournal
from uploader.model import Plan

QUESTION = "does a fleet keep its promises through a day, and what does its journal bear?"
UPLOADS = (10_000, 100_000)
QUICK_UPLOADS = (2_000,)
MACHINES_PER = 60_000
ACCOUNTS_PER = 10
WRITERS = (1, 4)
_DAY_COLUMNS = (
    "uploads",
    "machines",
    "accounts",
    "done, posted once",
    "above a limit",
    "leases left",
    "killed machines",
    "taken over",
    "held back",
    "put off a day",
    "median wait s",
    "writes an upload",
    "peak writes/s",
    "bytes an upload",
    "real s",
)
_WRITE_COLUMNS = ("processes", "transactions/s", "synced to the disk", "ms each")


def measure(bench: Bench) -> Report:
    """Run the suite; `--size` is the number of uploads instead."""
    report = Report("fleet", QUESTION)
    options = bench.options
    asked = (options.size,) if options.size else None
    days = [_day(bench, uploads) for uploads in asked or _uploads(quick=options.quick)]
    report.sections.append(Section("a simulated day", _DAY_COLUMNS, tuple(map(_row, days)), {}))
    for day in days:
        name = f"{day.fleet.uploads:,} uploads: each posted once, within limits, nothing left"
        report.limits.append(Limit(name, float(day.is_right), 1, "at least"))
    seconds = 1.0 if options.quick else 5.0
    rows = tuple(_writes(bench.workspace.path, count, seconds) for count in WRITERS)
    report.sections.append(Section("what one SQLite journal bears", _WRITE_COLUMNS, rows, {}))
    report.notes += [
        "the day's journal lies in memory where the system has a place for that; machines are"
        " killed through the day, one message in a hundred comes twice, one account in a hundred"
        " posts more than it may in a day",
        "what a journal bears: the transactions of whole uploads of two parts, on this disk",
    ]
    return report


def _uploads(*, quick: bool) -> tuple[int, ...]:
    return QUICK_UPLOADS if quick else UPLOADS


def fleet_for(uploads: int) -> Fleet:
    """Return a fleet that is large enough for the busiest hour."""
    return Fleet(
        uploads=uploads,
        machines=max(2, uploads // MACHINES_PER),
        accounts=max(5, uploads // ACCOUNTS_PER),
    )


def _day(bench: Bench, uploads: int) -> Day:
    fast = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    with tempfile.TemporaryDirectory(
        prefix="uploader-bench-", dir=fast if fast.is_dir() else bench.workspace.path
    ) as folder:
        bench.tell(f"a day of {uploads:,} uploads")
        work = Clockwork(
            fleet_for(uploads),
            Path(folder) / "journal.db",
            lambda done: bench.tell(f"a day of {uploads:,} uploads: {done:,} ended"),
        )
        return work.run()


def _row(day: Day) -> tuple[str, ...]:
    books, fleet = day.books, day.fleet
    once = sum(count == 1 for count in books.posts.values())
    waits = sorted(books.waits)
    return (
        f"{fleet.uploads:,}",
        str(fleet.machines),
        f"{fleet.accounts:,}",
        f"{min(once, day.counts.get(State.DONE, 0)):,}",
        str(books.above),
        str(day.leases),
        str(books.kills),
        str(books.taken_over),
        f"{books.held_back:,}",
        f"{books.put_off:,}",
        f"{waits[len(waits) // 2]:.0f}" if waits else "",
        f"{day.writes / fleet.uploads:.1f}",
        f"{day.peak_writes:.0f}",
        f"{day.journal_bytes / fleet.uploads:,.0f}",
        f"{day.seconds:.0f}",
    )


def _writes(folder: Path, processes: int, seconds: float) -> tuple[str, ...]:
    path = folder / f"writes-{processes}.db"
    SqliteJournal(path).close()
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        found = pool.starmap(_write, [(str(path), number, seconds) for number in range(processes)])
    total = sum(count for count, _, _ in found)
    synced = sum(durable for _, durable, _ in found)
    rate = sum(count / took for count, _, took in found)
    return (
        str(processes),
        f"{rate:,.0f}",
        f"{synced / total:.0%}",
        f"{1e3 * processes / rate:.2f}",
    )


def _write(path: str, writer: int, seconds: float) -> tuple[int, int, float]:
    """Record whole uploads until the time is over: transactions, synced ones, seconds."""
    journal = SqliteJournal(path)
    began, count, durable, number = time.perf_counter(), 0, 0, 0
    while time.perf_counter() - began < seconds:
        upload_id = f"{writer:08x}{number:024x}"
        journal.add(
            Entry(
                upload_id=upload_id,
                identity=f"{upload_id}{upload_id}",
                transport="tiktok",
                account="acme",
                name="clip.mp4",
                source="/clips/clip.mp4",
                plan=Plan(128_000_000, 64_000_000, 2),
            )
        )
        _, lease = journal.take(upload_id, 60.0)
        journal.save(lease, {"state": State.OPENING}, durable=True)
        journal.save(lease, {"state": State.SENDING})
        journal.save(lease, {"confirmed": 1}, part=PartRecord(0, f"{0:032x}"))
        journal.save(lease, {"state": State.COMMITTING}, durable=True)
        journal.save(lease, {"state": State.PROCESSING, "confirmed": 2})
        journal.save(lease, {"state": State.DONE})
        journal.release(lease)
        count, durable, number = count + 9, durable + 3, number + 1
    took = time.perf_counter() - began
    journal.close()
    return count, durable, took
