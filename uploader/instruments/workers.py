"""Metrics of many worker processes: sums that stay right, in few files, when workers come and go.

The Prometheus client keeps one file of each kind for each process in `PROMETHEUS_MULTIPROC_DIR`,
and adds them up at a scrape. Nothing there ever removes the counters of a worker that ended.

Rule: the counts of the dead are merged into one file, their gauges are removed. Whoever reads or
merges holds a lock on the directory; a merge that was cut short is finished by whoever comes next,
and counts nothing twice. The directory belongs to processes that see each other: in another PID
namespace nobody can tell who is dead, and nothing is merged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import struct
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if sys.platform != "win32":
    import fcntl

LOG = logging.getLogger("uploader")

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
KINDS = ("counter", "histogram", "summary")
"""What adds up after a process's end; a gauge of a dead process says nothing."""
FEW = 48
"""Files of the dead that may lie about before they are merged."""
_LOCK, _PLAN, _HOME = "uploader.lock", "uploader-merge.json", "uploader-home"
_ASIDE = ".aside"


def directory() -> Path | None:
    """Return where the processes' files are; `None` where each process stands for itself."""
    from prometheus_client import values

    # Set too late, after the client was imported, the variable says what is not so.
    if not getattr(values.ValueClass, "_multiprocess", False):
        return None
    path = os.environ.get(VARIABLE)
    return Path(path) if path else None


def worker_gone(pid: int | None = None) -> None:
    """Forget the gauges of a worker that ended, and merge counters when many lie about.

    For gunicorn's `child_exit` (with `worker.pid`) and Celery's `worker_process_shutdown` (with its
    `pid`), which may call it in the worker itself. Does nothing without the multiprocess mode.
    """
    path = directory()
    if path is None:
        return
    try:
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            mark_process_dead(os.getpid() if pid is None else pid, str(path))
        tidy(path)
    except OSError as error:  # a hook that raises would end gunicorn's master
        LOG.warning("the metrics in %s cannot be tidied: %s", path, error.strerror)


def tidy(path: Path) -> None:
    """Remove dead workers' gauges; merge their counters once there are more than a few."""
    pids = _pids(path)
    dead = {pid for pid in pids if not _alive(pid)}
    if not dead or not _at_home(path):
        return
    for file in path.glob("gauge_live*_*.db"):
        if _pid(file) in dead:
            file.unlink(missing_ok=True)
    if sum(len(_counted(path, pid)) for pid in dead) > FEW:
        compact(path)


def compact(path: Path | None = None) -> int:
    """Merge the counters of all dead workers into one file a kind; return how many files that took.

    Safe beside workers that count, scrapes of `uploader.instruments.serving` and other merges.
    """
    path = path or directory()
    if path is None or not _at_home(path):
        return 0
    with _locked(path, exclusive=True):
        _finish(path)
        for pid in _pids(path):
            if not _alive(pid):
                _set_aside(path, pid)
        return _merge(path)


class WorkersCollector:
    """Add up the files of all processes. One scrape sees no half-done merge."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterable[Metric]:
        tidy(self._path)
        while True:
            with _locked(self._path, exclusive=False):
                if not _cut_short(self._path):
                    return list(MultiProcessCollector.merge(_begun(self._path)))
            with _locked(self._path, exclusive=True):
                _finish(self._path)
                _merge(self._path)


def _begun(path: Path) -> list[str]:
    """Return the files to read. One of no size belongs to a worker that starts at this moment."""
    return [str(file) for file in path.glob("*.db") if _size(file)]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _locked(path: Path, *, exclusive: bool) -> Iterator[None]:
    if sys.platform == "win32":
        yield  # no forks, no workers
        return
    with (path / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        try:
            yield
        finally:
            # Closing is not enough where a worker was forked meanwhile: it holds the same opening.
            fcntl.flock(lock, fcntl.LOCK_UN)


def _pids(path: Path) -> set[int]:
    return {pid for file in path.glob("*.db") if (pid := _pid(file)) is not None}


def _pid(file: Path) -> int | None:
    name = file.stem.rpartition("_")[2]
    return int(name) if name.isdecimal() else None


def _counted(path: Path, pid: int) -> list[Path]:
    files = (path / f"{kind}_{pid}.db" for kind in KINDS)
    return [file for file in files if file.exists()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _at_home(path: Path) -> bool:
    """Whether PIDs mean here what they meant to whoever tidied first."""
    try:
        here = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return True  # no namespaces here
    home = path / _HOME
    try:
        with home.open("x") as file:
            file.write(here)
    except FileExistsError:
        return home.read_text() in {here, ""}
    return True


def _set_aside(path: Path, pid: int) -> None:
    """Take a dead worker's files out of sight, unless its PID lives again meanwhile."""
    for file in _counted(path, pid):
        aside = path / f"{file.stem}.{uuid.uuid4().hex}{_ASIDE}"
        file.rename(aside)
        if _alive(pid):
            # A new worker of that number may have gone on in this file, or begun another.
            with contextlib.suppress(FileExistsError):
                os.link(aside, file)
                aside.unlink()


def _merge(path: Path) -> int:
    """Add what was set aside to the merged files; the plan on disk is the moment it counts."""
    aside = []
    for file in sorted(path.glob(f"*{_ASIDE}")):
        if file.stat().st_nlink > 1:  # given back, and this name was left
            file.unlink()
        else:
            aside.append(file)
    if not aside:
        return 0
    fresh: dict[str, str] = {}
    for kind in KINDS:
        mine = [file for file in aside if file.name.startswith(f"{kind}_")]
        if mine:
            merged = path / f"{kind}_merged.db"
            new = path / f"{kind}_merged.new"
            _write(new, _sums([merged, *mine]))
            fresh[new.name] = merged.name
    plan = path / _PLAN
    draft = plan.with_suffix(".new")
    draft.write_text(json.dumps({"fresh": fresh, "gone": [file.name for file in aside]}))
    draft.replace(plan)
    _finish(path)
    return len(aside)


def _finish(path: Path) -> None:
    """Carry out a plan, from wherever it was left."""
    plan = path / _PLAN
    if not plan.exists():
        return
    told = json.loads(plan.read_text())
    for new, merged in told["fresh"].items():
        with contextlib.suppress(FileNotFoundError):
            (path / new).replace(path / merged)
    for name in told["gone"]:
        (path / name).unlink(missing_ok=True)
    plan.unlink()


def _cut_short(path: Path) -> bool:
    return (path / _PLAN).exists() or any(path.glob(f"*{_ASIDE}"))


def _sums(files: Iterable[Path]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for file in files:
        if not _size(file):
            continue
        try:
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):
                sums[key] = sums.get(key, 0.0) + value
        except (RuntimeError, ValueError, struct.error) as error:
            LOG.warning("the metrics of a dead worker cannot be read: %s", type(error).__name__)
    return sums


def _write(file: Path, sums: dict[str, float]) -> None:
    file.unlink(missing_ok=True)
    written = MmapedDict(str(file))
    for key, value in sums.items():
        written.write_value(key, value, 0.0)
    written.close()
