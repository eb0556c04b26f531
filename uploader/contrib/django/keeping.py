"""What may go from the journal's tables, and what a restored backup makes uncertain.

Rule: an entry that could prevent a second post stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Q

from uploader.contrib.django.models import Part, Upload
from uploader.journal import DEAD, RESTORED, State
from uploader.journals import rules

_SLIM: Final[dict[str, Any]] = {
    "session": None,
    "sealed": None,
    "session_created": None,
    "source": None,
}


def prunable(alias: str, older_than: float, now: Any) -> list[int]:
    """Return the rows of what is old enough and has something to lose."""
    old = Upload.objects.using(alias).filter(_dead(older_than, now) | _done(older_than, now))
    return list(old.values_list("id", flat=True))


def prune(alias: str, rows: Sequence[int], older_than: float, now: Any) -> int:
    """Prune those of some uploads that still may be; return how many.

    Of what is DONE the row stays, with the digests of its parts: they prevent a second post.
    """
    chosen = Upload.objects.using(alias).filter(id__in=rows)
    dead = list(
        chosen.filter(_dead(older_than, now))
        .select_for_update()
        .values_list("upload_id", flat=True)
    )
    remove(alias, dead)
    done = list(
        chosen.filter(_done(older_than, now))
        .select_for_update()
        .values_list("upload_id", flat=True)
    )
    Upload.objects.using(alias).filter(upload_id__in=done).update(**_SLIM)
    Part.objects.using(alias).filter(upload__in=done).update(receipt="{}")
    return len(dead) + len(done)


def remove(alias: str, upload_ids: Sequence[str]) -> None:
    """Delete uploads with their parts."""
    Part.objects.using(alias).filter(upload__in=upload_ids).delete()
    Upload.objects.using(alias).filter(upload_id__in=upload_ids).delete()


def restore(alias: str, since: float, now: Any) -> int:
    """Void all leases and make UNKNOWN what may have gone on since a moment."""
    rows = Upload.objects.using(alias)
    rows.filter(lease_holder__isnull=False).update(
        fence=F("fence") + 1, lease_holder=None, lease_owner=None, lease_until=0.0
    )
    since_then = ~Q(state__in=DEAD) | Q(updated__gte=since)
    return (
        rows.exclude(state=State.DONE)
        .filter(since_then)
        .update(state=State.UNKNOWN, error=rules.json_of(RESTORED), updated=now)
    )


def _dead(older_than: float, now: Any) -> Q:
    return Q(state__in=DEAD, updated__lt=older_than, lease_until__lte=now)


def _done(older_than: float, now: Any) -> Q:
    receipts = Part.objects.filter(upload=OuterRef("upload_id")).exclude(receipt="{}")
    keeps = Q(session__isnull=False) | Q(source__isnull=False) | Q(Exists(receipts))
    return Q(state=State.DONE, updated__lt=older_than, lease_until__lte=now) & keeps
