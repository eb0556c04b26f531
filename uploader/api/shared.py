"""What both faces do alike: settings in, uploads prepared and started on the engine's thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import getpass
import os
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from uploader import registry
from uploader.api.handle import UploadHandle
from uploader.api.recalling import opened_lately
from uploader.api.thread import EngineThread
from uploader.api.watching import Watch
from uploader.breaker import BreakerPolicy
from uploader.engine import Clock, Engine, Prepared, prepare
from uploader.engine.claiming import (
    Claimed,
    Wish,
    claim,
    claim_stream,
    enqueue,
    recorded,
    take,
)
from uploader.engine.environment import settings_of
from uploader.engine.feeding import Feed
from uploader.engine.limiting import Opened
from uploader.engine.logbook import Logbook
from uploader.engine.retrying import Lost, Retry
from uploader.engine.retrying import retry as record_anew
from uploader.engine.run import UploadRun
from uploader.engine.stopping import Stop, StopReason
from uploader.engine.streaming import StreamRun
from uploader.errors import ConfigurationError, JournalError, LeaseHeldError, UploaderError
from uploader.events import Event, PauseLifted, PauseSet, Subscriber
from uploader.http import Timeouts
from uploader.journal import Entry, Journal, Pause, State
from uploader.limits import Limiter, RateChanges
from uploader.model import Outcome, Progress, Session, UploadResult
from uploader.pacing import PollPolicy
from uploader.retry import RetryPolicy
from uploader.source import OneRead, SourceInput, SourceMode, describe
from uploader.transport import CredentialSource, Destination, Flow, Preflight

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

T = TypeVar("T")
Pair = tuple[SourceInput, Destination]


class Face:
    """The engine's thread and what it is set to.

    `credentials(transport, account)` returns the token of an account, for destinations that bring
    none. `journal` is a path (an SQLite file), a `Journal`, or `None` for one in memory, which ends
    with the process. `subscribers` are called with every event, on a thread of their own.
    `registry` takes the Prometheus metrics, by default the process's own; `metrics=False` leaves
    them out.
    `max_uploads` are driven at once, `window_bytes` of file content and `stream_bytes` of streams
    are in memory at once, and `bandwidth` bytes a second go out, over all uploads together. Parts
    have about `part_size` bytes where the destination is given no size. Several accounts that are
    refused in the same words pause a destination, as `breaker` says. What is not given here the
    environment may say (docs/settings.md), such as UPLOADER_MAX_UPLOADS.
    How often an account may ask is counted in this process, and by `limiter` together with others.
    An upload waits for that at most `limit_wait` seconds, holding nothing, and is SUSPENDED where
    it would take longer. The variable UPLOADER_RATES changes the rates ("tiktok.status=60"), "off"
    ends all counting.
    With `preflight` the destination is asked before an upload is opened, where it can be, whether
    it would take it: what is hopeless raises `PreflightError` with every reason, and nothing is
    sent of it.
    """

    def __init__(
        self,
        *,
        credentials: CredentialSource | None = None,
        subscribers: Iterable[Subscriber] = (),
        registry: CollectorRegistry | None = None,
        metrics: bool = True,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        poll: PollPolicy | None = None,
        breaker: BreakerPolicy | None = None,
        max_uploads: int | None = None,
        window_bytes: int | None = None,
        stream_bytes: int | None = None,
        bandwidth: float | None = None,
        limiter: Limiter | None = None,
        limit_wait: float | None = None,
        part_size: int | None = None,
        source_mode: SourceMode | str | None = None,
        preflight: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        journal: str | os.PathLike[str] | Journal | None = None,
    ) -> None:
        given = {
            "timeouts": timeouts,
            "retry": retry,
            "poll": poll,
            "breaker": breaker,
            "max_uploads": max_uploads,
            "window_bytes": window_bytes,
            "stream_bytes": stream_bytes,
            "bandwidth": bandwidth,
            "limiter": limiter,
            "limit_wait": limit_wait,
            "part_size": part_size,
            "source_mode": _mode(source_mode),
            "ssl_context": ssl_context,
            "clock": clock,
            "rates": RateChanges.read(os.environ.get("UPLOADER_RATES", "")),
        }
        for name in ("max_uploads", "window_bytes", "stream_bytes", "bandwidth", "part_size"):
            if (value := cast("float | None", given[name])) is not None and value <= 0:
                raise ConfigurationError(f"{name} is {value}, it must be above 0")
        if limit_wait is not None and limit_wait < 0:
            raise ConfigurationError(f"limit_wait is {limit_wait}, it must not be below 0")
        self._settings = settings_of(given, os.environ)
        self._credentials = credentials
        self._journal = journal
        self._open_journal: Journal | None = None
        self._tell_no_more: Callable[[], None] = lambda: None
        self._closed = False
        self._journal_lock = threading.Lock()
        self._subscribers = tuple(subscribers)
        self._registry = registry
        self._metrics = metrics
        self._preflights = preflight
        self._thread = EngineThread(self._engine)

    def start(self) -> None:
        """Start the engine's thread now; otherwise the first upload does."""
        self._thread.start_now()

    @property
    def journal(self) -> Journal:
        """The journal, opened on first use."""
        with self._journal_lock:
            if self._closed:
                # A journal in memory would have forgotten everything by now.
                raise UploaderError("the uploader is closed")
            if self._open_journal is None:
                self._open_journal = self._instrumented(self._opened())
            return self._open_journal

    def _opened(self) -> Journal:
        match self._journal:
            case None:
                from uploader.journals.memory import MemoryJournal

                return MemoryJournal(clock=self._settings.clock.time)
            case str() | os.PathLike():
                from uploader.journals.sqlite import SqliteJournal

                return SqliteJournal(self._journal, clock=self._settings.clock.time)
        return self._journal

    def _instrumented(self, journal: Journal) -> Journal:
        if not self._metrics:
            return journal
        from uploader.instruments import instrumented

        seen, self._tell_no_more = instrumented(journal, self._registry)
        return seen

    def _close_journal(self) -> None:
        """Close a journal that this face opened."""
        with self._journal_lock:
            opened, self._open_journal = self._open_journal, None
            self._closed = True
        self._tell_no_more()
        if opened is not None and isinstance(self._journal, str | os.PathLike | None):
            opened.close()

    def now(self) -> float:
        """Return the wall clock's seconds, by which sessions are dated and deadlines counted."""
        return self._settings.clock.time()

    def _engine(self) -> Engine:
        from uploader.instruments import standard_subscribers

        own: Sequence[Subscriber] = standard_subscribers(self._registry, metrics=self._metrics)
        return Engine(
            self._settings,
            credentials=self._credentials,
            subscribers=(*own, *self._subscribers),
            recall=partial(_recalled, weakref.ref(self)),
        )

    def _prepare(
        self,
        source: SourceInput,
        destination: Destination,
        session: Session | None = None,
        part_size: int | None = None,
    ) -> Prepared:
        return prepare(
            source,
            destination,
            credentials=self._credentials,
            session=session,
            part_size=part_size,
            about=self._settings.part_size,
        )

    def _submit(
        self,
        source: SourceInput,
        destination: Destination,
        *,
        wish: Wish,
        drive: Drive,
        session: Session | None = None,
        part_size: int | None = None,
    ) -> UploadHandle:
        prepared = self._prepare(source, destination, session, part_size)
        return self._start(claim(prepared, self.journal, wish), drive)

    def _submit_to_all(
        self, source: SourceInput, destinations: Iterable[Destination], drive: Drive
    ) -> list[UploadHandle | UploaderError]:
        """Start one upload for each destination; a refusal of one stands in its place."""
        _, source = describe(source)  # what has no descriptor is copied once
        shared = OneRead()
        started: list[UploadHandle | UploaderError] = []
        for destination in destinations:
            try:
                prepared = self._prepare(source, destination)
                prepared.shared = shared
                started.append(self._start(claim(prepared, self.journal, Wish()), drive))
            except UploaderError as error:
                started.append(error)
            except BaseException:
                suspend(started)
                raise
        return started

    def _refused(self, error: UploaderError, destination: Destination) -> UploadResult:
        """Return the result of an upload that raised; what may be posted is not failed."""
        entry = self.journal.get(error.upload_id) if error.upload_id else None
        if entry is not None and entry.state is State.UNKNOWN and not held(error):
            return replace(recorded(entry), error=error)
        return refused(error, destination)

    def _resume(
        self, upload_id: str, source: SourceInput | None, *, drive: Drive, look_only: bool
    ) -> UploadHandle:
        claimed = take(
            upload_id,
            self.journal,
            _rebuild,
            source=source,
            credentials=self._credentials,
            look_only=look_only,
        )
        return self._start(claimed, drive, look_only=look_only)

    def _start_stream(
        self, prepared: Callable[[], Prepared], feed: Feed, wish: Wish, drive: Drive
    ) -> UploadHandle:
        """Start the upload of a stream; what its key names is ended, or answered, first."""
        claimed = claim_stream(prepared(), self.journal, wish)
        if claimed.fresh:
            return self._start(claimed, drive, feed=feed)
        handle = self._start(claimed, drive)
        if claimed.lease is not None and handle.wait().outcome is Outcome.FAILED:
            claimed = claim_stream(prepared(), self.journal, wish)
            if claimed.fresh:
                return self._start(claimed, drive, feed=feed)
        self._thread.post(feed.close)
        return handle

    def _enqueue(self, source: SourceInput, destination: Destination, wish: Wish) -> str:
        return enqueue(self._prepare(source, destination), self.journal, wish, _rebuild)

    def _start(
        self,
        claimed: Claimed,
        drive: Drive,
        *,
        look_only: bool = False,
        feed: Feed | None = None,
    ) -> UploadHandle:
        live = _Live(claimed.entry.plan.size, self._thread)
        lease, prepared = claimed.lease, claimed.prepared
        if claimed.recorded is not None or lease is None or prepared is None:
            known: concurrent.futures.Future[UploadResult] = concurrent.futures.Future()
            known.set_result(claimed.recorded or recorded(claimed.entry))
            return UploadHandle(
                claimed.entry.upload_id, live, known, live.stop, found=claimed.entry
            )

        async def work(engine: Engine) -> UploadResult:
            logbook = Logbook(
                self.journal,
                claimed.entry,
                lease,
                engine.journal_executor,
                refer=prepared.abilities.refer,
            )
            manner: dict[str, Any] = {
                "wait": drive.wait,
                "poll": drive.poll,
                "time_limit": drive.time_limit,
                "look_only": look_only,
                "fresh": claimed.fresh,
                "watched_since": drive.watched_since,
            }
            run = (
                StreamRun(engine, prepared, logbook, feed=feed, **manner)
                if claimed.entry.is_stream
                else UploadRun(engine, prepared, logbook, **manner)
            )
            live.attach(run)
            try:
                with engine.braked(run.stop):
                    return await run.run()
            finally:
                live.detach()
                await engine.hub.flush()

        try:
            if self._preflights if drive.preflight is None else drive.preflight:
                prepared.preflight = _preflight_of(prepared.destination)
            future, _ = self._thread.start(work)
        except BaseException:
            self.journal.release(lease)
            raise
        found = None if claimed.fresh else claimed.entry
        return UploadHandle(prepared.upload_id, live, future, live.stop, found=found)

    def _check_first(self, source: SourceInput | None, destination: Destination) -> Any:
        """Do what a run does before it opens an upload; `None` where nothing can be asked."""
        preflight = _preflight_of(destination)
        if preflight is None:
            return None
        return self._thread.call(
            lambda engine: engine.preflights.check(
                preflight,
                source,
                lambda ask: engine.call(destination, "preflight", ask, repeatable=True),
            )
        )

    # Pauses.

    def _pause(
        self,
        transport: str | None,
        account: str | None,
        *,
        reason: str,
        seconds: float | None,
        by: str | None,
    ) -> Pause:
        if seconds is not None and seconds <= 0:
            raise ConfigurationError(f"a pause of {seconds:g} s, it must be above 0")
        now = self._settings.clock.time()
        until = None if seconds is None else now + seconds
        who = whoever() if by is None else by
        pause = Pause(transport, account, reason, since=now, until=until, by=who)
        self.journal.pause(pause)
        self._tell_of_pause(
            PauseSet(
                transport=transport or "", account=account, reason=reason, by=pause.by, until=until
            )
        )
        return pause

    def _unpause(self, transport: str | None, account: str | None) -> int:
        lifted = self.journal.unpause(transport, account)
        if lifted:
            self._tell_of_pause(
                PauseLifted(transport=transport or "", account=account, by=whoever())
            )
        return lifted

    def _pauses(self) -> Sequence[Pause]:
        return self.journal.pauses()

    def _retry(self, wanted: Lost, *, dry_run: bool) -> Sequence[Retry]:
        return record_anew(self.journal, wanted, now=self.now(), dry_run=dry_run)

    def _tell_of_pause(self, event: Event) -> None:
        async def told(engine: Engine) -> None:
            engine.board.forget()
            engine.hub.emit(event)
            await engine.hub.flush()

        self._thread.call(told)

    def _watch(
        self, entries: Sequence[Entry], poll: PollPolicy | None
    ) -> tuple[concurrent.futures.Future[list[UploadResult | None]], Callable[[], None]]:
        """Watch uploads that servers work on, by one task; return its future and a way to end it.

        Nothing is held between questions.
        """

        async def look(engine: Engine, upload_id: str, since: float) -> UploadResult | None:
            drive = Drive(poll=PollPolicy(attempts=1), watched_since=since)
            loop = asyncio.get_running_loop()
            try:
                handle = await loop.run_in_executor(
                    engine.journal_executor,
                    lambda: self._resume(upload_id, None, drive=drive, look_only=False),
                )
                return await asyncio.wrap_future(handle.future)
            except LeaseHeldError:
                return None
            except UploaderError as error:
                entry = await loop.run_in_executor(
                    engine.journal_executor, self.journal.get, upload_id
                )
                return replace(recorded(entry), error=error) if entry is not None else None

        async def work(engine: Engine) -> list[UploadResult | None]:
            policy = poll or self._settings.poll
            watch = Watch(engine, entries, policy, lambda *given: look(engine, *given))
            stop = Stop(self._settings.clock, None)
            stop.task = asyncio.current_task()
            with engine.braked(stop):
                return await watch.run()

        return self._thread.start(work)

    def hurry(self, upload_id: str) -> None:
        """Ask now about an upload that this uploader watches: somebody has told that it ended.

        Returns at once, from any thread. Nothing happens when it is not being watched.
        """
        self._thread.call_soon(lambda engine: engine.rounds.hurry(upload_id))

    def _worked_on(self, ids: Iterable[str]) -> list[Entry]:
        """Return those of the uploads whose bytes are all confirmed."""
        entries = (self.journal.get(upload_id) for upload_id in ids)
        return [each for each in entries if each is not None and each.state is State.PROCESSING]

    def _due(self) -> Sequence[str]:
        return self.journal.due(self._settings.clock.time())

    def _call(
        self,
        destination: Destination,
        operation: str,
        make: Callable[[], Flow[T]],
        *,
        repeatable: bool,
    ) -> T:
        return self._thread.call(
            lambda engine: engine.call(destination, operation, make, repeatable=repeatable)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """How one run is driven."""

    wait: bool = True
    poll: PollPolicy | None = None
    time_limit: float | None = None
    preflight: bool | None = None
    """`None` leaves it to the uploader."""
    watched_since: float | None = None
    """Makes it one look of many: see `UploadRun`."""


class _Live:
    """An upload's progress and brake, also before its run exists on the engine's loop."""

    def __init__(self, total: int, thread: EngineThread) -> None:
        self._thread = thread
        self._last = Progress(total)
        self._run: UploadRun | None = None
        self._reason: StopReason | None = None

    @property
    def progress(self) -> Progress:
        run = self._run
        return run.tally.progress if run is not None else self._last

    def attach(self, run: UploadRun) -> None:
        self._run = run
        if self._reason is not None:
            run.stop.reason = self._reason
            # The run's task is the current one: it is stopped at its first wait.
            task = asyncio.current_task()
            if task is not None:
                task.cancel()

    def detach(self) -> None:
        """Keep the numbers and let the run go: a handle must not keep its source."""
        if self._run is not None:
            self._last, self._run = self._run.tally.progress, None

    def stop(self, reason: StopReason) -> None:
        self._thread.post(lambda: self._stop(reason))

    def _stop(self, reason: StopReason) -> None:
        if self._run is not None:
            self._run.stop.now(reason)
        elif self._reason is None:
            self._reason = reason


def _mode(source_mode: SourceMode | str | None) -> SourceMode | None:
    try:
        return None if source_mode is None else SourceMode(source_mode)
    except ValueError:
        raise ConfigurationError(
            f"there is no source mode {source_mode!r}: use {', '.join(SourceMode)}"
        ) from None


def _rebuild(transport: str, fields: Mapping[str, Any]) -> Destination:
    return registry.load(transport).destination(None, fields)


def _preflight_of(destination: Destination) -> Preflight | None:
    """Return what checks an upload before it is sent, where its transport's factory offers it."""
    name = destination.transport().name
    if name not in registry.names():
        return None
    make = getattr(registry.load(name), "preflight", None)
    return make(destination) if make is not None else None


def whoever() -> str:
    """Return who this process is, for others that read a journal."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may know no name of its user
        name = f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
    return f"{name} on {socket.gethostname()}"


def _recalled(face: weakref.ref[Face]) -> list[Opened]:
    """Tell what accounts have opened lately; a journal that fails knows of nothing.

    Nobody's engine keeps its face: that ends when nobody holds it any more.
    """
    asking = face()
    try:
        if asking is not None:
            return opened_lately(asking.journal, asking._settings.rates, asking.now())
    except UploaderError:
        pass
    return []


def suspend(started: Iterable[UploadHandle | UploaderError]) -> None:
    """Stop uploads that nobody waits for any more."""
    for each in started:
        if isinstance(each, UploadHandle):
            each.suspend()


def held(error: UploaderError) -> bool:
    """Tell whether an upload is held up, by another run or by a journal that fails."""
    return isinstance(error, JournalError)


def refused(error: UploaderError, destination: Destination) -> UploadResult:
    """Return the result of an upload that could not begin, or whose source failed."""
    return UploadResult(
        outcome=Outcome.SUSPENDED if held(error) else Outcome.FAILED,
        upload_id=error.upload_id or "",
        transport=destination.transport().name,
        account=destination.account,
        error=error,
    )
