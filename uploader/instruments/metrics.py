"""What an application calls about metrics.

Rule: names only; `table` says what is counted, `counting` and `readings` do it, `serving` shows it,
`workers` keeps it right over many processes.
"""

from __future__ import annotations

from uploader.instruments.counting import Metrics, metrics_for
from uploader.instruments.readings import (
    watch_accounts,
    watch_journal,
    watch_paused,
)
from uploader.instruments.serving import Served, asgi_app, exposed, serve, wsgi_app
from uploader.instruments.table import METRICS
from uploader.instruments.workers import compact, worker_gone

__all__ = [
    "METRICS",
    "Metrics",
    "Served",
    "asgi_app",
    "compact",
    "exposed",
    "metrics_for",
    "serve",
    "watch_accounts",
    "watch_journal",
    "watch_paused",
    "worker_gone",
    "wsgi_app",
]
