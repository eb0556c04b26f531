"""Measure a journal of 100,000 uploads: `python -m tests.journals.measure`.

Rule: no test, since a busy machine is no defect; it ends with 1 when a figure is beyond its limit.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.journals.uploads import claimed, upload
from uploader.journal import PartRecord, State
from uploader.journals import SqliteJournal
from uploader.model import Session
from uploader.secret import Secret

UPLOADS = 100_000
WRITES = 2000
DURABLE = 200


def fill(path: Path) -> None:
    """Record uploads whose columns are as long as real ones, fast."""
    with closing(SqliteJournal(path)) as journal, journal._base.transaction() as db:
        session = Session({"publish_id": "v_pub~1"}, {"upload_url": Secret("https://" + "x" * 300)})
        columns: dict[str, object] = {}
        text = {"name": "clip-000001.mp4", "source": "/srv/videos/2026/11/clip-000001.mp4"}
        one = upload("x", session=session, destination={"title": "t" * 200}, **text)
        journal._insert(db, one)
        cursor = db.execute("SELECT * FROM uploads")
        columns = dict(zip((c[0] for c in cursor.description), cursor.fetchone(), strict=True))
        db.execute("DELETE FROM uploads")
        states = [State.DONE] * 94 + [State.FAILED] * 3 + [State.UNKNOWN, State.QUEUED]
        db.executemany(
            f"INSERT INTO uploads ({', '.join(columns)})"  # noqa: S608 - the table's own columns
            f" VALUES ({', '.join(f':{name}' for name in columns)})",
            (
                columns
                | {
                    "upload_id": f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}",
                    "identity": f"{number:064x}",
                    "state": str(states[number % len(states)]),
                    "updated": 1_700_000_000.0 + number,
                }
                for number in range(UPLOADS)
            ),
        )


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def measure(path: Path) -> list[tuple[str, float, float | None]]:
    """Return names, seconds and limits."""
    fill(path)

    def open_and_list() -> None:
        with closing(SqliteJournal(path)) as journal:
            assert len(journal.latest(100)) == 100

    figures: list[tuple[str, float, float | None]] = []
    figures.append(
        ("open and list the latest 100", min(seconds(open_and_list) for _ in range(5)), 0.2)
    )
    with closing(SqliteJournal(path)) as journal:
        lease = claimed(journal, upload("1"))
        part = PartRecord(3, "d" * 32, {"etag": "e" * 32})

        def save(*, durable: bool = False) -> None:
            journal.save(lease, {"confirmed": 4}, part=part, durable=durable)

        some = [State.DONE, State.FAILED, State.UNKNOWN]
        figures += [
            ("list the latest 100", seconds(journal.latest, 20), None),
            (
                "list the latest 100 of three states",
                seconds(lambda: journal.latest(states=some), 20),
                None,
            ),
            ("due", seconds(journal.due, 5), None),
            ("counts", seconds(journal.counts, 5), None),
            ("save a part", seconds(save, WRITES), None),
            ("save a part durably", seconds(lambda: save(durable=True), DURABLE), None),
            ("renew", seconds(lambda: journal.renew(lease), WRITES), None),
            (
                "claim what is done",
                seconds(lambda: journal.claim(upload("x", f"{1:064x}"), 1), 50),
                None,
            ),
            ("prune all that is done or dead", seconds(lambda: journal.prune(2e9)), None),
            ("read the whole file (check)", seconds(journal.check), None),
        ]
    return figures


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "uploads.db"
        figures = measure(path)
        print(f"{UPLOADS:,} uploads, {path.stat().st_size / 1e6:.0f} MB")  # noqa: T201
    for name, took, limit in figures:
        print(f"{took * 1e6:12,.0f} µs  {name}")  # noqa: T201
        if limit is not None and took > limit:
            print(f"{'':15} more than {limit * 1e6:,.0f}")  # noqa: T201
    return int(any(limit is not None and took > limit for _, took, limit in figures))


if __name__ == "__main__":
    sys.exit(main())
