"""A journal that lives and dies with the process.

Rule: the same promises as any journal, but durability. A forked child may not drive what its parent
left unfinished: it cannot see what becomes of it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from uploader.journal import (
    DEAD,
    ENDED,
    RESTORED,
    Claim,
    Entry,
    Lease,
    PartRecord,
    Pause,
    State,
)
from uploader.journals import forking, rules
from uploader.model import Session

HOLDER: Final = "another run in this process"
PARENT: Final = "the process that this one was forked from"


@dataclass(slots=True)
class _Row:
    entry: Entry
    parts: dict[int, PartRecord] = field(default_factory=dict)
    lease: Lease | None = None
    until: float = 0.0
    fence: int = 0


class MemoryJournal:
    """Keep entries in a dict. `clock` returns seconds since the epoch.

    Beyond `keep_ended` entries the oldest ended ones are forgotten, failed ones first.
    """

    waits = False
    """Its calls take microseconds: a thread for each would cost ten times as much."""
    wants_digests = False
    """What it holds ends with the process: sizes and samples tell its few uploads apart."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        keep_ended: int = 10_000,
        environment: str | None = None,
    ) -> None:
        self._clock = clock
        self._keep_ended = keep_ended
        self._environment = environment
        self._rows: dict[str, _Row] = {}
        self._by_identity: dict[str, list[str]] = {}
        self._pauses: list[Pause] = []
        self._lock = threading.RLock()
        self._key = secrets.token_bytes(32)
        forking.watch(self)

    @property
    def environment(self) -> str | None:
        return self._environment

    def claim(self, entry: Entry, ttl: float, *, again: bool = False) -> Claim:
        with self._lock:
            found = None if again else self._standing(entry.identity)
            if found is not None:
                rules.check_key(found.entry, entry)
                shown = self._shown(found)
                free = rules.may_be_driven(shown) and shown.holder is None
                return Claim(shown, self._grant(found, ttl) if free else None, fresh=False)
            row = self._insert(entry)
            return Claim(row.entry, self._grant(row, ttl), fresh=True)

    def add(self, entry: Entry) -> Entry:
        with self._lock:
            found = self._standing(entry.identity)
            if found is not None:
                rules.check_key(found.entry, entry)
                return self._shown(found)
            return self._insert(entry).entry

    def take(self, upload_id: str, ttl: float) -> tuple[Entry, Lease]:
        with self._lock:
            row = self._free(upload_id)
            return row.entry, self._grant(row, ttl)

    def renew(self, lease: Lease) -> None:
        with self._lock:
            self._leased(lease).until = self._clock() + lease.ttl

    def release(self, lease: Lease) -> None:
        with self._lock:
            row = self._rows.get(lease.upload_id)
            if row is not None and row.lease == lease:
                row.lease = None

    def save(
        self,
        lease: Lease,
        changes: Mapping[str, Any],
        *,
        part: PartRecord | None = None,
        durable: bool = False,
    ) -> None:
        rules.check_changes(changes)
        with self._lock:
            row = self._leased(lease)
            clean = _clean(changes)
            if part is not None:
                row.parts[part.index] = replace(part, receipt=_copy(part.receipt))
            row.entry = replace(row.entry, **clean, updated=self._clock())

    def get(self, upload_id: str) -> Entry | None:
        with self._lock:
            row = self._rows.get(upload_id)
            return self._shown(row) if row is not None else None

    def standing(self, identity: str) -> Entry | None:
        with self._lock:
            row = self._standing(identity)
            return self._shown(row) if row is not None else None

    def find(self, prefix: str, limit: int = 100) -> Sequence[Entry]:
        with self._lock:
            ids = sorted(name for name in self._rows if prefix and name.startswith(prefix))
            return [self._shown(self._rows[upload_id]) for upload_id in ids[:limit]]

    def parts(self, upload_id: str) -> Sequence[PartRecord]:
        with self._lock:
            row = self._rows.get(upload_id)
            return [] if row is None else [part for _, part in sorted(row.parts.items())]

    def latest(self, limit: int = 100, *, states: Iterable[State] | None = None) -> Sequence[Entry]:
        wanted = frozenset(State if states is None else states)
        with self._lock:
            rows = [row for row in reversed(self._rows.values()) if row.entry.state in wanted]
            rows.sort(key=lambda row: row.entry.updated, reverse=True)
            return [self._shown(row) for row in rows[:limit]]

    def due(
        self,
        now: float | None = None,
        limit: int = 1000,
        *,
        states: Iterable[State] | None = None,
    ) -> Sequence[str]:
        wanted = frozenset(State if states is None else states)
        with self._lock:
            moment = self._clock() if now is None else now
            pauses = self._standing_pauses(moment)
            waiting = sorted(
                (
                    row.entry.state is State.UNKNOWN,
                    row.entry.updated,
                    row.entry.upload_id,
                    rules.holding(pauses, row.entry),
                )
                for row in self._rows.values()
                if row.entry.state in wanted
                and rules.may_be_driven(row.entry)
                and (row.entry.not_before or 0.0) <= moment
                and self._holder(row) is None
            )
        tried: list[Pause] = []
        found = []
        for *_, upload_id, holding in waiting:
            if rules.is_let_through(holding, tried, moment):
                tried += holding
                found.append(upload_id)
        return found[:limit]

    def referred(self, transport: str, reference: str) -> Sequence[Entry]:
        with self._lock:
            return [
                self._shown(row)
                for row in reversed(self._rows.values())
                if (row.entry.transport, row.entry.reference) == (transport, reference)
            ]

    def pause(self, pause: Pause) -> None:
        with self._lock:
            self.unpause(pause.transport, pause.account, by=pause.by)
            self._pauses.append(pause)

    def unpause(
        self, transport: str | None = None, account: str | None = None, *, by: str | None = None
    ) -> int:
        with self._lock:
            before = self.pauses()
            self._pauses = [
                each
                for each in before
                if (each.transport, each.account) != (transport, account)
                or by not in (None, each.by)
            ]
            return len(before) - len(self._pauses)

    def pauses(self) -> Sequence[Pause]:
        with self._lock:
            return sorted(self._standing_pauses(self._clock()), key=lambda each: each.since)

    def take_trial(self, pause: Pause, then: float) -> bool:
        with self._lock:
            if pause not in self._standing_pauses(self._clock()):
                return False
            self._pauses[self._pauses.index(pause)] = replace(pause, trial=then)
            return True

    def counts(self) -> Mapping[State, tuple[int, float]]:
        with self._lock:
            now = self._clock()
            ages: dict[State, list[float]] = {state: [] for state in State}
            for row in self._rows.values():
                ages[row.entry.state].append(max(0.0, now - row.entry.updated))
        return {state: (len(found), max(found, default=0.0)) for state, found in ages.items()}

    def stand_in(self, text: bytes) -> str:
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:32]

    def forget(self, upload_id: str) -> None:
        with self._lock:
            self._remove(self._free(upload_id))

    def prune(self, older_than: float) -> int:
        with self._lock:
            old = [
                row
                for row in self._rows.values()
                if row.entry.state in ENDED
                and row.entry.updated < older_than
                and self._holder(row) is None
            ]
            return sum(self._prune(row) for row in old)

    def restored(self, since: float) -> int:
        changed = 0
        with self._lock:
            now = self._clock()
            for row in self._rows.values():
                row.lease = None
                entry = row.entry
                failed_since = entry.state in DEAD and entry.updated >= since
                if failed_since or entry.state not in ENDED:
                    row.entry = replace(entry, state=State.UNKNOWN, error=RESTORED, updated=now)
                    changed += 1
        return changed

    def close(self) -> None:
        """Free what was leased."""
        with self._lock:
            for row in self._rows.values():
                row.lease = None

    # Forks.

    @property
    def fork_lock(self) -> threading.RLock:
        return self._lock

    def before_fork(self) -> None:
        """Nothing is put away."""

    def start_in_child(self) -> None:
        self._lock = threading.RLock()
        for row in self._rows.values():
            if rules.may_be_driven(row.entry):
                row.fence += 1
                row.lease = Lease(row.entry.upload_id, PARENT, row.fence, math.inf)
                row.until = math.inf

    # How it is done.

    def _standing_pauses(self, moment: float) -> list[Pause]:
        return [each for each in self._pauses if each.until is None or each.until > moment]

    def _standing(self, identity: str) -> _Row | None:
        """Return the newest entry of an identity that keeps a new one from starting."""
        for upload_id in reversed(self._by_identity.get(identity, [])):
            if self._rows[upload_id].entry.state not in DEAD:
                return self._rows[upload_id]
        return None

    def _free(self, upload_id: str) -> _Row:
        """Return an entry that nobody drives."""
        row = self._rows.get(upload_id)
        if row is None:
            raise rules.missing(upload_id)
        holder = self._holder(row)
        if holder is not None:
            raise rules.held(upload_id, holder)
        return row

    def _insert(self, entry: Entry) -> _Row:
        if entry.upload_id in self._rows:
            raise rules.taken(entry.upload_id)
        now = self._clock()
        clean = _clean({name: getattr(entry, name) for name in Entry.__dataclass_fields__})
        row = _Row(Entry(**{**clean, "created": now, "updated": now, "holder": None}))
        self._rows[entry.upload_id] = row
        self._by_identity.setdefault(entry.identity, []).append(entry.upload_id)
        self._trim()
        return row

    def _remove(self, row: _Row) -> None:
        del self._rows[row.entry.upload_id]
        same = self._by_identity[row.entry.identity]
        same.remove(row.entry.upload_id)
        if not same:
            del self._by_identity[row.entry.identity]

    def _trim(self) -> None:
        """Forget the oldest ended uploads, so that a long-lived process stays within bounds."""
        for states in (DEAD, ENDED):
            for row in list(self._rows.values()) if len(self._rows) > self._keep_ended else []:
                if row.entry.state in states and self._holder(row) is None:
                    self._remove(row)
                    if len(self._rows) <= self._keep_ended:
                        return

    def _prune(self, row: _Row) -> bool:
        """Of what is DONE the entry stays, and the parts' digests: they prevent a second post."""
        entry = row.entry
        if entry.state in DEAD:
            self._remove(row)
            return True
        slim = replace(entry, session=None, source=None)
        parts = {index: replace(part, receipt={}) for index, part in row.parts.items()}
        changed = (slim, parts) != (entry, row.parts)
        row.entry, row.parts = slim, parts
        return changed

    def _holder(self, row: _Row) -> str | None:
        if row.lease is None or row.until <= self._clock():
            return None
        return row.lease.owner

    def _grant(self, row: _Row, ttl: float) -> Lease:
        row.fence += 1
        row.lease = Lease(row.entry.upload_id, HOLDER, row.fence, ttl)
        row.until = self._clock() + ttl
        row.entry = replace(row.entry, runs=row.entry.runs + 1)
        return row.lease

    def _leased(self, lease: Lease) -> _Row:
        """Return a leased row. A lease that lapsed is good until another run takes the upload."""
        row = self._rows.get(lease.upload_id)
        if row is None or row.lease != lease:
            raise rules.lost(lease.upload_id)
        return row

    def _shown(self, row: _Row) -> Entry:
        return replace(row.entry, holder=self._holder(row))


def _copy(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as a journal on a disk would give them back."""
    copied: dict[str, Any] = json.loads(rules.json_of(facts))
    return copied


def _clean(changes: Mapping[str, Any]) -> dict[str, Any]:
    clean = dict(changes)
    for name, value in changes.items():
        match name:
            case "state":
                clean[name] = State(value)
            case "destination" | "fields":
                clean[name] = _copy(value)
            case "error" if value is not None:
                clean[name] = _copy(value)
            case "session" if value is not None:
                clean[name] = Session(_copy(value.fields), dict(value.secrets), value.created_at)
    return clean
