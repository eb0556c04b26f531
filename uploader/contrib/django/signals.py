"""How uploads end, as Django signals.

Each is sent once per run that ended so, after its record is committed, in the process that ran it,
on a thread that may use the ORM and in no transaction. A receiver that raises is logged and
ignored. Every receiver is called with

    sender      the model `Upload`
    upload_id   which upload
    account     whose, `None` where there are no accounts
    key         the caller's own name for it, `None` without one
    result      `uploader.UploadResult`: outcome, location, fields, error
    by          who said so in the admin, "" for a run
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from django.apps import apps
from django.db import connections
from django.dispatch import Signal

from uploader.engine.claiming import recorded
from uploader.events import Event, UploadEnded
from uploader.journal import Entry, Journal
from uploader.model import Outcome, UploadResult

upload_done = Signal()
upload_processing = Signal()
"""Every byte is confirmed, and nobody waits for the destination's last word in this run."""
upload_failed = Signal()
upload_unknown = Signal()
"""It may be posted, and nobody has told: somebody has to look."""
upload_suspended = Signal()
"""It waits in the journal to be taken up again."""
upload_cancelled = Signal()

SIGNALS: Final[Mapping[Outcome, Signal]] = {
    Outcome.DONE: upload_done,
    Outcome.PROCESSING: upload_processing,
    Outcome.FAILED: upload_failed,
    Outcome.UNKNOWN: upload_unknown,
    Outcome.SUSPENDED: upload_suspended,
    Outcome.CANCELLED: upload_cancelled,
}


def announce(entry: Entry, result: UploadResult, *, by: str = "") -> None:
    """Send the signal of an outcome that is recorded."""
    SIGNALS[result.outcome].send_robust(
        sender=apps.get_model("mmap_uploader", "Upload"),
        upload_id=entry.upload_id,
        account=entry.account,
        key=entry.key,
        result=result,
        by=by,
    )


def announcer(journal: Callable[[], Journal]) -> Callable[[Event], None]:
    """Return the subscriber that turns the end of each run into a signal."""

    def on_event(event: Event) -> None:
        if not isinstance(event, UploadEnded) or not event.upload_id:
            return
        try:
            entry = journal().get(event.upload_id)
            if entry is not None:
                announce(entry, replace(recorded(entry), outcome=event.outcome))
        finally:
            connections.close_all()  # of this thread: it sleeps until the next upload ends

    return on_event
