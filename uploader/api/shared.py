"""What both faces do alike: settings in, uploads prepared and started on the engine's thread."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from uploader.api.handle import UploadHandle
from uploader.api.thread import EngineThread
from uploader.engine import Clock, Engine, Prepared, Settings, prepare
from uploader.engine.run import UploadRun
from uploader.errors import ConfigurationError, UploaderError
from uploader.events import Subscriber
from uploader.http import Timeouts
from uploader.model import Outcome, Session, UploadResult
from uploader.pacing import PollPolicy
from uploader.retry import RetryPolicy
from uploader.source import SourceInput, SourceMode
from uploader.transport import CredentialSource, Destination, Flow

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

T = TypeVar("T")
Pair = tuple[SourceInput, Destination]


class Face:
    """The engine's thread and what it is set to.

    `credentials(transport, account)` returns the token of an account, for destinations that bring
    none. `subscribers` are called with every event, on a thread of their own. `registry` takes the
    Prometheus metrics, by default the process's own; `metrics=False` leaves them out.
    `max_uploads` are driven at once, `window_bytes` of file content are in memory at once, and
    `bandwidth` bytes a second go out, over all uploads together.
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
        max_uploads: int | None = None,
        window_bytes: int | None = None,
        bandwidth: float | None = None,
        source_mode: SourceMode | str = SourceMode.AUTO,
        ssl_context: ssl.SSLContext | None = None,
        clock: Clock | None = None,
    ) -> None:
        given = {
            "timeouts": timeouts,
            "retry": retry,
            "poll": poll,
            "max_uploads": max_uploads,
            "window_bytes": window_bytes,
            "bandwidth": bandwidth,
            "ssl_context": ssl_context,
            "clock": clock,
        }
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        try:
            chosen["source_mode"] = SourceMode(source_mode)
        except ValueError:
            raise ConfigurationError(
                f"there is no source mode {source_mode!r}: use {', '.join(SourceMode)}"
            ) from None
        for name in ("max_uploads", "window_bytes", "bandwidth"):
            if name in chosen and chosen[name] <= 0:
                raise ConfigurationError(f"{name} is {chosen[name]}, it must be above 0")
        self._settings = Settings(**chosen)
        self._credentials = credentials
        self._subscribers = tuple(subscribers)
        self._registry = registry
        self._metrics = metrics
        self._thread = EngineThread(self._engine)

    def start(self) -> None:
        """Start the engine's thread now; otherwise the first upload does."""
        self._thread.start_now()

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
        )

    def _start(
        self, prepared: Prepared, *, wait: bool = True, poll: PollPolicy | None = None
    ) -> UploadHandle:
        shown = _Shown(prepared.facts.size)

        async def work(engine: Engine) -> UploadResult:
            run = UploadRun(engine, prepared, wait=wait, poll=poll)
            shown.tally = run.tally
            try:
                return await run.run()
            finally:
                # A handle is kept for its result; it must not keep the run and its source.
                shown.tally.tell = _untold
                await engine.hub.flush()

        future, cancel = self._thread.start(work)
        return UploadHandle(prepared.upload_id, shown, future, cancel)

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


class _Shown:
    """The progress of an upload, also before its run exists."""

    def __init__(self, total: int) -> None:
        from uploader.engine.progress import Tally

        self.tally = Tally(total, lambda: 0.0)

    @property
    def progress(self) -> Any:
        return self.tally.progress


def _untold(count: int) -> None:
    """Tell nobody: the run is over."""


def refused(error: UploaderError, destination: Destination) -> UploadResult:
    """Return the result of an upload that could not begin, or whose source failed."""
    return UploadResult(
        outcome=Outcome.FAILED,
        upload_id=error.upload_id or "",
        transport=destination.transport().name,
        account=destination.account,
        error=error,
    )
