"""Subscribers that come with the package: logs and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uploader.events import Subscriber

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def standard_subscribers(
    registry: CollectorRegistry | None, *, metrics: bool
) -> tuple[Subscriber, ...]:
    """Return the log subscriber, and the metrics of `registry` (the process's own by default)."""
    from uploader.instruments.logs import LogSubscriber

    if not metrics:
        return (LogSubscriber(),)
    from uploader.instruments.metrics import metrics_for

    return LogSubscriber(), metrics_for(registry)
