"""Events as Prometheus metrics.

Rule: labels are transport, operation, outcome and error, which have few values each; never an id,
a name or an account. One set of metrics exists for each registry.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from uploader import events

# Seconds. A clip of some MB on a fast line takes a fraction of one, 4 GB at 10 Mbit/s an hour.
LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600)
SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Count events into `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"uploader_{name}", text, ("transport", *labels), registry=registry)

        def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"uploader_{name}",
                text,
                ("transport", *labels),
                buckets=buckets,
                registry=registry,
            )

        self._uploads = counter("uploads", "Runs of uploads that ended, by outcome", "outcome")
        self._duration = histogram(
            "upload_duration_seconds", "How long a run took", "outcome", buckets=LONG
        )
        self._active = Gauge(
            "uploader_uploads_in_progress",
            "Uploads that are being driven now",
            ("transport",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._parts = counter("parts", "Parts by what became of an attempt", "outcome")
        self._part_duration = histogram(
            "part_duration_seconds", "From a part's first try to its confirmation", buckets=LONG
        )
        self._windows = Gauge(
            "uploader_queue_windows",
            "Windows of file content that are in memory now, over all uploads",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._sent = counter("sent_bytes", "Bytes of files that the kernel took, retries included")
        self._confirmed = counter("confirmed_bytes", "Bytes of files that servers acknowledged")
        self._retries = counter("retries", "Retries by cause", "operation", "error")
        self._resyncs = counter("resyncs", "Times a server was asked what it holds")
        self._requests = counter("requests", "HTTP requests that ended", "operation", "outcome")
        self._request_duration = histogram(
            "request_duration_seconds", "How long a request took", "operation", buckets=SHORT
        )
        self._retry_wait = counter(
            "retry_wait_seconds", "Seconds waited before retries", "operation"
        )
        self._limit_wait = counter(
            "limit_wait_seconds", "Seconds waited for this process's own limits", "operation"
        )
        self._processing = histogram(
            "processing_duration_seconds",
            "From the last confirmed byte to the server's final word",
            buckets=LONG,
        )
        self._unknown = counter("outcome_unknown", "Uploads whose outcome nobody told us")
        self._fallbacks = counter("source_fallbacks", "Files that were read, not mapped")
        self._running: set[str] = set()

    def __call__(self, event: events.Event) -> None:
        transport = event.transport
        match event:
            case events.BytesSent():
                self._sent.labels(transport).inc(event.count)
                self._windows.set(event.windows)
            case events.RequestFinished():
                self._requests.labels(transport, event.operation, event.outcome).inc()
                self._request_duration.labels(transport, event.operation).observe(event.seconds)
            case events.PartConfirmed():
                self._parts.labels(transport, "confirmed").inc()
                self._part_duration.labels(transport).observe(event.seconds)
                self._confirmed.labels(transport).inc(event.length)
            case events.PartFailed():
                self._parts.labels(transport, "failed").inc()
            case events.RetryScheduled():
                self._retries.labels(transport, event.operation, event.error).inc()
                self._retry_wait.labels(transport, event.operation).inc(event.wait)
            case events.Resynced():
                self._resyncs.labels(transport).inc()
            case events.LimitWaited():
                self._limit_wait.labels(transport, event.operation).inc(event.seconds)
            case events.SourceFallback():
                self._fallbacks.labels(transport).inc()
            case events.UploadStarted():
                self._active.labels(transport).inc()
                self._running.add(event.upload_id)
            case events.ProcessingChanged() if event.terminal:
                self._processing.labels(transport).observe(event.seconds)
            case events.UploadEnded():
                self._ended(event)

    def _ended(self, event: events.UploadEnded) -> None:
        outcome = str(event.outcome)
        # A run that was refused a source never started, and was not counted as active.
        if event.upload_id in self._running:
            self._running.discard(event.upload_id)
            self._active.labels(event.transport).dec()
        self._uploads.labels(event.transport, outcome).inc()
        self._duration.labels(event.transport, outcome).observe(event.seconds)
        if isinstance(event, events.OutcomeUnknown):
            self._unknown.labels(event.transport).inc()


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
