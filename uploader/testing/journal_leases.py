"""The part of the suite for journals that is about who may start and drive an upload.

Rule: only the contract's own words (`uploader.journal`) are used.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from uploader.errors import ConfigurationError, JournalError, LeaseHeldError, LeaseLostError
from uploader.journal import DEAD, ENDED, Claim, Journal, PartRecord, State
from uploader.testing.journal_frame import TTL, JournalFrame

UNDER_WAY = sorted(frozenset(State) - ENDED)


class LeaseContract(JournalFrame):
    """Claims, leases and fences."""

    # Claims.

    def test_a_new_upload_is_recorded_and_leased(self, journal: Journal) -> None:
        """From then on everybody sees who drives it."""
        entry = self.entry(state=State.OPENING)

        claim = journal.claim(entry, TTL)
        read = self.read(journal, entry.upload_id)

        assert claim.fresh
        assert self.leased(claim).upload_id == entry.upload_id
        assert (claim.entry.runs, claim.entry.holder) == (0, None)
        assert (read.state, read.runs) == (State.OPENING, 1)
        assert read.holder

    def test_what_is_under_way_is_not_started_again(self, journal: Journal) -> None:
        """The second caller learns who drives it."""
        entry, _ = self.claimed(journal)

        claim = journal.claim(self.entry(identity=entry.identity), TTL)

        assert (claim.fresh, claim.lease) == (False, None)
        assert claim.entry.upload_id == entry.upload_id
        assert claim.entry.holder

    @pytest.mark.parametrize("state", UNDER_WAY)
    def test_what_was_interrupted_goes_on(self, journal: Journal, state: State) -> None:
        """In whatever state the run before left it, unknown ones included."""
        entry = self.ended(journal, state)

        claim = journal.claim(self.entry(identity=entry.identity), TTL)

        assert not claim.fresh
        assert self.leased(claim).upload_id == entry.upload_id
        assert claim.entry == entry

    def test_what_is_done_is_returned_and_not_leased(self, journal: Journal) -> None:
        """Uploading it again is answered from the record."""
        entry = self.ended(journal, State.DONE, fields={"post_ids": ["7"]})

        claim = journal.claim(self.entry(identity=entry.identity), TTL)

        assert claim == Claim(entry, None, fresh=False)

    @pytest.mark.parametrize("state", sorted(DEAD))
    def test_what_failed_starts_anew(self, journal: Journal, state: State) -> None:
        """As an upload of its own; the failed one stays on record."""
        entry = self.ended(journal, state)

        claim = journal.claim(self.entry(identity=entry.identity), TTL)

        assert claim.fresh
        assert claim.entry.upload_id != entry.upload_id
        assert journal.get(entry.upload_id) == entry

    def test_again_posts_anew_on_purpose(self, journal: Journal) -> None:
        """The newest one stands in the way from then on."""
        old = self.ended(journal, State.DONE)
        new = self.entry(identity=old.identity)

        assert journal.claim(new, TTL, again=True).fresh
        third = journal.claim(self.entry(identity=old.identity), TTL)

        assert (third.entry.upload_id, third.lease) == (new.upload_id, None)

    def test_what_stands_in_the_way_can_be_asked_for(self, journal: Journal) -> None:
        """Whatever stands, but for what has failed or was cancelled; nothing is recorded by it."""
        assert journal.standing("identity") is None
        for state in sorted(DEAD):
            self.ended(journal, state, identity="identity")
        assert journal.standing("identity") is None
        old = self.ended(journal, State.DONE, identity="identity")
        assert journal.standing("identity") == old

        new = journal.claim(self.entry(identity="identity"), TTL, again=True)
        standing = journal.standing("identity")

        assert standing is not None
        assert (standing.upload_id, standing.runs) == (new.entry.upload_id, 1)
        assert standing.holder
        assert journal.standing("identit") is None

    def test_a_repeat_that_failed_does_not_hide_what_was_done(self, journal: Journal) -> None:
        """What is posted is posted, whatever became of a second attempt."""
        old = self.ended(journal, State.DONE)
        new = journal.claim(self.entry(identity=old.identity), TTL, again=True)
        journal.save(self.leased(new), {"state": State.FAILED})
        journal.release(self.leased(new))

        assert journal.claim(self.entry(identity=old.identity), TTL).entry == old

    @pytest.mark.parametrize("verb", ["claim", "add"])
    def test_one_key_for_two_contents_is_refused(self, journal: Journal, verb: str) -> None:
        """It names the upload in whose place it would have been."""
        old = self.ended(journal, State.DONE, key="post-1", fingerprint="f1")
        same = self.entry(identity=old.identity, key="post-1", fingerprint="f1")
        other = self.entry(identity=old.identity, key="post-1", fingerprint="f2")

        assert journal.add(same) == old
        with pytest.raises(ConfigurationError, match="post-1") as caught:
            journal.add(other) if verb == "add" else journal.claim(other, TTL)

        assert caught.value.upload_id == old.upload_id

    @pytest.mark.parametrize("verb", ["claim", "add"])
    def test_an_id_is_given_once(self, journal: Journal, verb: str) -> None:
        """Another upload of the same id is refused; the first one stays as it is."""
        old = self.ended(journal, State.SENDING)
        other = self.entry(upload_id=old.upload_id)

        with pytest.raises(JournalError, match=old.upload_id):
            journal.add(other) if verb == "add" else journal.claim(other, TTL)

        assert journal.get(old.upload_id) == old

    def test_of_many_threads_that_claim_at_once_one_wins(self, journal: Journal) -> None:
        """All for one identity, each with an entry of its own."""
        entries = [self.entry(identity="same") for _ in range(8)]
        start = threading.Barrier(len(entries))
        claims = []

        def claim(number: int) -> None:
            start.wait()
            claims.append(journal.claim(entries[number], TTL))

        threads = [threading.Thread(target=claim, args=(n,)) for n in range(len(entries))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(claim.fresh for claim in claims) == 1
        assert sum(claim.lease is not None for claim in claims) == 1
        assert len({claim.entry.upload_id for claim in claims}) == 1

    def test_an_added_upload_waits_for_a_run(self, journal: Journal) -> None:
        """Nobody drives it, and adding it again changes nothing."""
        entry = journal.add(self.entry())
        self.pass_time(1)

        again = journal.add(self.entry(identity=entry.identity))

        assert again == entry == journal.get(entry.upload_id)
        assert (entry.runs, entry.holder, entry.state) == (0, None, State.QUEUED)
        assert journal.due() == [entry.upload_id]

    # Leases.

    def test_one_run_drives_an_upload(self, journal: Journal) -> None:
        """Another one is told who does."""
        entry, _ = self.claimed(journal)

        with pytest.raises(LeaseHeldError) as caught:
            journal.take(entry.upload_id, TTL)

        assert caught.value.upload_id == entry.upload_id
        assert caught.value.holder == self.read(journal, entry.upload_id).holder

    def test_what_is_not_recorded_is_not_driven(self, journal: Journal) -> None:
        """The error names it."""
        with pytest.raises(JournalError, match="0123456789"):
            journal.take("0123456789", TTL)

        assert journal.get("0123456789") is None

    def test_a_lease_that_was_given_back_is_free(self, journal: Journal) -> None:
        """The next run takes it at once, and sees that it is not the first one."""
        entry, lease = self.claimed(journal)

        journal.release(lease)
        taken, _ = journal.take(entry.upload_id, TTL)

        assert (taken.runs, taken.holder) == (1, None)
        assert self.read(journal, entry.upload_id).runs == 2

    def test_a_lease_ends_by_the_clock_of_the_journal(self, journal: Journal) -> None:
        """Until then it is held, unless it is renewed in time."""
        entry, lease = self.claimed(journal)

        self.pass_time(TTL - 2)
        journal.renew(lease)
        self.pass_time(TTL - 2)
        with pytest.raises(LeaseHeldError):
            journal.take(entry.upload_id, TTL)
        self.pass_time(4)

        assert self.read(journal, entry.upload_id).holder is None
        assert journal.take(entry.upload_id, TTL)[1].fence > lease.fence

    def test_each_taking_raises_the_fence(self, journal: Journal) -> None:
        """Whether the lease before it was given back or lapsed."""
        entry, lease = self.claimed(journal)
        fences = [lease.fence]
        for number in range(4):
            if number % 2:
                journal.release(lease)
            else:
                self.pass_time(TTL + 1)
            lease = journal.take(entry.upload_id, TTL)[1]
            fences.append(lease.fence)

        assert fences == sorted(set(fences))

    def test_a_lost_lease_writes_nothing(self, journal: Journal) -> None:
        """The run that took over is not disturbed, not even by a release."""
        entry, lost = self.claimed(journal)
        self.pass_time(TTL + 1)
        _, lease = journal.take(entry.upload_id, TTL)
        before = self.read(journal, entry.upload_id)

        with pytest.raises(LeaseLostError) as caught:
            journal.save(lost, {"confirmed": 3}, part=PartRecord(0, "a"), durable=True)
        with pytest.raises(LeaseLostError):
            journal.renew(lost)
        journal.release(lost)

        assert caught.value.upload_id == entry.upload_id
        assert self.read(journal, entry.upload_id) == before
        assert journal.parts(entry.upload_id) == []
        journal.renew(lease)

    def test_a_lapsed_lease_writes_until_somebody_takes_it(self, journal: Journal) -> None:
        """A machine that slept can still record how its run ended, and hold the upload again."""
        entry, lease = self.claimed(journal)
        self.pass_time(TTL + 1)

        journal.save(lease, {"state": State.DONE})
        journal.renew(lease)

        assert self.read(journal, entry.upload_id).state is State.DONE
        assert self.read(journal, entry.upload_id).holder

    def test_a_lease_that_was_given_back_writes_nothing(self, journal: Journal) -> None:
        """Nor does that of an upload which was forgotten."""
        entry, lease = self.claimed(journal)
        journal.release(lease)

        with pytest.raises(LeaseLostError):
            journal.save(lease, {"confirmed": 3})
        journal.forget(entry.upload_id)
        for refused in (journal.renew, lambda lost: journal.save(lost, {"confirmed": 3})):
            with pytest.raises(LeaseLostError):
                refused(lease)
        journal.release(lease)

    def test_no_lease_outlives_a_restored_backup(self, journal: Journal) -> None:
        """A run that still drives must not write over what is unknown now."""
        entry, lease = self.claimed(journal)

        journal.restored(self.clock())

        with pytest.raises(LeaseLostError):
            journal.save(lease, {"state": State.SENDING})
        assert self.read(journal, entry.upload_id).state is State.UNKNOWN
        assert journal.take(entry.upload_id, TTL)[1].fence > lease.fence

    def test_another_upload_is_another_lease(self, journal: Journal) -> None:
        """A lease writes into its own upload only."""
        first, lease = self.claimed(journal)
        second, _ = self.claimed(journal)

        with pytest.raises(LeaseLostError):
            journal.save(replace(lease, fence=lease.fence + 1), {"confirmed": 1})
        journal.save(lease, {"confirmed": 1})

        assert self.read(journal, first.upload_id).confirmed == 1
        assert self.read(journal, second.upload_id).confirmed == 0
