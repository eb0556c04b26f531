"""Takes lost uploads up again: each as an upload of its own, of the same identity.

Rule: only what FAILED and in whose place nothing stands since; the journal itself sees to it that
no second one is recorded. What failed stays on record, and `fields["retry_of"]` of the new upload
names it. Blocking: reads and writes the journal.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from uploader.journal import Entry, Journal, State

RETRY_OF: Final = "retry_of"
"""The field of an upload that names the failed one in whose place it stands."""
LOOKED_AT: Final = 100_000
"""Failed uploads that changed last, among which is looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Which failed uploads are meant; what is `None` leaves the choice open.

    `since` is the earliest moment of the failure, in seconds since the epoch. `error` is a code of
    ours or of the destination's.
    """

    error: str | None = None
    since: float | None = None
    transport: str | None = None
    account: str | None = None

    def covers(self, entry: Entry) -> bool:
        """Whether an upload that failed is meant, its time aside."""
        return (
            self.transport in (None, entry.transport)
            and self.account in (None, entry.account)
            and (self.error is None or self.error in codes_of(entry.error or {}))
        )


@dataclass(frozen=True, slots=True)
class Retry:
    """What becomes of one failed upload: the id that it goes on under, or why it does not."""

    failed: Entry
    upload_id: str | None
    why_not: str = ""


def codes_of(error: Mapping[str, Any]) -> set[str]:
    """Return the codes by which an error can be asked for, those of its cause among them."""
    last = error.get("last")
    found = {str(error[name]) for name in ("code", "vendor_code") if error.get(name)}
    return found | (codes_of(last) if isinstance(last, Mapping) else set())


def lost(journal: Journal, wanted: Lost) -> Iterator[Entry]:
    """Yield the failed uploads that are meant, the latest first; of an identity only the last."""
    known: set[str] = set()
    for entry in journal.latest(LOOKED_AT, states=[State.FAILED]):
        if wanted.since is not None and entry.updated < wanted.since:
            return
        if entry.identity not in known:
            known.add(entry.identity)
            if wanted.covers(entry) and journal.standing(entry.identity) is None:
                yield entry


def retry(journal: Journal, wanted: Lost, *, now: float, dry_run: bool) -> Sequence[Retry]:
    """Record the lost uploads anew, to be sent by whoever resumes what waits."""
    found = list(lost(journal, wanted))
    return [_again(journal, entry, now=now, dry_run=dry_run) for entry in reversed(found)]


def _again(journal: Journal, failed: Entry, *, now: float, dry_run: bool) -> Retry:
    why_not = _obstacle(failed, now)
    if why_not or dry_run:
        return Retry(failed, None, why_not)
    wanted = replace(
        failed,
        upload_id=secrets.token_hex(8),
        session=None,
        reference=None,
        state=State.QUEUED,
        confirmed=0,
        location=None,
        fields={RETRY_OF: failed.upload_id},
        error=None,
        not_before=None,
        runs=0,
        holder=None,
    )
    found = journal.add(wanted)
    if found.upload_id != wanted.upload_id:
        return Retry(failed, None, f"{found.upload_id} stands in its place ({found.state})")
    return Retry(failed, found.upload_id)


def _obstacle(failed: Entry, now: float) -> str:
    """Return why an upload cannot be taken up again, "" when it can."""
    if failed.is_stream:
        return "its content came as a stream, which is read once"
    if failed.source is None:
        return "the journal has no path of its content"
    if not failed.destination:
        return "the journal does not know any more what was to be posted"
    if failed.not_after is not None and now > failed.not_after:
        return "the time until which it was due is over"
    return ""
