"""Events as OpenTelemetry spans: upload → part → request.

    tracing = Tracing()
    with Uploader(subscribers=[tracing]) as up:
        handle = up.submit("clip.mp4", destination)
        tracing.adopt(handle.upload_id)  # the span around this becomes the upload's parent

Needs the extra `otel`; the application brings the SDK and says where spans go.

Rule: no secret, caption, file name or text of a server is an attribute: codes, numbers and ids
only. A part's span, and those of its requests, are made when it ends, with the times that its
events tell; an upload's begins and ends when its events arrive, hundredths of a second late.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
except ImportError as missing:
    raise ImportError(
        "uploader.instruments.tracing needs opentelemetry-api: pip install 'mmap-uploader[otel]'"
    ) from missing

from uploader import events
from uploader.model import Outcome

NAME = "uploader"
REMEMBERED = 4096
"""Uploads whose last span, or wanted parent, is kept: a resumed run is linked to the one before."""
_BILLION = 1_000_000_000

Attributes = Mapping[str, str | int | float | bool]


@dataclass(slots=True)
class _Request:
    event: events.RequestFinished
    ended: int


@dataclass(slots=True)
class _Part:
    """A part on its way, and what has happened to it."""

    event: events.PartStarted
    began: int
    requests: list[_Request] = field(default_factory=list)
    happened: list[tuple[str, int, Attributes]] = field(default_factory=list)
    attempts: int = 1
    error: str | None = None


@dataclass(slots=True)
class _Run:
    span: trace.Span
    context: contexts.Context
    parts: dict[int, _Part] = field(default_factory=dict)
    limited: float = 0.0

    @property
    def only_part(self) -> _Part | None:
        """The part that what happens now must belong to; `None` where lanes send several."""
        return next(iter(self.parts.values())) if len(self.parts) == 1 else None


class Tracing:
    """Make spans of events; a subscriber. `clock` returns nanoseconds since the epoch."""

    def __init__(
        self,
        provider: trace.TracerProvider | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tracer = trace.get_tracer(NAME, tracer_provider=provider)
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._parents: OrderedDict[str, contexts.Context] = OrderedDict()
        self._earlier: OrderedDict[str, trace.SpanContext] = OrderedDict()

    def adopt(self, upload_id: str) -> None:
        """Make the caller's current span the parent of an upload that it has just submitted.

        A run that has begun already, which is rare right after `submit`, gets a link instead.
        """
        current = trace.get_current_span().get_span_context()
        if not current.is_valid:
            return
        with self._lock:
            run = self._runs.get(upload_id)
            if run is not None:
                run.span.add_link(current)
            else:
                _keep(self._parents, upload_id, contexts.get_current())

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            if isinstance(event, events.UploadStarted):
                self._begin(event)
                return
            run = self._runs.get(event.upload_id)
            if run is not None:
                self._tell(run, event, self._clock())
            elif isinstance(event, events.UploadEnded):
                self._never_begun(event)

    def _tell(self, run: _Run, event: events.Event, now: int) -> None:
        match event:
            case events.PartStarted():
                part = run.parts.setdefault(event.part, _Part(event, now))
                part.attempts = event.attempt
            case events.PartFailed():
                self._happened(run.parts.get(event.part), run, event, now, attempt=event.attempt)
            case events.PartConfirmed():
                if event.part in run.parts:
                    part = run.parts.pop(event.part)
                    part.error, part.began = None, now - _ns(event.seconds)
                    self._end_part(run, part, now)
            case events.RequestFinished():
                self._request(run, _Request(event, now))
            case events.RetryScheduled():
                facts: dict[str, Any] = {"operation": event.operation, "attempt": event.attempt}
                self._happened(run.only_part, run, event, now, **facts, wait=event.wait)
            case events.Resynced(offset=offset):
                told = {} if offset is None else {"offset": offset}
                self._happened(run.parts.get(event.part), run, event, now, **told)
            case events.SessionCreated() | events.SessionRestarted() | events.SourceFallback():
                self._happened(None, run, event, now)
            case events.ProcessingChanged():
                self._happened(None, run, event, now, state=event.state, terminal=event.terminal)
            case events.LimitWaited():
                run.limited += event.seconds
            case events.UploadEnded():
                self._end(run, event, now)

    def _begin(self, event: events.UploadStarted) -> None:
        parent = self._parents.pop(event.upload_id, None) or contexts.get_current()
        earlier = self._earlier.pop(event.upload_id, None)
        span = self._tracer.start_span(
            "upload",
            context=parent,
            links=[trace.Link(earlier)] if earlier is not None else [],
            start_time=self._clock(),
            attributes=_named(
                upload_id=event.upload_id,
                transport=event.transport,
                account=event.account,
                size=event.size,
                parts=event.parts,
                part_size=event.part_size,
                resumed_from=event.resumed_from,
            ),
        )
        context = trace.set_span_in_context(span, parent)
        self._runs[event.upload_id] = _Run(span, context)

    def _never_begun(self, event: events.UploadEnded) -> None:
        """Tell of a run that ended before its source was open."""
        now = self._clock()
        span = self._tracer.start_span(
            "upload",
            context=self._parents.pop(event.upload_id, None),
            start_time=now - _ns(event.seconds),
            attributes=_named(upload_id=event.upload_id, transport=event.transport),
        )
        self._end(_Run(span, contexts.get_current()), event, now)

    def _end(self, run: _Run, event: events.UploadEnded, now: int) -> None:
        for part in run.parts.values():
            part.error = part.error or str(event.outcome)
            self._end_part(run, part, now)
        self._runs.pop(event.upload_id, None)
        facts = _named(
            outcome=str(event.outcome),
            bytes_sent=event.bytes_sent,
            retries=event.retries,
            limit_wait_seconds=run.limited or None,
        )
        code = getattr(event, "error", None)
        for name in ("operation", "status", "vendor_code", "request_id"):
            facts |= _named(**{name: getattr(event, name, None)})
        run.span.set_attributes(facts)
        if code is not None:
            run.span.set_attribute("error.type", code)
        if event.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            run.span.set_status(trace.StatusCode.ERROR, code or str(event.outcome))
        run.span.end(now)
        _keep(self._earlier, event.upload_id, run.span.get_span_context())

    def _end_part(self, run: _Run, part: _Part, now: int) -> None:
        begun = part.event
        span = self._tracer.start_span(
            "part",
            context=run.context,
            start_time=part.began,
            attributes=_named(
                upload_id=begun.upload_id,
                transport=begun.transport,
                part=begun.part,
                start=begun.start,
                length=begun.length,
                attempts=part.attempts,
            ),
        )
        within = trace.set_span_in_context(span, run.context)
        for request in part.requests:
            self._request_span(request, within)
        for name, at, attributes in part.happened:
            span.add_event(name, attributes, at)
        if part.error is not None:
            span.set_attribute("error.type", part.error)
            span.set_status(trace.StatusCode.ERROR, part.error)
        span.end(now)

    def _request(self, run: _Run, request: _Request) -> None:
        if run.only_part is not None:
            run.only_part.requests.append(request)
        else:
            self._request_span(request, run.context)

    def _request_span(self, request: _Request, context: contexts.Context) -> None:
        event, ended = request.event, request.ended
        span = self._tracer.start_span(
            event.operation,
            context=context,
            kind=trace.SpanKind.CLIENT,
            start_time=ended - _ns(event.seconds),
            attributes=_named(upload_id=event.upload_id, transport=event.transport),
        )
        if event.outcome.isdecimal():
            span.set_attribute("http.response.status_code", int(event.outcome))
        if not event.outcome.isdecimal() or int(event.outcome) >= 400:
            span.set_attribute("error.type", event.outcome)
            span.set_status(trace.StatusCode.ERROR)
        span.end(ended)

    @staticmethod
    def _happened(
        part: _Part | None, run: _Run, event: events.Event, now: int, **facts: Any
    ) -> None:
        """Note an event on the span of its part, or else of the upload."""
        name = _EVENTS[type(event)]
        error = getattr(event, "error", None)
        attributes = _named(**facts) | ({"error.type": error} if error is not None else {})
        if part is None:
            run.span.add_event(name, attributes, now)
            return
        part.happened.append((name, now, attributes))
        if isinstance(event, events.PartFailed):
            part.error = event.error


_EVENTS: dict[type[events.Event], str] = {
    events.PartFailed: "attempt_failed",
    events.RetryScheduled: "retry",
    events.Resynced: "resynced",
    events.SessionCreated: "session_created",
    events.SessionRestarted: "session_restarted",
    events.SourceFallback: "source_fallback",
    events.ProcessingChanged: "processing",
}


def _named(**facts: Any) -> dict[str, Any]:
    """Return facts as attributes of ours, without those that nobody knows."""
    return {f"{NAME}.{name}": value for name, value in facts.items() if value is not None}


def _ns(seconds: float) -> int:
    return round(seconds * _BILLION)


def _keep(where: OrderedDict[str, Any], upload_id: str, value: Any) -> None:
    """Remember a value, and forget the oldest beyond a fixed number."""
    where[upload_id] = value
    where.move_to_end(upload_id)
    while len(where) > REMEMBERED:
        where.popitem(last=False)
