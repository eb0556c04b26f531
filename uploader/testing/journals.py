"""The suite that any journal must pass; a third party's is done when it does.

    class TestMine(JournalContract):
        def make(self) -> Journal:
            return MyJournal(self.folder, clock=self.clock)

Rule: only the contract's own words (`uploader.journal`) are used. A journal that several processes
share is held to `SharedJournalContract`, whose `make()` opens the same journal each time.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from uploader.errors import JournalError, LeaseHeldError, LeaseLostError
from uploader.journal import Entry, Journal, PartRecord
from uploader.testing.journal_frame import TTL, Clock
from uploader.testing.journal_keeping import KeepingContract
from uploader.testing.journal_leases import LeaseContract
from uploader.testing.journal_pauses import PauseContract
from uploader.testing.journal_records import RecordContract

__all__ = ["Clock", "JournalContract", "SharedJournalContract"]


class JournalContract(LeaseContract, RecordContract, KeepingContract, PauseContract):
    """Everything that is promised of one opened journal.

    Override `make()`, and `pass_time()` where the journal has a clock of its own.
    """

    def test_a_closed_journal_can_be_closed_again(self, journal: Journal) -> None:
        """Whoever cleans up need not know who did before."""
        journal.close()
        journal.close()


class SharedJournalContract(JournalContract):
    """And what is promised when several have the same journal open; `make()` opens it each time."""

    def test_all_openings_see_the_same(self, journal: Journal) -> None:
        """What one records the other reads: entry, session, parts."""
        entry, lease = self.claimed(journal, session=self.session())
        journal.save(lease, {"confirmed": 1}, part=PartRecord(0, "a", {"n": 1}))
        other = self.make()

        assert other.get(entry.upload_id) == journal.get(entry.upload_id)
        assert other.parts(entry.upload_id) == [PartRecord(0, "a", {"n": 1})]
        assert other.stand_in(b"token") == journal.stand_in(b"token")
        other.close()

    def test_one_driver_over_all_openings(self, journal: Journal) -> None:
        """A lease of the one is held against the other, and lost to it when it lapsed."""
        entry, lease = self.claimed(journal)
        other = self.make()

        with pytest.raises(LeaseHeldError):
            other.take(entry.upload_id, TTL)
        self.pass_time(TTL + 1)
        other.take(entry.upload_id, TTL)

        with pytest.raises(JournalError):
            journal.save(lease, {"confirmed": 3})
        other.close()

    def test_a_lease_is_good_through_the_opening_that_gave_it(self, journal: Journal) -> None:
        """Another one neither writes under it nor gives it back."""
        entry, lease = self.claimed(journal)
        other = self.make()

        for refused in (other.renew, lambda lease: other.save(lease, {"confirmed": 1})):
            with pytest.raises(LeaseLostError):
                refused(lease)
        other.release(lease)

        assert other.get(entry.upload_id) == journal.get(entry.upload_id)
        assert self.read(journal, entry.upload_id).holder
        journal.save(lease, {"confirmed": 1})
        other.close()

    def test_closing_frees_what_was_leased(self, journal: Journal) -> None:
        """Nobody waits for the lease of one who is gone."""
        other = self.make()
        entry, _ = self.claimed(other)

        other.close()

        assert self.leased(journal.claim(replace(entry, upload_id="another"), TTL)).fence > 1

    def test_a_pause_holds_in_all_openings(self, journal: Journal) -> None:
        """Whoever pauses or lifts speaks for all of them."""
        other = self.make()
        entry = other.add(self.entry())
        pause = self.paused(transport="tiktok", by="somebody")

        journal.pause(pause)

        assert list(other.pauses()) == [pause]
        assert other.due() == []
        assert other.unpause("tiktok") == 1
        assert journal.due() == [entry.upload_id]
        other.close()

    def test_of_many_openings_one_takes_a_trial(self) -> None:
        """They saw the same moment come."""
        journals = [self.make() for _ in range(4)]
        pause = self.paused(trial=self.clock())
        journals[0].pause(pause)
        start = threading.Barrier(len(journals))
        taken = []

        def take(journal: Journal) -> None:
            start.wait()
            taken.append(journal.take_trial(pause, self.clock() + 60))

        threads = [threading.Thread(target=take, args=(journal,)) for journal in journals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(taken) == [False, False, False, True]
        assert list(journals[-1].pauses()) == [replace(pause, trial=self.clock() + 60)]
        for journal in journals:
            journal.close()

    def test_of_many_openings_that_claim_at_once_one_wins(self) -> None:
        """Each in a thread of its own, all for one identity."""
        journals = [self.make() for _ in range(4)]
        start = threading.Barrier(len(journals))
        claims = []

        def claim(journal: Journal, entry: Entry) -> None:
            start.wait()
            claims.append(journal.claim(entry, TTL))

        entries = [self.entry(identity="same") for _ in journals]
        threads = [
            threading.Thread(target=claim, args=pair)
            for pair in zip(journals, entries, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted((claim.fresh, claim.lease is not None) for claim in claims) == [
            (False, False),
            (False, False),
            (False, False),
            (True, True),
        ]
        assert len({claim.entry.upload_id for claim in claims}) == 1
        for journal in journals:
            journal.close()
