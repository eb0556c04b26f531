"""Runs, a clock and a journal, in any order: never two drivers, never a write by the wrong one."""

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.journals.uploads import upload
from uploader.errors import LeaseHeldError, LeaseLostError
from uploader.journal import DEAD, ENDED, Claim, Journal, Lease, State
from uploader.journals import MemoryJournal, SqliteJournal
from uploader.testing.journals import Clock

IDENTITIES = ("a", "b")
RUNS = range(3)


@dataclass
class Known:
    """What the model knows of one upload."""

    upload_id: str
    identity: str
    state: State = State.QUEUED
    confirmed: int = 0
    fence: int = 0
    driver: int | None = None
    """The run whose lease is the highest and not given back."""
    until: float = 0.0
    orphaned: bool = False
    """Its run's process is gone; the lease is void, and stands in nobody's way."""


class Machine(RuleBasedStateMachine):
    """Three runs, each with an opening of its own where the journal can be opened several times."""

    shared = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.numbers = itertools.count()
        self.uploads: dict[str, Known] = {}
        self.leases: dict[tuple[int, str], Lease] = {}

    def open(self) -> Journal:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        first = self.open()
        self.journals = [first, *(self.open() if self.shared else first for _ in RUNS[1:])]

    def teardown(self) -> None:
        for journal in getattr(self, "journals", ()):
            journal.close()
        self.folder.cleanup()

    def driven(self, known: Known) -> bool:
        return known.driver is not None and known.until > self.clock.now and not known.orphaned

    def granted(self, run: int, known: Known, lease: Lease) -> None:
        """Check a lease that the journal gave, and remember whose it is."""
        assert not self.driven(known)
        assert lease.fence > known.fence
        known.fence, known.driver, known.until = lease.fence, run, self.clock.now + lease.ttl
        known.orphaned = False
        self.leases[run, known.upload_id] = lease

    def standing(self, identity: str) -> Known | None:
        found = [u for u in self.uploads.values() if u.identity == identity and u.state not in DEAD]
        return found[-1] if found else None

    @rule(
        run=st.sampled_from(RUNS),
        identity=st.sampled_from(IDENTITIES),
        ttl=st.sampled_from([5.0, 20.0]),
        again=st.booleans(),
    )
    def claim(self, run: int, identity: str, ttl: float, again: bool) -> None:
        wanted = upload(f"{next(self.numbers):04}", identity)
        standing = None if again else self.standing(identity)

        claim = self.journals[run].claim(wanted, ttl, again=again)

        assert claim.fresh == (standing is None)
        if standing is None:
            self.uploads[wanted.upload_id] = Known(wanted.upload_id, identity)
        known = self.uploads[claim.entry.upload_id]
        assert standing in (None, known)
        self.check_lease_of(run, known, claim)

    def check_lease_of(self, run: int, known: Known, claim: Claim) -> None:
        free = known.state not in ENDED and not self.driven(known)
        assert (claim.lease is not None) == free
        if claim.lease is not None:
            self.granted(run, known, claim.lease)

    @precondition(lambda self: self.uploads)
    @rule(run=st.sampled_from(RUNS), ttl=st.sampled_from([5.0, 20.0]), data=st.data())
    def take(self, run: int, ttl: float, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(list(self.uploads.values())))
        if self.driven(known):
            with pytest.raises(LeaseHeldError):
                self.journals[run].take(known.upload_id, ttl)
            return
        entry, lease = self.journals[run].take(known.upload_id, ttl)
        assert (entry.state, entry.confirmed) == (known.state, known.confirmed)
        self.granted(run, known, lease)

    @precondition(lambda self: self.leases)
    @rule(
        verb=st.sampled_from(["renew", "release", "save", "end"]),
        confirmed=st.integers(0, 9),
        ended=st.sampled_from([*sorted(ENDED), State.UNKNOWN]),
        data=st.data(),
    )
    def use_lease(self, verb: str, confirmed: int, ended: State, data: st.DataObject) -> None:
        (run, upload_id), lease = data.draw(st.sampled_from(list(self.leases.items())))
        known, journal = self.uploads[upload_id], self.journals[run]
        good = known.driver == run and known.fence == lease.fence and not known.orphaned
        try:
            match verb:
                case "renew":
                    journal.renew(lease)
                case "release":
                    journal.release(lease)
                case "save":
                    journal.save(lease, {"confirmed": confirmed})
                case _:
                    journal.save(lease, {"state": ended}, durable=True)
        except LeaseLostError:
            assert not good
            return
        assert good or verb == "release"
        if good:
            self.used(known, verb, confirmed, ended, lease)

    def used(self, known: Known, verb: str, confirmed: int, ended: State, lease: Lease) -> None:
        match verb:
            case "renew":
                known.until = self.clock.now + lease.ttl
            case "release":
                known.driver = None
            case "save":
                known.confirmed = confirmed
            case _:
                known.state = ended

    @rule(seconds=st.sampled_from([1.0, 4.0, 6.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.shared)
    @rule(run=st.sampled_from(RUNS))
    def a_run_ends(self, run: int) -> None:
        """Its process is gone, and another one comes."""
        self.journals[run].close()
        self.journals[run] = self.open()
        for known in self.uploads.values():
            known.orphaned |= known.driver == run

    @precondition(lambda self: self.uploads)
    @rule(run=st.sampled_from(RUNS), since=st.sampled_from([0.0, 10.0]))
    def the_backup_comes_back(self, run: int, since: float) -> None:
        moment = self.clock.now - since
        before = {known.upload_id: self.journals[run].get(known.upload_id) for known in self.all()}
        self.journals[run].restored(moment)
        for known in self.all():
            entry = before[known.upload_id]
            assert entry is not None
            failed_since = known.state in DEAD and entry.updated >= moment
            if known.state not in ENDED or failed_since:
                known.state = State.UNKNOWN
            known.driver = None

    def all(self) -> list[Known]:
        return list(self.uploads.values())

    @precondition(lambda self: self.uploads)
    @rule(run=st.sampled_from(RUNS))
    def old_ones_are_pruned(self, run: int) -> None:
        self.clock.advance(0.5)
        gone = [u for u in self.all() if u.state in DEAD and not self.driven(u)]
        self.journals[run].prune(self.clock.now)
        for known in self.all():
            if self.journals[run].get(known.upload_id) is None:
                assert known.state in DEAD
                del self.uploads[known.upload_id]
                for key in [key for key in self.leases if key[1] == known.upload_id]:
                    with pytest.raises(LeaseLostError):
                        self.journals[run].save(self.leases.pop(key), {"confirmed": 1})
            else:
                assert known.orphaned or known not in gone

    @invariant()
    def all_openings_show_what_is_known(self) -> None:
        for journal in getattr(self, "journals", ())[:: len(RUNS) - 1]:
            shown = {entry.upload_id: entry for entry in journal.latest(1000)}
            assert shown.keys() == self.uploads.keys()
            for known in self.all():
                entry = shown[known.upload_id]
                assert (entry.state, entry.confirmed) == (known.state, known.confirmed)
                assert (entry.holder is not None) == self.driven(known)
            due = {u.upload_id for u in self.all() if u.state not in ENDED and not self.driven(u)}
            assert set(journal.due()) == due


class MemoryMachine(Machine):
    """All runs in one journal."""

    def open(self) -> Journal:
        return MemoryJournal(clock=self.clock)


class SqliteMachine(Machine):
    """Each run with its own opening of one file."""

    shared = True

    def open(self) -> Journal:
        return SqliteJournal(Path(self.folder.name) / "uploads.db", clock=self.clock)


STEADY = settings(deadline=None, derandomize=True, database=None)
TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(STEADY, max_examples=30, stateful_step_count=40)
TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(STEADY, max_examples=10, stateful_step_count=40)
