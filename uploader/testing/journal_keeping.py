"""The part of the suite for journals that is about forgetting, and about backups.

Rule: only the contract's own words (`uploader.journal`) are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from uploader.errors import JournalError, LeaseHeldError
from uploader.journal import DEAD, ENDED, RESTORED, Entry, Journal, PartRecord, State
from uploader.testing.journal_frame import TTL, JournalFrame

UNDER_WAY = sorted(frozenset(State) - ENDED)


class KeepingContract(JournalFrame):
    """What may go, what must stay, and what nobody can know."""

    def test_what_is_forgotten_is_gone(self, journal: Journal) -> None:
        """The same upload starts anew then."""
        entry = self.ended(journal, State.DONE)

        journal.forget(entry.upload_id)

        assert journal.get(entry.upload_id) is None
        assert journal.claim(replace(entry, upload_id="another"), TTL).fresh
        with pytest.raises(JournalError, match=entry.upload_id):
            journal.forget(entry.upload_id)

    def test_what_is_driven_is_not_forgotten(self, journal: Journal) -> None:
        """The run that drives it would post without a record."""
        entry, _ = self.claimed(journal)

        with pytest.raises(LeaseHeldError):
            journal.forget(entry.upload_id)

        assert journal.get(entry.upload_id) is not None

    def test_pruning_keeps_what_prevents_a_second_post(self, journal: Journal) -> None:
        """What is done stays with its result, without what only a run needs."""
        entry, lease = self.claimed(
            journal,
            key="post-1",
            fingerprint="f1",
            source="/videos/clip.mp4",
            destination={"title": "Hi"},
        )
        done = {
            "state": State.DONE,
            "session": self.session(),
            "reference": "v_pub~1",
            "digest": "d1",
            "location": "https://example/1",
            "fields": {"post_ids": ["7"]},
        }
        journal.save(lease, done, part=PartRecord(0, "a", {"etag": "1"}))
        journal.release(lease)
        before = self.read(journal, entry.upload_id)
        self.pass_time(10)

        pruned = journal.prune(self.clock())
        claim = journal.claim(replace(entry, upload_id="another"), TTL)

        assert pruned == 1
        assert (claim.fresh, claim.lease) == (False, None)
        assert claim.entry == replace(before, session=None, source=None)
        assert journal.parts(entry.upload_id) == [PartRecord(0, "a")]
        assert journal.prune(self.clock()) == 0

    def test_pruning_takes_only_what_ended_long_ago(self, journal: Journal) -> None:
        """Failed and cancelled uploads go; what is under way or unknown stays whole."""
        kept = [self.ended(journal, state, source="a") for state in UNDER_WAY]
        for state in DEAD:
            self.ended(journal, state)
        self.pass_time(10)
        kept += [self.ended(journal, state, source="a") for state in sorted(ENDED)]

        assert journal.prune(self.clock() - 5) == len(DEAD)
        assert _by_id(journal.latest()) == _by_id(kept)

    def test_what_a_restored_backup_may_have_forgotten_is_unknown(self, journal: Journal) -> None:
        """Whatever had not ended may have ended since; what was queued may have been sent."""
        made = {state: self.ended(journal, state, session=self.session()) for state in State}
        self.pass_time(10)

        changed = journal.restored(self.clock())
        states = {state: self.read(journal, e.upload_id).state for state, e in made.items()}

        unknown = dict.fromkeys(UNDER_WAY, State.UNKNOWN)
        assert states == unknown | {state: state for state in ENDED}
        assert changed == len(UNDER_WAY)
        for state in UNDER_WAY:
            assert self.read(journal, made[state].upload_id).error == RESTORED
        assert (
            self.read(journal, made[State.SENDING].upload_id).session == made[State.SENDING].session
        )

    def test_a_failure_since_the_backup_is_unknown_too(self, journal: Journal) -> None:
        """It may have been tried again; what is done stays done."""
        old = self.ended(journal, State.FAILED)
        self.pass_time(10)
        since = self.clock()
        new = {state: self.ended(journal, state).upload_id for state in ENDED}

        assert journal.restored(since) == len(DEAD)
        assert self.read(journal, old.upload_id).state is State.FAILED
        assert {self.read(journal, new[state]).state for state in DEAD} == {State.UNKNOWN}
        assert self.read(journal, new[State.DONE]).state is State.DONE


def _by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.upload_id: entry for entry in entries}
