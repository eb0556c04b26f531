"""What every journal decides alike.

Rule: pure functions of entries and times.
"""

from __future__ import annotations

from uploader.errors import ConfigurationError, JournalError, LeaseHeldError, LeaseLostError
from uploader.journal import DEAD, ENDED, Entry


def stands_in_the_way(found: Entry | None, *, again: bool) -> bool:
    """Tell whether a recorded upload of the same identity keeps a new one from starting."""
    return found is not None and not again and found.state not in DEAD


def check_key(found: Entry, wanted: Entry) -> None:
    """Refuse one key for two contents."""
    if wanted.key is not None and found.fingerprint != wanted.fingerprint:
        raise ConfigurationError(
            f"the key {wanted.key!r} stands for another file already ({found.name or 'unnamed'},"
            f" {found.plan.size:,} bytes)",
            upload_id=found.upload_id,
        ).hint("use a key of its own for each post")


def may_be_driven(entry: Entry) -> bool:
    """Tell whether a run may lease the upload."""
    return entry.state not in ENDED


def held(entry: Entry, holder: str) -> LeaseHeldError:
    """Say who drives an upload."""
    return LeaseHeldError(
        f"the upload {entry.upload_id} is being driven by {holder}",
        holder=holder,
        upload_id=entry.upload_id,
    )


def lost(upload_id: str) -> LeaseLostError:
    """Say that a lease is another run's now."""
    return LeaseLostError(f"another run has taken the upload {upload_id} over", upload_id=upload_id)


def missing(upload_id: str) -> JournalError:
    """Say that there is no such upload."""
    return JournalError(f"the journal has no upload {upload_id}", upload_id=upload_id)
