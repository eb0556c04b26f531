"""What every journal decides alike.

Rule: pure functions of entries and times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from uploader.errors import ConfigurationError, JournalError, LeaseHeldError, LeaseLostError
from uploader.journal import ENDED, PAUSABLE, Entry, Pause

FIXED: Final = frozenset(
    {"upload_id", "identity", "transport", "key", "created", "updated", "runs", "holder"}
)
"""What no run changes of an entry."""
BATCH: Final = 1000
"""Entries that one transaction prunes, so that others come in between."""
GRAIN: Final = 1.0
"""Seconds within which further parts leave `updated` as it is, which an index would follow."""
PROGRESS: Final = frozenset({"confirmed"})
"""What a run changes with each part, and nothing else."""
_CHANGEABLE: Final = frozenset(Entry.__dataclass_fields__) - FIXED

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def check_changes(changes: Mapping[str, Any]) -> None:
    """Refuse what is no field of an entry, or not a run's to change."""
    wrong = changes.keys() - _CHANGEABLE
    if wrong:
        raise TypeError(f"a run does not change {', '.join(sorted(wrong))} of an entry")


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


def holding(pauses: Iterable[Pause], entry: Entry) -> Sequence[Pause]:
    """Return the pauses that hold an upload back in its state."""
    if entry.state not in PAUSABLE:
        return ()
    return [pause for pause in pauses if pause.covers(entry.transport, entry.account)]


def is_let_through(held_by: Sequence[Pause], tried: Sequence[Pause], moment: float) -> bool:
    """Tell whether nothing holds an upload, or one pause that lets it through as its trial."""
    match held_by:
        case []:
            return True
        case [pause]:
            return pause.trial is not None and pause.trial <= moment and pause not in tried
    return False


def json_of(facts: Mapping[str, Any]) -> str:
    """Return facts as JSON; what is not JSON cannot be recorded."""
    if not facts:
        return "{}"
    try:
        return _encode(dict(facts))
    except (TypeError, ValueError) as error:
        # Its text names types, never values.
        why = str(error)
    raise JournalError(f"what is no JSON cannot be recorded: {why}")


def held(upload_id: str, holder: str) -> LeaseHeldError:
    """Say who drives an upload."""
    return LeaseHeldError(
        f"the upload {upload_id} is being driven by {holder}", holder=holder, upload_id=upload_id
    )


def lost(upload_id: str) -> LeaseLostError:
    """Say that a lease is no longer this run's."""
    return LeaseLostError(
        f"the upload {upload_id} is no longer this run's: another run has taken it over,"
        " or it was given back or forgotten",
        upload_id=upload_id,
    )


def missing(upload_id: str) -> JournalError:
    """Say that there is no such upload."""
    return JournalError(f"the journal has no upload {upload_id}", upload_id=upload_id)


def taken(upload_id: str) -> JournalError:
    """Say that an id was given to another upload before."""
    return JournalError(f"the journal has an upload {upload_id} already", upload_id=upload_id)


def other_environment(place: object, carried: str, wanted: str) -> ConfigurationError:
    """Say that a journal was made for somewhere else."""
    return ConfigurationError(
        f"the journal {place} belongs to the environment {carried!r}, this is {wanted!r}"
    ).hint("a copy of production would post again what production has posted")
