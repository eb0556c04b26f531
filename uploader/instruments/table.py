"""Every metric that there is: its name, kind, labels, buckets and meaning.

Rule: data only. Labels are transport, operation, outcome, error and state, which have few values
each; never an id, a name or an account. docs/metrics.md is written from this table, dashboards and
alerts are checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "uploader_"
LABELS = ("transport", "operation", "outcome", "error", "state")

# Seconds. A clip of some MB on a fast line takes a fraction of one, 4 GB at 10 Mbit/s an hour, and
# a destination may look at it for as long again.
LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
# A status call takes milliseconds, the PUT of a part of 64 MB at 10 Mbit/s a minute.
REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
# Back-off begins with fractions of a second; a rate limit asks for minutes, a day's quota for more.
WAIT = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Kind(StrEnum):
    """What a number does: counts up, goes up and down, or falls into buckets.

    READ is a gauge that is asked for at the moment of a scrape and is stored nowhere.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is what a query says, without the prefix and a histogram's suffixes."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    @property
    def series(self) -> tuple[str, ...]:
        """The names of samples, as a query uses them."""
        if self.kind is not Kind.HISTOGRAM:
            return (self.full_name,)
        return tuple(f"{self.full_name}_{part}" for part in ("bucket", "count", "sum"))


def _count(name: str, labels: str, text: str) -> Metric:
    return Metric(name, Kind.COUNTER, tuple(labels.split()), text)


def _level(name: str, labels: str, text: str) -> Metric:
    return Metric(name, Kind.GAUGE, tuple(labels.split()), text)


def _read(name: str, labels: str, text: str) -> Metric:
    return Metric(name, Kind.READ, tuple(labels.split()), text)


def _spread(name: str, labels: str, text: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, tuple(labels.split()), text, buckets)


METRICS: tuple[Metric, ...] = (
    _count("uploads_total", "transport outcome", "Runs of uploads that ended"),
    _spread("upload_duration_seconds", "transport outcome", "How long a run took", LONG),
    _level("uploads_in_progress", "transport", "Uploads that are being driven now"),
    _count("parts_total", "transport outcome", "Attempts at parts: confirmed or failed"),
    _spread(
        "part_duration_seconds", "transport", "From a part's first try to its confirmation", LONG
    ),
    _level("queue_windows", "", "Windows of file content in memory now, over all uploads"),
    _count(
        "sent_bytes_total", "transport", "Bytes of files that the kernel took, also those again"
    ),
    _count("confirmed_bytes_total", "transport", "Bytes of files that servers acknowledged"),
    _count("retries_total", "transport operation error", "Retries by what had gone wrong"),
    _count("resyncs_total", "transport", "Times a server was asked what it holds"),
    _count(
        "requests_total",
        "transport operation outcome",
        "HTTP requests that ended, by status or by the code of the error of the network",
    ),
    _spread("request_duration_seconds", "transport operation", "How long a request took", REQUEST),
    _spread("retry_wait_seconds", "transport operation", "Waits before retries", WAIT),
    _spread(
        "limit_wait_seconds",
        "transport operation",
        "Waits for limits: lanes, bandwidth, and how often an account may ask",
        WAIT,
    ),
    _spread(
        "processing_duration_seconds",
        "transport",
        "From the last confirmed byte to the server's final word",
        LONG,
    ),
    _count("outcome_unknown_total", "transport", "Runs whose outcome nobody told us"),
    _count(
        "source_fallbacks_total", "transport", "Files that were read through buffers, not mapped"
    ),
    _read("journal_uploads", "state", "Uploads in the journal"),
    _read(
        "journal_oldest_seconds", "state", "Since the last change of the upload that waited longest"
    ),
    _count("journal_errors_total", "operation", "Calls that the journal failed"),
    _count("lease_conflicts_total", "", "Runs that found their upload held by another, or lost it"),
    _count("token_refreshes_total", "transport outcome", "Access tokens asked for anew"),
    _read("accounts", "state", "Accounts that are known"),
    _count("webhooks_total", "transport outcome", "Notices that a destination delivered"),
    _read("paused", "transport", "1 while uploads to a destination are held back, else 0"),
    _read(
        "breaker_open",
        "transport",
        "1 while a destination is held back because it refuses several accounts alike, else 0",
    ),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}
