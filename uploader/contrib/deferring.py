"""When an upload that cannot go on now is to be tried again.

Rule: written down in the journal, for whoever sweeps it; ever later, as long as nothing changes.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Final

from uploader import registry
from uploader.api import Uploader
from uploader.errors import LeaseHeldError, UploaderError
from uploader.journal import Entry, State

LOG = logging.getLogger("uploader")

FIRST_DELAY: Final = 30.0
LONGEST_DELAY: Final = 3600.0
"""A failure that may pass is tried again after 30 s, then twice as late each time, up to an hour.
An upload whose opening was not answered waits for the whole hour, and as long as what was opened
may live: nothing can be learnt before."""
MARGIN: Final = 5.0
"""Seconds that such a wait is longer: what is written here counts anew from then on."""
SHARE: Final = 0.1
SOONEST_QUESTION: Final = 5.0
LATEST_QUESTION: Final = 600.0
"""What the server works on is asked about after a tenth of its age, within these seconds."""
LOST: Final = "process_lost"
MANY_LOST: Final = 3
"""A film at which processes die must not bring down a fleet: from the third on it waits."""
BRIEFLY: Final = 5.0
"""Seconds for which the lease is taken to write."""
_TRIES: Final = "tries"


def defer(
    uploader: Uploader,
    before: Entry,
    after: Entry,
    error: UploaderError | None,
) -> float:
    """Record when an upload that a shift left is to be tried again; return that moment.

    `before` is the upload as the shift found it, `after` as it left it.
    """
    now, changes = uploader.now(), dict[str, Any]()
    if after.state is State.PROCESSING or (after.state is State.UNKNOWN and after.session):
        begun = after.session.created_at if after.session is not None else None
        age = now - (begun if begun is not None else after.created)
        delay = min(max(age * SHARE, SOONEST_QUESTION), LATEST_QUESTION)
    elif after.state is State.UNKNOWN:
        delay = max(LONGEST_DELAY, _lifetime(after) + MARGIN)
    else:
        tries = _tries(before) if after.confirmed == before.confirmed else 0
        delay = min(FIRST_DELAY * 2**tries, LONGEST_DELAY)
        told = error.to_dict() if error is not None else dict(after.error or {})
        changes["error"] = {**told, _TRIES: tries + 1}
    changes["not_before"] = now + delay
    _write(uploader, after, changes)
    return now + delay


def bereft(uploader: Uploader, entry: Entry) -> Entry:
    """Count a process that died with an upload, and let the upload wait once these are many."""
    known = entry.error or {}
    again = known.get("code") == LOST and known.get("confirmed") == entry.confirmed
    lost = (_tries(entry) if again else 0) + 1
    error = {
        "code": LOST,
        "message": f"{lost} processes in turn died while they drove it",
        "confirmed": entry.confirmed,
        _TRIES: lost,
    }
    changes: dict[str, Any] = {"error": error}
    if lost >= MANY_LOST:
        delay = min(FIRST_DELAY * 2 ** (lost - MANY_LOST), LONGEST_DELAY)
        changes["not_before"] = uploader.now() + delay
        LOG.warning("%d processes in turn died with %s; it waits for %.0f s", lost,
                    entry.upload_id, delay)  # fmt: skip
    return replace(entry, **changes) if _write(uploader, entry, changes) else entry


def _write(uploader: Uploader, entry: Entry, changes: dict[str, Any]) -> bool:
    """Write to an entry that nobody drives; tell whether that was so."""
    try:
        _, lease = uploader.journal.take(entry.upload_id, BRIEFLY)
    except LeaseHeldError:
        return False  # somebody else has found it due
    try:
        uploader.journal.save(lease, changes)
    finally:
        uploader.journal.release(lease)
    return True


def _lifetime(entry: Entry) -> float:
    """Return how many seconds that lives which an upload may have opened, 0 where nobody knows."""
    try:
        destination = registry.load(entry.transport).destination(None, entry.destination)
        return destination.transport().capabilities.session_lifetime or 0.0
    except UploaderError:
        return 0.0


def _tries(entry: Entry) -> int:
    tries = (entry.error or {}).get(_TRIES, 0)
    return tries if isinstance(tries, int) and 0 <= tries < 32 else 0
