"""The contract of a journal: the durable record of every upload.

A journal is written before every request whose loss would be ambiguous, so that another process can
take an upload up where a killed one left it, and so that nothing is ever posted twice.

Obligations:

- `claim` and `take` are atomic over all processes that share the journal: two of them never hold
  one upload at once.
- Every write under a lease is refused with `LeaseLostError` once another run has taken it over:
  each taking raises the lease's `fence`, and only the highest one may write. A lease that lapsed
  is good for writing until then, so that a run whose machine slept can still record its end.
- A lease's expiry is judged by the journal's clock alone. An owner that is known to be dead (its
  lock was dropped by the kernel, or it closed the journal) loses its lease at once.
- `durable=True` means: when the call returns, the record survives a power failure. So do new
  entries.
- Secrets of a session are sealed before they are stored. Access tokens are never given to it.
- Calls may block. They come from worker threads, several at once. A forked child neither uses nor
  ends what its parent holds.
- What cannot be done is a `JournalError`; nothing is ever overwritten to get on.

`uploader.testing.journals` holds any journal to this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from uploader.model import Outcome, Plan, Session


class State(StrEnum):
    """How far an upload has come, as the journal knows it."""

    QUEUED = "queued"
    """Nothing was sent yet."""
    OPENING = "opening"
    """`create` is about to go out, or went out and was not answered."""
    SENDING = "sending"
    """A session is open; parts are on their way."""
    COMMITTING = "committing"
    """The irreversible request is about to go out, or was not answered."""
    PROCESSING = "processing"
    """Every byte is confirmed; the server has the word."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


ENDED = frozenset({State.DONE, State.FAILED, State.CANCELLED})
"""States that no run leaves by itself."""
DEAD = frozenset({State.FAILED, State.CANCELLED})
"""States after which a repeated call starts anew."""

PAUSABLE = frozenset({State.QUEUED, State.OPENING, State.SENDING})
"""States in which a pause holds an upload back. Later on nothing can be taken back: it is finished,
asked about or polled as usual."""

STREAM: Final = "stream "
"""How the fingerprint of content begins that came as a stream."""
RESTORED: Final[Mapping[str, Any]] = {
    "code": "restored",
    "message": "the journal was restored from a backup: the upload may have gone on since",
}
"""The `error` of what a restored backup made UNKNOWN: no age of it makes it safe to send again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One upload as the journal holds it.

    `identity` tells which upload it is, `fingerprint` what its content was. `destination` holds the
    public fields that it can be built from again. `confirmed` is how many parts, from the first on,
    are proved to be stored. `runs` counts how often it was leased. `reference` is the server's
    public id of the session, by which its notices tell of the upload. Times are seconds since the
    epoch, by the journal's clock.
    """

    upload_id: str
    identity: str
    transport: str
    account: str | None
    key: str | None = None
    name: str = ""
    source: str | None = None
    fingerprint: str = ""
    digest: str | None = None
    content_type: str = ""
    destination: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan
    session: Session | None = None
    reference: str | None = None
    state: State = State.QUEUED
    confirmed: int = 0
    location: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    created: float = 0.0
    updated: float = 0.0
    not_before: float | None = None
    not_after: float | None = None
    runs: int = 0
    holder: str | None = None
    """Who drives it now, in words for a human; `None` for nobody."""

    @property
    def is_stream(self) -> bool:
        """Whether the content came as a stream, read once: nobody can go on with it."""
        return self.fingerprint.startswith(STREAM)

    @property
    def outcome(self) -> Outcome | None:
        """The outcome when the journal has one, `None` for an upload that is under way."""
        match self.state:
            case State.DONE | State.FAILED | State.UNKNOWN | State.CANCELLED | State.PROCESSING:
                return Outcome(str(self.state))
        return None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one run to drive an upload, for `ttl` seconds by the journal's clock.

    It is good only through the journal object that gave it: neither a forked child nor another
    opening writes under it.
    """

    upload_id: str
    owner: str
    fence: int
    ttl: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What `claim` found: the entry, and the lease when this run may drive it.

    `fresh` tells that the entry is new, so that nothing was ever sent for it. The entry is as it
    was before this run.
    """

    entry: Entry
    lease: Lease | None
    fresh: bool


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A part that is proved to be stored: the digest of what was sent of it (xxh3-128, hex)."""

    index: int
    digest: str | None = None
    receipt: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """What is to be held back: uploads of a transport, of an account, of both, or all of them.

    `None` stands for every transport, or every account. `since` and `until` are seconds since the
    epoch; without `until` it stands until it is lifted. `by` says who paused, in words for a human.
    From `trial` on one upload is let through all the same, to see whether the reason still stands.
    """

    transport: str | None
    account: str | None
    reason: str
    since: float
    until: float | None = None
    by: str = ""
    trial: float | None = None

    def covers(self, transport: str, account: str | None) -> bool:
        """Whether it is about the uploads of an account."""
        return self.transport in (None, transport) and self.account in (None, account)


def may_wait(journal: Journal) -> bool:
    """Whether a call of the journal may wait for something: that is for a thread, then."""
    return bool(getattr(journal, "waits", True))


class Journal(Protocol):
    """Where uploads are recorded.

    Optional: `waits = False` says that no call ever waits for a disk, a network or a user's code:
    the engine makes it where it stands instead of on a thread.
    `wants_digests = False` spares the digests of the parts' content. A resumed upload is
    then known by size and samples alone, which is enough for a journal that ends with its process.
    """

    @property
    def environment(self) -> str | None:
        """What the journal belongs to, such as "production", `None` when it was never told."""
        ...

    def claim(self, entry: Entry, ttl: float, *, again: bool = False) -> Claim:
        """Record a new upload and lease it, or return the one that stands in its way.

        An entry of the same identity stands in the way unless it is DEAD or `again` is true; of
        several the newest does. It is leased too when it has not ended and nobody drives it;
        `lease` is `None` when somebody does, or when it has ended. The same key for another
        content is a `ConfigurationError`.
        """
        ...

    def add(self, entry: Entry) -> Entry:
        """Record an upload that is to be sent later, or return the one that stands in its way."""
        ...

    def take(self, upload_id: str, ttl: float) -> tuple[Entry, Lease]:
        """Lease a recorded upload; raise `LeaseHeldError` when another run drives it.

        The entry is as it was before this run. It may have ended: see its state.
        """
        ...

    def renew(self, lease: Lease) -> None:
        """Prolong a lease by its `ttl` from now; raise `LeaseLostError`."""
        ...

    def release(self, lease: Lease) -> None:
        """Give a lease back. Nothing happens when it was lost."""
        ...

    def save(
        self,
        lease: Lease,
        changes: Mapping[str, Any],
        *,
        part: PartRecord | None = None,
        durable: bool = False,
    ) -> None:
        """Change fields of a leased entry, and record a part; all of it or nothing.

        What tells which upload it is, its times, `runs` and `holder` are not a run's to change:
        `TypeError`. `not_before` is: a run that learns when a limit ends says so.
        """
        ...

    def get(self, upload_id: str) -> Entry | None: ...

    def standing(self, identity: str) -> Entry | None:
        """Return the entry that stands in the way of a new one of this identity, if any."""
        ...

    def find(self, prefix: str, limit: int = 100) -> Sequence[Entry]:
        """Return the entries whose ids begin with `prefix`, by id; none for an empty one."""
        ...

    def parts(self, upload_id: str) -> Sequence[PartRecord]:
        """Return the recorded parts in order."""
        ...

    def latest(self, limit: int = 100, *, states: Iterable[State] | None = None) -> Sequence[Entry]:
        """Return the entries that changed last, the newest first; of the same time the latest."""
        ...

    def due(
        self,
        now: float | None = None,
        limit: int = 1000,
        *,
        states: Iterable[State] | None = None,
    ) -> Sequence[str]:
        """Return the ids of uploads that wait to be driven, what changed longest ago first.

        UNKNOWN ones come after all others: no run may ever learn more of them.
        They have not ended, nobody drives them, and their `not_before` has come. What is past its
        `not_after` is among them, to be ended by a run. PAUSABLE ones that a pause covers are left
        out; of those that a pause whose `trial` has come covers, and no other one does, the first
        is not. `limit` counts those of `states` alone, where some are given. No entry is read: one
        that is damaged is named like the others.
        """
        ...

    def referred(self, transport: str, reference: str) -> Sequence[Entry]:
        """Return a transport's entries of this `reference`, the newest first; along an index."""
        ...

    def pause(self, pause: Pause) -> None:
        """Record a pause, durably, in place of one of the same transport, account and `by`."""
        ...

    def unpause(
        self, transport: str | None = None, account: str | None = None, *, by: str | None = None
    ) -> int:
        """Lift the pauses of exactly this transport and account, durably; return how many.

        `None, None` lifts the pause of everything and no narrower one. With `by` only that one's
        pause is lifted.
        """
        ...

    def pauses(self) -> Sequence[Pause]:
        """Return what is paused, the longest first; what is past its `until` is gone."""
        ...

    def take_trial(self, pause: Pause, then: float) -> bool:
        """Set the `trial` of a pause to `then`; `False` when it no longer stands as given.

        Atomic over all processes: of those that saw one trial come, one may let an upload through.
        """
        ...

    def counts(self) -> Mapping[State, tuple[int, float]]:
        """Return for each state how many uploads are in it and the age of the oldest.

        The age is the seconds since the upload's last change, 0.0 where there is none.
        """
        ...

    def stand_in(self, text: bytes) -> str:
        """Return a keyed digest of a secret, useless without the journal's key.

        It stays the same for as long as the journal lives, whatever becomes of its other keys: it
        may be part of an identity.
        """
        ...

    def forget(self, upload_id: str) -> None:
        """Remove an entry for good; raise `LeaseHeldError` when a run drives it."""
        ...

    def prune(self, older_than: float) -> int:
        """Remove what ended and last changed before a moment; return how many entries that took.

        DEAD entries go. A DONE one keeps what prevents a second post and tells of the first, the
        digests of its parts too: the same samples are not yet the same content. It loses its
        session, its source and the receipts; its `reference` stays, for notices that come late. All
        others stay as they are, UNKNOWN ones above all.
        """
        ...

    def restored(self, since: float) -> int:
        """Make UNKNOWN what may have gone on since a backup; return how many entries that took.

        To be called after the journal was restored from a backup that was taken at `since`, before
        any run. Whatever has not ended becomes UNKNOWN with the error RESTORED, QUEUED entries too:
        they may have been sent since. So do DEAD entries that changed at `since` or later. A
        failure of before may have been tried again since, too: an earlier `since` holds those back
        as well. Every lease is void. Uploads that were recorded first after the backup are not in
        it; of them no journal can tell.
        """
        ...

    def close(self) -> None:
        """Let go of everything; leases that were taken through this object are free at once."""
        ...
