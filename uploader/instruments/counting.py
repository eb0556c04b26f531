"""Events as Prometheus metrics, and the few facts that are no events.

Rule: only what `uploader.instruments.table` lists; every value of a label goes through a guard that
keeps them few. One set of metrics exists for each registry.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from uploader import events
from uploader.instruments.labels import narrow_labels
from uploader.instruments.table import METRICS, Kind, Metric

T = TypeVar("T", Counter, Gauge, Histogram)
_Made = Counter | Gauge | Histogram


class Metrics:
    """Count events into `registry`. Thread-safe, and right in forked children."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._made = {
            metric.name: _make(metric, registry)
            for metric in METRICS
            if metric.kind is not Kind.READ
        }
        self._labels = {metric.name: metric.labels for metric in METRICS}
        self._narrow = narrow_labels()
        # The client looks a series up anew each time, which costs more than counting.
        self._known: dict[tuple[str, tuple[str, ...]], _Made] = {}
        self._running: dict[str, str] = {}
        self._pid = os.getpid()

    def __call__(self, event: events.Event) -> None:
        if self._pid != os.getpid():
            self._begin_afresh()
        transport = event.transport
        match event:
            case events.BytesSent():
                self._count("sent_bytes_total", event.count, transport)
                self._level("queue_windows").set(event.windows)
            case events.RequestFinished():
                self._count("requests_total", 1, transport, event.operation, event.outcome)
                self._observe("request_duration_seconds", event.seconds, transport, event.operation)
            case events.PartConfirmed():
                self._count("parts_total", 1, transport, "confirmed")
                self._observe("part_duration_seconds", event.seconds, transport)
                self._count("confirmed_bytes_total", event.length, transport)
            case events.PartFailed():
                self._count("parts_total", 1, transport, "failed")
            case events.RetryScheduled():
                self._count("retries_total", 1, transport, event.operation, event.error)
                self._observe("retry_wait_seconds", event.wait, transport, event.operation)
            case events.Resynced():
                self._count("resyncs_total", 1, transport)
            case events.LimitWaited():
                self._observe("limit_wait_seconds", event.seconds, transport, event.operation)
            case events.SourceFallback():
                self._count("source_fallbacks_total", 1, transport)
            case events.UploadStarted():
                self._level("uploads_in_progress", transport).inc()
                self._running[event.upload_id] = transport
            case events.ProcessingChanged() if event.terminal:
                self._observe("processing_duration_seconds", event.seconds, transport)
            case events.UploadEnded():
                self._ended(event)
            case events.TokenRefreshed():
                self._count("token_refreshes_total", 1, transport, event.outcome)
            case events.WebhookReceived():
                self._count("webhooks_total", 1, transport, event.outcome)

    def journal_failed(self, operation: str) -> None:
        """Count a call that the journal failed."""
        self._count("journal_errors_total", 1, operation)

    def lease_conflict(self) -> None:
        """Count a run that found its upload held by another, or lost it to another."""
        self._count("lease_conflicts_total", 1)

    def _ended(self, event: events.UploadEnded) -> None:
        outcome = str(event.outcome)
        # A run that was refused a source never started, and was not counted as active.
        if self._running.pop(event.upload_id, None) is not None:
            self._level("uploads_in_progress", event.transport).dec()
        if not self._running:
            # What was sent last told of windows that are given back by now.
            self._level("queue_windows").set(0)
        self._count("uploads_total", 1, event.transport, outcome)
        self._observe("upload_duration_seconds", event.seconds, event.transport, outcome)
        if isinstance(event, events.OutcomeUnknown):
            self._count("outcome_unknown_total", 1, event.transport)

    def _begin_afresh(self) -> None:
        """Forget what the parent was driving: a forked child inherits the numbers, not the runs."""
        self._pid = os.getpid()
        for transport in set(self._running.values()):
            self._level("uploads_in_progress", transport).set(0)
        self._running.clear()

    def _count(self, name: str, amount: float, *values: str) -> None:
        self._of(name, Counter, values).inc(amount)

    def _observe(self, name: str, seconds: float, *values: str) -> None:
        self._of(name, Histogram, values).observe(seconds)

    def _level(self, name: str, *values: str) -> Gauge:
        return self._of(name, Gauge, values)

    def _of(self, name: str, kind: type[T], values: tuple[str, ...]) -> T:
        made = self._known.get((name, values))
        if made is None:
            made = self._found(name, values)
        assert isinstance(made, kind)
        return made

    def _found(self, name: str, values: tuple[str, ...]) -> _Made:
        if not values:
            return self._made[name]
        narrow = self._narrow
        kept = tuple(
            narrow[label](value) for label, value in zip(self._labels[name], values, strict=True)
        )
        found = self._made[name].labels(*kept)
        if kept == values:  # what is made up is not kept: there is no end to it
            self._known[name, values] = found
        return found


def _make(metric: Metric, registry: CollectorRegistry) -> _Made:
    match metric.kind:
        case Kind.COUNTER:
            return Counter(metric.full_name, metric.help, metric.labels, registry=registry)
        case Kind.HISTOGRAM:
            return Histogram(
                metric.full_name,
                metric.help,
                metric.labels,
                buckets=metric.buckets,
                registry=registry,
            )
    # The level of a worker that ended counts no more; the others' are added up.
    return Gauge(
        metric.full_name,
        metric.help,
        metric.labels,
        registry=registry,
        multiprocess_mode="livesum",
    )


_made: weakref.WeakKeyDictionary[Any, Metrics] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def metrics_for(registry: CollectorRegistry | None = None) -> Metrics:
    """Return the metrics of a registry, made once; the process's own registry by default."""
    chosen = REGISTRY if registry is None else registry
    with _lock:
        found = _made.get(chosen)
        if found is None:
            found = _made[chosen] = Metrics(chosen)
        return found
