"""A journal that lives and dies with the process.

Rule: the same promises as any journal, but durability.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from uploader.journal import Claim, Entry, Lease, PartRecord, State
from uploader.journals import rules

HOLDER = "another run in this process"


@dataclass(slots=True)
class _Row:
    entry: Entry
    parts: dict[int, PartRecord] = field(default_factory=dict)
    lease: Lease | None = None
    until: float = 0.0
    fence: int = 0


class MemoryJournal:
    """Keep entries in a dict. `clock` returns seconds since the epoch."""

    def __init__(self, *, clock: Callable[[], float] = time.time, keep_ended: int = 10_000) -> None:
        self._clock = clock
        self._keep_ended = keep_ended
        self._rows: dict[str, _Row] = {}
        self._by_identity: dict[str, str] = {}
        self._lock = threading.RLock()
        self._key = secrets.token_bytes(32)

    def claim(self, entry: Entry, ttl: float, *, again: bool = False) -> Claim:
        with self._lock:
            found = self._find(entry.identity)
            if found is not None and rules.stands_in_the_way(found.entry, again=again):
                rules.check_key(found.entry, entry)
                free = rules.may_be_driven(found.entry) and not self._is_held(found)
                lease = self._grant(found, ttl) if free else None
                return Claim(self._shown(found), lease, fresh=False)
            row = self._insert(entry)
            return Claim(row.entry, self._grant(row, ttl), fresh=True)

    def add(self, entry: Entry) -> Entry:
        with self._lock:
            found = self._find(entry.identity)
            if found is not None and rules.stands_in_the_way(found.entry, again=False):
                rules.check_key(found.entry, entry)
                return self._shown(found)
            return self._insert(entry).entry

    def take(self, upload_id: str, ttl: float) -> tuple[Entry, Lease]:
        with self._lock:
            row = self._row(upload_id)
            if self._is_held(row):
                raise rules.held(row.entry, HOLDER)
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
        with self._lock:
            row = self._leased(lease)
            row.entry = replace(row.entry, **changes, updated=self._clock())
            if part is not None:
                row.parts[part.index] = part

    def get(self, upload_id: str) -> Entry | None:
        with self._lock:
            row = self._rows.get(upload_id)
            return self._shown(row) if row is not None else None

    def parts(self, upload_id: str) -> Sequence[PartRecord]:
        with self._lock:
            return [part for _, part in sorted(self._row(upload_id).parts.items())]

    def latest(self, limit: int = 100, *, states: Iterable[State] | None = None) -> Sequence[Entry]:
        wanted = frozenset(states) if states is not None else frozenset(State)
        with self._lock:
            entries = [self._shown(r) for r in self._rows.values() if r.entry.state in wanted]
        entries.sort(key=lambda entry: entry.updated, reverse=True)
        return entries[:limit]

    def due(self, now: float | None = None, limit: int = 1000) -> Sequence[str]:
        with self._lock:
            moment = self._clock() if now is None else now
            rows = [
                row
                for row in self._rows.values()
                if rules.may_be_driven(row.entry)
                and not self._is_held(row)
                and (row.entry.not_before or 0.0) <= moment
            ]
            return [row.entry.upload_id for row in rows[:limit]]

    def stand_in(self, text: bytes) -> str:
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:32]

    def forget(self, upload_id: str) -> None:
        with self._lock:
            row = self._row(upload_id)
            if self._is_held(row):
                raise rules.held(row.entry, HOLDER)
            self._remove(row)

    def close(self) -> None:
        """Nothing is held."""

    def _find(self, identity: str) -> _Row | None:
        upload_id = self._by_identity.get(identity)
        return self._rows.get(upload_id) if upload_id is not None else None

    def _row(self, upload_id: str) -> _Row:
        row = self._rows.get(upload_id)
        if row is None:
            raise rules.missing(upload_id)
        return row

    def _insert(self, entry: Entry) -> _Row:
        now = self._clock()
        row = _Row(replace(entry, created=now, updated=now))
        self._rows[entry.upload_id] = row
        self._by_identity[entry.identity] = entry.upload_id
        self._trim()
        return row

    def _remove(self, row: _Row) -> None:
        del self._rows[row.entry.upload_id]
        if self._by_identity.get(row.entry.identity) == row.entry.upload_id:
            del self._by_identity[row.entry.identity]

    def _trim(self) -> None:
        """Forget the oldest ended uploads, so that a long-lived process stays within bounds."""
        if len(self._rows) <= self._keep_ended:
            return
        for row in list(self._rows.values()):
            if not rules.may_be_driven(row.entry) and not self._is_held(row):
                self._remove(row)
                if len(self._rows) <= self._keep_ended:
                    return

    def _is_held(self, row: _Row) -> bool:
        return row.lease is not None and row.until > self._clock()

    def _grant(self, row: _Row, ttl: float) -> Lease:
        row.fence += 1
        row.lease = Lease(row.entry.upload_id, HOLDER, row.fence, ttl)
        row.until = self._clock() + ttl
        row.entry = replace(row.entry, runs=row.entry.runs + 1)
        return row.lease

    def _leased(self, lease: Lease) -> _Row:
        row = self._row(lease.upload_id)
        if row.lease != lease or row.until <= self._clock():
            raise rules.lost(lease.upload_id)
        return row

    def _shown(self, row: _Row) -> Entry:
        return replace(row.entry, holder=HOLDER) if self._is_held(row) else row.entry
