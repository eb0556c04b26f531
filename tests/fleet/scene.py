"""The Celery application of these tests, as an application would write it, told by variables.

Rule: imported by workers (`celery -A tests.fleet.scene`) and by the tests that send messages.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from uploader import Uploader
from uploader.contrib.celery import by_transport, install
from uploader.errors import AccountError

TOLD: dict[str, Any] = json.loads(os.environ.get("FLEET", "{}"))
"""`broker`, `journal` (none: Django's), `tokens` (a file), `install` (arguments), `conf` (Celery's
settings), `limits` (a Redis)."""


def token(transport: str, account: str | None) -> str:
    """Return an account's token; those of one destination."""
    tokens: dict[str, str] = json.loads(Path(TOLD["tokens"]).read_text())
    if account not in tokens:
        raise AccountError(f"nobody has logged in to {transport} as {account}")
    return tokens[account]


def make() -> Uploader:
    """Return what a process uploads with."""
    limiter = None
    if "limits" in TOLD:
        from uploader.contrib.redis import RedisLimiter

        limiter = RedisLimiter(TOLD["limits"], key="a key of sixteen bytes", slack=0.5)
    return Uploader(journal=TOLD["journal"], credentials=token, limiter=limiter)


@worker_ready.connect
def show_metrics(**_: Any) -> None:
    """Serve the sums over this worker's processes from its main process."""
    if "FLEET_METRICS" in os.environ:
        from uploader.instruments.metrics import serve

        serve(int(os.environ["FLEET_METRICS"]))


app = Celery("fleet", broker=TOLD.get("broker"))
app.conf.update(TOLD.get("conf", {}))
install(app, uploader=make if "journal" in TOLD else None, **TOLD.get("install", {}))
route = by_transport()
