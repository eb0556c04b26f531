"""Subscribers that come with the package: logs and metrics.

Rule: silent and unseen until an application wants to hear or to scrape.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from uploader.events import Subscriber
from uploader.journal import Journal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

# As the faces do: whoever uses only the metrics is spared warnings on stderr as well.
logging.getLogger("uploader").addHandler(logging.NullHandler())


def standard_subscribers(
    registry: CollectorRegistry | None, *, metrics: bool
) -> tuple[Subscriber, ...]:
    """Return the log subscriber, and the metrics of `registry` (the process's own by default)."""
    from uploader.instruments.logs import LogSubscriber

    if not metrics:
        return (LogSubscriber(),)
    from uploader.instruments.metrics import metrics_for

    return LogSubscriber(), metrics_for(registry)


def instrumented(
    journal: Journal, registry: CollectorRegistry | None
) -> tuple[Journal, Callable[[], None]]:
    """Return `journal` with its failures counted and its state told, and what ends the telling."""
    from uploader.instruments.counted import counted
    from uploader.instruments.metrics import metrics_for, watch_journal

    return counted(journal, metrics_for(registry)), watch_journal(journal, registry)
