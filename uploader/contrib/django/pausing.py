"""Pauses in the database, and what waits to be driven in spite of them.

Rule: statements on whichever connection this thread has; which pauses stand is asked of the moment
given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from uploader.contrib.django.models import Pause, Upload
from uploader.contrib.django.records import PAUSE, pause_from
from uploader.journal import PAUSABLE, State
from uploader.journal import Pause as PauseRecord


def place_of(*names: str | None) -> str:
    """Return a digest of names: databases compare texts, and NULL, each in its own way."""
    told = "\0".join("-" if name is None else f"+{name}" for name in names)
    return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()


def standing(alias: str, moment: Any) -> list[Pause]:
    """Return the pauses that stand at a moment, the longest first."""
    found = Pause.objects.using(alias).filter(Q(until=None) | Q(until__gt=moment))
    return list(found.only("id", *PAUSE).order_by("since", "id"))


def put(alias: str, pause: PauseRecord, now: Any) -> None:
    """Record a pause, and drop what is over."""
    lift(alias, pause.transport, pause.account, by=pause.by, now=now)
    facts = {name: getattr(pause, name) for name in PAUSE}
    Pause.objects.using(alias).create(**facts, place=_scope(pause), by_place=_place(pause))


def lift(
    alias: str, transport: str | None, account: str | None, *, by: str | None, now: Any
) -> int:
    """Remove the pauses of a transport and an account; return how many of them still stood."""
    rows = Pause.objects.using(alias)
    rows.filter(until__lte=now).delete()
    ours = rows.filter(place=place_of(transport, account))
    if by is not None:
        ours = ours.filter(by_place=place_of(transport, account, by))
    return ours.delete()[0]


def take_trial(alias: str, pause: PauseRecord, then: float, now: Any) -> bool:
    """Move a pause's trial, if the pause stands as given."""
    standing = Pause.objects.using(alias).filter(Q(until=None) | Q(until__gt=now))
    ours = standing.filter(by_place=_place(pause), since=pause.since, trial=pause.trial)
    return ours.update(trial=then) == 1


def due(alias: str, moment: float, limit: int, free: Q, states: Collection[State]) -> list[str]:
    """Return the ids of what is due at a moment, of some states, what changed longest ago first."""
    pauses = standing(alias, moment)
    waiting = Upload.objects.using(alias).filter(free).filter(_come(moment))
    found: list[tuple[bool, float, int, str]] = []
    for state in states:
        rows = waiting.filter(state=state)
        if state in PAUSABLE:
            rows = rows.exclude(_covered(pauses)) if pauses else rows
        found += [(state is State.UNKNOWN, *each) for each in _first(rows, limit)]
    for pause in pauses:
        if pause.trial is None or pause.trial > moment:
            continue
        others = [each for each in pauses if each is not pause]
        rows = waiting.filter(_covered([pause]), state__in=PAUSABLE.intersection(states))
        rows = rows.exclude(_covered(others)) if others else rows
        found += [(False, *each) for each in _first(rows, 1)]
    return [upload_id for *_, upload_id in sorted(found)[:limit]]


def _first(rows: QuerySet[Upload], limit: int) -> Iterator[tuple[float, int, str]]:
    yield from rows.order_by("updated", "id").values_list("updated", "id", "upload_id")[:limit]


def _come(moment: float) -> Q:
    return Q(not_before=None) | Q(not_before__lte=moment)


def _covered(pauses: Iterable[Pause]) -> Q:
    """Return what some pauses cover; there is at least one."""
    found = Q()
    for pause in pauses:
        wanted = Q(pk__isnull=False)
        if pause.transport is not None:
            wanted &= Q(transport=pause.transport)
        if pause.account is not None:
            wanted &= Q(account=pause.account)
        found |= wanted
    return found


def _scope(pause: PauseRecord) -> str:
    return place_of(pause.transport, pause.account)


def _place(pause: PauseRecord) -> str:
    return place_of(pause.transport, pause.account, pause.by)


def records(rows: Iterable[Pause]) -> Sequence[PauseRecord]:
    """Return the pauses of rows."""
    return [pause_from(row) for row in rows]
