"""The journal in a Django project's database, for the processes of many machines.

Rule: `add` joins the transaction that the caller is in, and is forgotten with it; all else that is
written is committed on connections of the journal's own when the call returns. Leases are columns
of the upload's row, taken by one conditional UPDATE and ended by the database's clock.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, connections
from django.db.models import Case, Count, F, Min, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from uploader.contrib.django import keeping, pausing
from uploader.contrib.django.base import Base
from uploader.contrib.django.clock import DatabaseTime
from uploader.contrib.django.marks import Marks
from uploader.contrib.django.models import Part, Upload
from uploader.contrib.django.owners import MachineOwners
from uploader.contrib.django.records import (
    KNOWN,
    columns_of,
    entry_from,
    facts_of,
    part_from,
)
from uploader.errors import JournalError
from uploader.journal import DEAD, ENDED, Claim, Entry, Lease, PartRecord, State
from uploader.journal import Pause as PauseRecord
from uploader.journals import forking, rules
from uploader.journals.sealing import Sealed, Sealer
from uploader.secret import Secret

TRIES: Final = 20
"""How often an upload is recorded anew when another one of its identity was recorded meanwhile."""
_FREED: Final[Mapping[str, Any]] = {"lease_holder": None, "lease_owner": None, "lease_until": 0.0}


class DjangoJournal:
    """Keep the journal in the database `using`, whose tables `migrate` has made.

    `keys` are Fernet keys: the first one seals upload URLs, all of them open. They must come from
    elsewhere than the database. `environment` names what the journal belongs to, such as
    "production": tables that carry another name are refused. `clock` returns the expression that
    tells the time. Nothing is asked of the database before the first use.
    """

    def __init__(
        self,
        using: str = "default",
        *,
        keys: Sequence[Secret | str],
        environment: str | None = None,
        clock: Callable[[], Combinable] = DatabaseTime,
    ) -> None:
        self.alias = using
        self._clock = clock
        self._sealer = Sealer(keys)
        self._base = Base(using)
        self._marks = Marks(
            self._base, self._sealer, environment or os.environ.get("UPLOADER_ENVIRONMENT") or None
        )
        self._forking = threading.RLock()
        self._making = threading.Lock()
        self._owners: MachineOwners | None = None
        self._leases: dict[str, Lease] = {}
        self._closed = False
        forking.watch(self)

    @property
    def environment(self) -> str | None:
        return self._marks.environment

    def claim(self, entry: Entry, ttl: float, *, again: bool = False) -> Claim:
        self._marks.check(joining=False)
        columns = columns_of(facts_of(entry), self._sealer.seal)

        def work() -> Claim:
            found, fresh = self._put(entry, columns, again=again, durable=True, ttl=ttl)
            return Claim(found[0], found[1], fresh=fresh)

        def undo(claim: Claim) -> None:
            if claim.lease is not None:
                self._free_lease(claim.lease)

        return self._base.alone(work, undo=undo)

    def add(self, entry: Entry) -> Entry:
        self._marks.check(joining=True)
        columns = columns_of(facts_of(entry), self._sealer.seal)
        durable = not self._base.is_joined
        return self._base.joining(
            lambda: self._put(entry, columns, again=False, durable=durable)[0][0], repeat=False
        )

    def take(self, upload_id: str, ttl: float) -> tuple[Entry, Lease]:
        self._marks.check(joining=False)

        def work() -> tuple[Entry, Lease]:
            with self._base.transaction(durable=True):
                row, entry = self._undriven(upload_id)
                return entry, self._grant(row, ttl)

        return self._base.alone(work, undo=lambda taken: self._free_lease(taken[1]))

    def renew(self, lease: Lease) -> None:
        until = {"lease_until": self._clock() + lease.ttl}
        self._base.alone(lambda: self._write(lease, until), repeat=True)

    def release(self, lease: Lease) -> None:
        self._base.alone(lambda: self._free_lease(lease), repeat=True)
        self._leases.pop(lease.upload_id, None)

    def save(
        self,
        lease: Lease,
        changes: Mapping[str, Any],
        *,
        part: PartRecord | None = None,
        durable: bool = False,
    ) -> None:
        rules.check_changes(changes)
        columns = columns_of(changes, self._sealer.seal)
        receipt = rules.json_of(part.receipt) if part is not None else ""
        columns["updated"] = self._stamp(mere_progress=changes.keys() == rules.PROGRESS)

        def work() -> None:
            if part is None and not durable:
                self._write(lease, columns)
                return
            with self._base.transaction(durable=durable):
                self._write(lease, columns)
                if part is not None:
                    self._put_part(lease.upload_id, part, receipt)

        self._base.alone(work, repeat=True)

    def get(self, upload_id: str) -> Entry | None:
        found = self._base.joining(lambda: self._read(self._rows.filter(upload_id=upload_id)))
        return found[0] if found else None

    def standing(self, identity: str) -> Entry | None:
        rows = self._rows.filter(identity=identity).exclude(state__in=DEAD).order_by("-id")[:1]
        found = self._base.joining(lambda: self._read(rows))
        return found[0] if found else None

    def find(self, prefix: str, limit: int = 100) -> Sequence[Entry]:
        if not prefix:
            return []
        rows = self._rows.filter(upload_id__startswith=prefix).order_by("upload_id")[:limit]
        found = self._base.joining(lambda: self._read(rows))
        # Some databases take capitals for small letters here.
        return [entry for entry in found if entry.upload_id.startswith(prefix)]

    def parts(self, upload_id: str) -> Sequence[PartRecord]:
        def work() -> list[PartRecord]:
            rows = Part.objects.using(self.alias).filter(upload=upload_id).order_by("number")
            return [part_from(row) for row in rows.only("number", "digest", "receipt")]

        return self._base.joining(work)

    def latest(self, limit: int = 100, *, states: Iterable[State] | None = None) -> Sequence[Entry]:
        wanted = frozenset(State if states is None else states)

        def work() -> list[Entry]:
            # State by state along their index, which is the only one that a save has to keep.
            found = [
                each
                for state in wanted
                for each in Upload.objects.using(self.alias)
                .filter(state=state)
                .order_by("-updated", "-id")
                .values_list("updated", "id")[:limit]
            ]
            ids = [row for _, row in heapq.nlargest(limit, found)]
            return self._read(self._rows.filter(id__in=ids).order_by("-updated", "-id"))

        return self._base.joining(work)

    def due(
        self,
        now: float | None = None,
        limit: int = 1000,
        *,
        states: Iterable[State] | None = None,
    ) -> Sequence[str]:
        wanted = frozenset(State if states is None else states) - ENDED

        def work() -> list[str]:
            moment = self._now() if now is None else now
            return pausing.due(self.alias, moment, limit, self._free, wanted)

        return self._base.joining(work)

    def referred(self, transport: str, reference: str) -> Sequence[Entry]:
        rows = self._rows.filter(transport=transport, reference=reference).order_by("-id")
        return self._base.joining(lambda: self._read(rows))

    def pause(self, pause: PauseRecord) -> None:
        def work() -> None:
            with self._base.transaction(durable=True):
                pausing.put(self.alias, pause, self._clock())

        self._base.alone(work)

    def unpause(
        self, transport: str | None = None, account: str | None = None, *, by: str | None = None
    ) -> int:
        def work() -> int:
            with self._base.transaction(durable=True):
                return pausing.lift(self.alias, transport, account, by=by, now=self._clock())

        return self._base.alone(work)

    def pauses(self) -> Sequence[PauseRecord]:
        return self._base.joining(
            lambda: pausing.records(pausing.standing(self.alias, self._clock()))
        )

    def take_trial(self, pause: PauseRecord, then: float) -> bool:
        return self._base.alone(lambda: pausing.take_trial(self.alias, pause, then, self._clock()))

    def counts(self) -> Mapping[State, tuple[int, float]]:
        def work() -> dict[State, tuple[int, float]]:
            rows = Upload.objects.using(self.alias).values("state").order_by("state")
            counted = rows.annotate(count=Count("id"), oldest=Min("updated"), now=self._clock())
            return {
                State(row["state"]): (row["count"], max(0.0, row["now"] - row["oldest"]))
                for row in counted
            }

        found = self._base.joining(work)
        return {state: found.get(state, (0, 0.0)) for state in State}

    def stand_in(self, text: bytes) -> str:
        key = self._marks.stand_in.reveal().encode()
        return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]

    def forget(self, upload_id: str) -> None:
        def work() -> None:
            with self._base.transaction(durable=True):
                self._undriven(upload_id)
                keeping.remove(self.alias, [upload_id])

        self._base.alone(work)

    def prune(self, older_than: float) -> int:
        old = self._base.alone(lambda: keeping.prunable(self.alias, older_than, self._clock()))

        def some(batch: Sequence[int]) -> int:
            with self._base.transaction():
                return keeping.prune(self.alias, batch, older_than, self._clock())

        batches = [old[start : start + rules.BATCH] for start in range(0, len(old), rules.BATCH)]
        return sum(self._base.alone(partial(some, batch)) for batch in batches)

    def restored(self, since: float) -> int:
        def work() -> int:
            with self._base.transaction(durable=True):
                return keeping.restore(self.alias, since, self._clock())

        return self._base.alone(work)

    def close(self) -> None:
        # Only this machine can tell that an owner is gone: its leases are given back.
        if self._closed:
            return
        self._closed = True
        with suppress(JournalError):
            for lease in list(self._leases.values()):
                self.release(lease)
        self._base.close()
        if self._owners is not None:
            self._owners.close()

    # Forks.

    @property
    def fork_lock(self) -> threading.RLock:
        # Nothing else takes it: a fork that holds it waits for what the crew does.
        return self._forking

    def before_fork(self) -> None:
        """The crew puts its connections away."""

    def start_in_child(self) -> None:
        self._forking = threading.RLock()
        self._making = threading.Lock()
        self._leases = {}
        if self._owners is not None:
            self._owners.close()
            self._owners = None

    # How it is done.

    @property
    def _rows(self) -> QuerySet[Upload]:
        """All uploads, with the time of reading; columns that are not ours are never named."""
        return Upload.objects.using(self.alias).only(*KNOWN).annotate(now=self._clock())

    @property
    def _own(self) -> MachineOwners:
        with self._making:
            if self._owners is None:
                self._owners = MachineOwners()
            return self._owners

    @property
    def _free(self) -> Q:
        """What nobody drives."""
        held = Upload.objects.using(self.alias).filter(
            lease_owner__isnull=False, lease_until__gt=self._clock()
        )
        owners = held.order_by().values_list("lease_owner", flat=True).distinct()
        dead = [owner for owner in owners if owner is not None and self._own.is_dead(owner)]
        free = Q(lease_holder=None) | Q(lease_until__lte=self._clock())
        return free | Q(lease_owner__in=dead) if dead else free

    def _now(self) -> float:
        """Ask for the time; a table is asked since some databases want one."""
        return self._marks.now(self._clock())

    def _stamp(self, *, mere_progress: bool) -> Any:
        if not mere_progress:
            return self._clock()
        recent = When(updated__gt=self._clock() - rules.GRAIN, then=F("updated"))
        return Case(recent, default=self._clock())

    def _read(self, rows: Iterable[Upload]) -> list[Entry]:
        return [replace(self._entry(row), holder=self._holder(row)) for row in rows]

    def _entry(self, row: Upload) -> Entry:
        try:
            return entry_from(row, lambda sealed: Sealed(sealed, self._sealer))
        except (ValueError, TypeError):
            pass
        raise JournalError(
            f"{self._base.place} is damaged: the upload {row.upload_id} cannot be read"
        ).hint("it was left as it is: restore the database from a backup, or forget this upload")

    def _holder(self, row: Any) -> str | None:
        owner, holder = row.lease_owner, row.lease_holder
        if row.lease_until <= row.now or (owner is not None and self._own.is_dead(owner)):
            return None
        return None if holder is None else str(holder)

    def _undriven(self, upload_id: str) -> tuple[Upload, Entry]:
        """Return a row, locked where that can be, that nobody drives."""
        row = self._rows.filter(upload_id=upload_id).select_for_update().first()
        if row is None:
            raise rules.missing(upload_id)
        holder = self._holder(row)
        if holder is not None:
            raise rules.held(upload_id, holder)
        return row, self._entry(row)

    def _standing(self, identity: str) -> Upload | None:
        """Return the newest row of an identity that keeps a new one from starting, locked."""
        rows = self._rows.filter(identity=identity).exclude(state__in=DEAD).order_by("-id")
        # The row that was waited for may have died meanwhile, and an older one stand behind it:
        # the second question sees what the first one waited for.
        for _ in range(2):
            row = rows.select_for_update()[:1].first()
            if row is not None:
                return row
        return None

    def _put(
        self,
        entry: Entry,
        columns: Mapping[str, Any],
        *,
        again: bool,
        durable: bool,
        ttl: float | None = None,
    ) -> tuple[tuple[Entry, Lease | None], bool]:
        """Record an upload, or find what stands in its way; lease it for `ttl` seconds."""
        for _ in range(TRIES):
            with suppress(IntegrityError), self._base.transaction(durable=durable):
                row = None if again else self._standing(entry.identity)
                fresh = row is None
                if row is None:
                    row = self._insert(entry, columns, again=again)
                found = replace(self._entry(row), holder=self._holder(row))
                rules.check_key(found, entry)
                free = rules.may_be_driven(found) and found.holder is None
                lease = self._grant(row, ttl) if ttl is not None and free else None
                return (found, lease), fresh
            if Upload.objects.using(self.alias).filter(upload_id=entry.upload_id).exists():
                raise rules.taken(entry.upload_id)
        raise JournalError(
            f"{self._base.place} was asked {TRIES} times at once for {entry.name or 'one upload'}",
            upload_id=entry.upload_id,
        ).hint("try again")

    def _insert(self, entry: Entry, columns: Mapping[str, Any], *, again: bool) -> Upload:
        # Dead ones, and those that are repeated on purpose, stand no longer. Another one does: it
        # was recorded a moment ago, and this one is refused.
        standing = Upload.objects.using(self.alias).filter(standing=entry.identity)
        (standing if again else standing.filter(state__in=DEAD)).update(standing=None)
        now = self._now()
        row = Upload(**{**columns, "created": now, "updated": now, "standing": entry.identity})
        # Neither `save` nor its signals: this row is the journal's business alone.
        Upload.objects.using(self.alias).bulk_create([row])
        return self._rows.get(upload_id=entry.upload_id)

    def _grant(self, row: Upload, ttl: float) -> Lease:
        holder = f"{socket.gethostname()} process {os.getpid()}"
        granted = (
            Upload.objects.using(self.alias)
            .filter(upload_id=row.upload_id, fence=row.fence)
            .update(
                fence=F("fence") + 1,
                runs=F("runs") + 1,
                lease_owner=self._own.name,
                lease_holder=holder,
                lease_until=self._clock() + Value(ttl),
            )
        )
        if granted != 1:  # only where rows cannot be locked
            raise rules.held(row.upload_id, "another run that came first")
        lease = Lease(row.upload_id, holder, row.fence + 1, ttl)
        self._leases[row.upload_id] = lease
        return lease

    def _leased(self, lease: Lease) -> QuerySet[Upload]:
        return Upload.objects.using(self.alias).filter(
            upload_id=lease.upload_id,
            fence=lease.fence,
            lease_holder__isnull=False,
            lease_owner=self._own.name,
        )

    def _free_lease(self, lease: Lease) -> None:
        self._leased(lease).update(**_FREED)

    def _write(self, lease: Lease, columns: Mapping[str, Any]) -> None:
        """Change a leased row. A lease that lapsed is good until another run takes the upload."""
        if self._leased(lease).update(**columns) != 1:
            raise rules.lost(lease.upload_id)

    def _put_part(self, upload_id: str, part: PartRecord, receipt: str) -> None:
        """Record a part in place of the one of its number; the upload's row is locked."""
        rows = Part.objects.using(self.alias)
        features = connections[self.alias].features
        made = Part(upload_id=upload_id, number=part.index, digest=part.digest, receipt=receipt)
        if features.supports_update_conflicts_with_target:
            rows.bulk_create(
                [made],
                update_conflicts=True,
                unique_fields=["upload", "number"],
                update_fields=["digest", "receipt"],
            )
            return
        facts = {"digest": part.digest, "receipt": receipt}
        if not rows.filter(upload=upload_id, number=part.index).update(**facts):
            rows.bulk_create([made])
