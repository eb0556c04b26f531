"""Sums over many worker processes are right, in few files, whatever becomes of the workers."""

import itertools
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from tests.instruments.prefork import run
from tests.instruments.scrape import parsed
from tests.journals.uploads import upload
from uploader.instruments import workers
from uploader.instruments.workers import FEW, WorkersCollector, compact, tidy
from uploader.journals import SqliteJournal

NOBODY = 5_000_000
"""Above every process id that Linux gives."""


def test_living_workers_are_added_up_and_dead_ones_are_no_level(tmp_path: Path) -> None:
    """Counters of the killed stay, gauges go at once, without anybody saying that it died."""
    found = run(tmp_path / "metrics", "living")
    sums = {"sent": 4000, "requests": 4, "uploads": 4, "seconds": 28_000,
            "below 2 h": 4, "below 1 h": 0, "all": 4}  # fmt: skip
    assert found["all alive"] == {**sums, "active": 4}
    assert found["one killed"] == {**sums, "active": 3}
    assert found["all gone"] == {**sums, "active": 0}


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_recycled_workers_leave_few_files(tmp_path: Path, count: int) -> None:
    """Files stay few however many workers came and went, and no count is lost or doubled."""
    found = run(tmp_path / "metrics", "recycled", count)
    sums = {"sent": 1000 * count, "requests": count, "uploads": count, "seconds": 7000 * count,
            "below 2 h": count, "below 1 h": 0, "all": count, "active": 0}  # fmt: skip
    assert found["before"] == found["after"] == sums
    assert found["most files"] < FEW + 12
    kept = [name for name in found["files"] if name.endswith(".db") and found["mine"] not in name]
    assert kept == ["counter_merged.db", "histogram_merged.db"]


def test_merges_scrapes_and_workers_at_once_agree(tmp_path: Path) -> None:
    """No scrape ever tells less than the one before, and the end is exact."""
    found = run(tmp_path / "metrics", "crowded", 120)
    assert found["end"]["sent"] == 120_000
    assert found["end"]["all"] == 120
    assert found["seen"] == sorted(found["seen"])
    assert len(set(found["seen"])) > 5


def test_a_journal_is_not_added_up_over_workers(tmp_path: Path) -> None:
    """Five processes that know one journal with one upload tell of one upload."""
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        journal.add(upload("a1"))
    found = run(tmp_path / "metrics", "journalled", tmp_path / "uploads.db")
    assert (found["queued"], found["done"]) == (1, 0)
    assert found["uploads"] == 4


def test_a_variable_that_came_too_late_is_not_believed(tmp_path: Path) -> None:
    """A process whose client was imported before tells its own numbers, not those of no files."""
    found = run(None, "late", tmp_path)
    assert found["uploads"] == 1
    assert not list(tmp_path.iterdir())


# -- one directory, step by step ----------------------------------------------------------------


def counted(path: Path, pid: int, amount: float, kind: str = "counter") -> Path:
    """Leave the file of a worker behind."""
    file = path / f"{kind}_{pid}.db"
    written = MmapedDict(str(file))
    written.write_value(mmap_key("things", "things_total", [], [], "Things"), amount, 0.0)
    written.write_value(mmap_key("things", "things_total", ["a"], ["é"], "Things"), 1.0, 0.0)
    written.close()
    return file


def things(path: Path) -> float:
    """Return the sum that a scrape tells."""
    registry = CollectorRegistry()
    registry.register(WorkersCollector(path))
    return parsed(generate_latest(registry).decode())[("things_total", frozenset())]


def test_the_living_and_their_files_are_left_alone(tmp_path: Path) -> None:
    """Only what the dead left is merged; a second merge has nothing to do."""
    mine = counted(tmp_path, os.getpid(), 5)
    for number in range(3):
        counted(tmp_path, NOBODY + number, 10)
    assert compact(tmp_path) == 3
    assert mine.exists()
    assert things(tmp_path) == 35
    assert compact(tmp_path) == 0
    assert things(tmp_path) == 35


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(40))
def test_a_merge_that_is_killed_loses_and_doubles_nothing(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut short before any of its changes to the disk, it is finished by the next scrape."""
    counted(tmp_path, NOBODY, 100)
    compact(tmp_path)
    for number in range(1, 4):
        counted(tmp_path, NOBODY + number, 10**number)
    steps = itertools.count()

    def dying(method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(steps) == step:
                raise Killed
            return method(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "unlink", "write_text"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        try:
            compact(tmp_path)
            reached = False
        except Killed:
            reached = True
    assert reached == (step < 11)
    assert things(tmp_path) == 1210
    compact(tmp_path)
    assert things(tmp_path) == 1210
    assert not list(tmp_path.glob("*.aside"))
    assert len(list(tmp_path.glob("*.db"))) == 1


def test_a_worker_that_got_a_dead_ones_number_keeps_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lives again under a number goes on in the file of the dead; nothing is lost."""
    file = counted(tmp_path, NOBODY, 7)
    lives = iter([False, True])
    with monkeypatch.context() as patch:
        patch.setattr(workers, "_alive", lambda pid: next(lives))
        assert compact(tmp_path) == 0
    assert file.exists()
    assert things(tmp_path) == 7


def test_a_new_file_of_a_number_that_lives_again_is_kept_beside_the_old_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead one's counts are merged, the living one's file stays."""
    counted(tmp_path, NOBODY, 7)
    asked = itertools.count()

    def alive(pid: int) -> bool:
        if next(asked) == 0:
            return False
        counted(tmp_path, NOBODY, 2)
        return True

    with monkeypatch.context() as patch:
        patch.setattr(workers, "_alive", alive)
        assert compact(tmp_path) == 1
    assert {file.name for file in tmp_path.glob("*.db")} == {
        "counter_merged.db",
        f"counter_{NOBODY}.db",
    }
    assert things(tmp_path) == 9


def test_nothing_is_merged_where_process_ids_mean_something_else(tmp_path: Path) -> None:
    """In another container on the same directory a living worker looks dead: it is left alone."""
    file = counted(tmp_path, NOBODY, 7)
    gauge = counted(tmp_path, NOBODY, 1, kind="gauge_livesum")
    (tmp_path / "uploader-home").write_text("pid:[1]")
    assert compact(tmp_path) == 0
    tidy(tmp_path)
    assert file.exists()
    assert gauge.exists()


def test_a_file_that_a_dead_worker_never_finished_stops_no_merge(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty file goes in silence, a damaged one is told of; the others count."""
    counted(tmp_path, NOBODY, 7)
    (tmp_path / f"counter_{NOBODY + 1}.db").touch()
    assert things(tmp_path) == 7
    compact(tmp_path)
    assert not caplog.records
    (tmp_path / f"counter_{NOBODY + 1}.db").write_bytes(b"\xff\xff\0\0" * 9)
    compact(tmp_path)
    assert things(tmp_path) == 7
    assert "the metrics of a dead worker cannot be read" in caplog.text
