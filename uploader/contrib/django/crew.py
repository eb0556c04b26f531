"""Threads of our own, each with a database connection of its own.

Rule: what is written while an upload is driven belongs to nobody's transaction. In these threads
`connections[alias]` is ours: autocommit, READ COMMITTED, no session state, no server-side cursor,
no prepared statement, so that PgBouncer may give each transaction another server. A forked child
inherits no connection: idle ones are closed before a fork, busy ones abandoned.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import InterfaceError, OperationalError

from uploader.errors import UploaderError
from uploader.journals import forking

T = TypeVar("T")
SIZE: Final = 4
"""Connections of a process at most; the engine asks on as many threads."""
IDLE: Final = 60.0
"""Seconds after which a connection that nobody needs is closed; leases are renewed more often."""
FRESH: Final = 5.0
"""Seconds within which a connection is taken to be as alive as it was."""
BUSY: Final = 10
"""Seconds to wait for another transaction."""

Job = tuple["concurrent.futures.Future[Any]", Callable[[], Any], bool]


class _Shared:
    """What the threads of a crew share; they do not hold the crew itself."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.lock = threading.RLock()
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.made: list[BaseDatabaseWrapper] = []
        self.busy: set[BaseDatabaseWrapper] = set()
        self.free = threading.Semaphore(0)


class Crew:
    """Run work on connections to the database `alias` that nobody else uses.

    `closed` makes what is raised once it is closed.
    """

    def __init__(self, alias: str, *, closed: Callable[[], UploaderError]) -> None:
        self.alias = alias
        self._refusal = closed
        self._closed = False
        self._begin()
        forking.watch(self)

    def _begin(self) -> None:
        self._shared = _Shared(self.alias)
        self._threads: list[threading.Thread] = []

    def run(
        self,
        work: Callable[[], T],
        *,
        repeat: bool = False,
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """Run `work` to its end and return what it does.

        `repeat` says that it may be done twice, which it is when its connection is lost. When an
        exception is thrown into the waiting thread, what was done without anybody to tell is given
        to `undo`.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._shared.lock:
            if self._closed:
                raise self._refusal()
            self._find_hands()
            self._shared.jobs.put((future, work, repeat))
        try:
            return future.result()
        except BaseException:
            if not future.done() and not future.cancel():
                concurrent.futures.wait([future], timeout=BUSY)
                if undo is not None and future.done() and future.exception() is None:
                    value = future.result()
                    self.run(lambda: undo(value))
            raise

    def _find_hands(self) -> None:
        """Have a thread for one more job, if there may be one."""
        if self._shared.free.acquire(blocking=False) or len(self._threads) >= SIZE:
            return
        # What its driver raises is raised here: nobody would hear it from a thread of ours.
        own_connection(self.alias)
        thread = threading.Thread(
            target=_serve, args=(self._shared,), name="uploader-journal", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Close all connections, when what runs has ended. Idempotent."""
        with self._shared.lock:
            self._closed = True
            threads, self._threads = self._threads, []
            for _ in threads:
                self._shared.jobs.put(None)
        for thread in threads:
            thread.join(BUSY)

    # Forks.

    @property
    def fork_lock(self) -> threading.RLock:
        return self._shared.lock

    def before_fork(self) -> None:
        """Close what nobody uses at this moment.

        For SQLite that is all there is: a child that inherits its counts of locks takes none.
        """
        for wrapper in self._shared.made:
            raw = wrapper.connection
            if raw is not None and wrapper not in self._shared.busy:
                wrapper.connection = None
                with contextlib.suppress(Exception):
                    raw.close()

    def start_in_child(self) -> None:
        # Closing a busy one, or letting it be collected, would end the parent's session.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._shared))
        self._begin()


def _serve(shared: _Shared) -> None:
    """Do job after job on a connection of this thread's own."""
    wrapper = own_connection(shared.alias)
    connections[shared.alias] = wrapper
    with shared.lock:
        shared.made.append(wrapper)
    used = time.monotonic()
    try:
        while True:
            try:
                job = shared.jobs.get(timeout=IDLE)
            except queue.Empty:
                wrapper.close()
                continue
            if job is None:
                return
            future, work, repeat = job
            with _in_use(shared, wrapper):
                if time.monotonic() - used > FRESH:
                    _mend(wrapper)
                _do(future, _twice(work, wrapper) if repeat else work)
                wrapper.close_if_unusable_or_obsolete()
            used = time.monotonic()
            del job, future, work
            shared.free.release()
    finally:
        wrapper.close()


@contextlib.contextmanager
def _in_use(shared: _Shared, wrapper: BaseDatabaseWrapper) -> Any:
    if wrapper.vendor == "sqlite":
        with shared.lock:
            yield
        return
    with shared.lock:
        shared.busy.add(wrapper)
    try:
        yield
    finally:
        with shared.lock:
            shared.busy.discard(wrapper)


def _do(future: concurrent.futures.Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)


def _twice(work: Callable[[], Any], wrapper: BaseDatabaseWrapper) -> Callable[[], Any]:
    def doing() -> Any:
        before = wrapper.connection
        try:
            return work()
        except (InterfaceError, OperationalError):
            # Leaving a transaction may have opened another one already.
            if before is None or (wrapper.connection is before and wrapper.is_usable()):
                raise
        wrapper.close()
        return work()

    return doing


def _mend(wrapper: BaseDatabaseWrapper) -> None:
    """Close a connection that did not live through its idleness."""
    if wrapper.connection is not None and not wrapper.is_usable():
        wrapper.close()


def own_connection(alias: str) -> BaseDatabaseWrapper:
    """Return a connection to the database of an alias that is set as ours must be."""
    wrapper: Any = connections.create_connection(alias)
    # With DEBUG the last 9,000 statements would be kept.
    wrapper.queries_log = deque(maxlen=0)
    given = wrapper.settings_dict
    options = {**given["OPTIONS"]}
    options.pop("pool", None)
    match wrapper.vendor:
        case "postgresql":
            from django.db.backends.postgresql.psycopg_any import IsolationLevel, is_psycopg3

            options["isolation_level"] = IsolationLevel.READ_COMMITTED
            options.pop("server_side_binding", None)
            if is_psycopg3:
                options["prepare_threshold"] = None
        case "mysql":
            options["isolation_level"] = "read committed"
        case "sqlite":
            # Who reads first and writes later fails at once when another wrote in between.
            options["transaction_mode"] = "IMMEDIATE"
            options.setdefault("timeout", BUSY)
            sync = "PRAGMA synchronous = FULL"
            options["init_command"] = "; ".join(filter(None, (options.get("init_command"), sync)))
    wrapper.settings_dict = {
        **given,
        "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True,
        "CONN_MAX_AGE": None,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": options,
    }
    return wrapper  # type: ignore[no-any-return]
