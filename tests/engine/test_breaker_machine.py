"""Refusals, successes and time in any order: the breaker opens when it should, and only then."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.engine.clock import FakeClock
from uploader.breaker import BREAKER, BreakerPolicy
from uploader.engine.breaking import Breaker
from uploader.engine.pausing import Board, Hold
from uploader.engine.standing import failed
from uploader.errors import JournalError, PausedError, RejectedError
from uploader.events import BreakerOpened, PauseLifted, PauseTried
from uploader.journal import Entry, Journal, Pause, State
from uploader.journals import MemoryJournal
from uploader.model import Outcome, Plan, Session

POLICY = BreakerPolicy(accounts=3, window=600.0, again=1800.0)
ACCOUNTS = st.sampled_from("abcd")
WORDS = st.sampled_from(["rule", "other rule"])
PROCESSES = st.sampled_from(range(2))


class Process:
    """What one process knows beside the journal."""

    def __init__(self, clock: FakeClock, journal: Journal, executor: ThreadPoolExecutor) -> None:
        self.told: list[type] = []
        self.journal = journal
        self.board = Board(clock, executor, POLICY.again)
        self.breaker = Breaker(POLICY, clock, executor, self.board)

    def tell(self, kind: type, **facts: object) -> None:
        """Take an event."""
        self.told.append(kind)

    async def hold(self, account: str) -> tuple[Hold, PausedError | None]:
        """Ask whether an upload may begin."""
        self.board.forget()
        hold = Hold(self.board, self.journal, "tiktok", account, self.tell)
        return hold, await hold.check()


class Machine(RuleBasedStateMachine):
    """Uploads of four accounts, by two processes, on one journal."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.executor = ThreadPoolExecutor(1)
        self.journal = MemoryJournal(clock=self.clock.time)
        self.processes = [Process(self.clock, self.journal, self.executor) for _ in range(2)]
        self.numbers = itertools.count()
        self.refusals: list[tuple[float, str, str, int | None]] = []
        """When, whose, in which word, and which process alone knows of it."""
        self.succeeded = float("-inf")
        self.trial: float | None = None
        """When the next upload is let through; `None` while nothing is paused."""

    def teardown(self) -> None:
        self.executor.shutdown()

    def entry(self, account: str) -> Entry:
        number = f"{next(self.numbers):06}"
        facts = {"identity": number, "transport": "tiktok", "plan": Plan(9, 9, 1)}
        return Entry(upload_id=number, account=account, **facts)  # type: ignore[arg-type]

    @rule(seconds=st.sampled_from([0.5, 60.0, 299.0, 599.0, 601.0, 1800.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(process=PROCESSES, account=ACCOUNTS, word=WORDS, general=st.booleans())
    def upload_refused(self, process: int, account: str, word: str, general: bool) -> None:
        asyncio.run(self.refused(process, account, word, general=general))

    async def refused(self, process: int, account: str, word: str, *, general: bool) -> None:
        by, now, was_paused = self.processes[process], self.clock.time(), self.trial is not None
        _, held = await by.hold(account)
        if not self.may_begin(held):
            return
        claim = self.journal.claim(self.entry(account), 60.0)
        assert claim.lease is not None
        error = RejectedError(word, operation="init", vendor_code=word, general=general)
        standing = await by.breaker.judged(
            failed(error, in_doubt=False), self.journal, claim.entry, by.tell
        )
        if standing.state is not None:
            self.journal.save(claim.lease, {"state": standing.state, "error": error.to_dict()})
        self.journal.release(claim.lease)
        if not general:
            assert standing.outcome is Outcome.FAILED
            return
        # What waits is recorded as nobody's failure.
        waits = standing.outcome is Outcome.SUSPENDED
        self.refusals.append((now, account, word, process if waits else None))
        opens = len(self.counted(word, process)) >= POLICY.accounts
        assert (standing.outcome is Outcome.SUSPENDED) == (was_paused or opens)
        if opens and not was_paused:
            self.trial = now + POLICY.again
            assert by.told[-1] is BreakerOpened

    def counted(self, word: str, process: int) -> set[str]:
        since = max(self.clock.time() - POLICY.window, self.succeeded)
        return {
            account
            for at, account, said, whose in self.refusals
            if said == word and at >= since and whose in (None, process)
        }

    def may_begin(self, held: PausedError | None) -> bool:
        """Check that a pause holds an upload, or that it is the one that is let through."""
        if self.trial is None:
            assert held is None
        elif self.trial > self.clock.time():
            assert held is not None
            assert held.by == BREAKER
        else:
            assert held is None
            self.trial = self.clock.time() + POLICY.again
        return held is None

    @rule(process=PROCESSES, account=ACCOUNTS)
    def upload_succeeds(self, process: int, account: str) -> None:
        asyncio.run(self.passes(self.processes[process], account))

    async def passes(self, by: Process, account: str) -> None:
        hold, held = await by.hold(account)
        if not self.may_begin(held):
            return
        claim = self.journal.claim(self.entry(account), 60.0)
        assert claim.lease is not None
        session = Session({"id": "1"}, created_at=self.clock.time())
        self.journal.save(claim.lease, {"state": State.SENDING, "session": session})
        await hold.passed()
        self.journal.release(claim.lease)
        self.succeeded = self.clock.time()
        self.trial = None

    @precondition(lambda self: self.trial is not None)
    @rule(process=PROCESSES, account=ACCOUNTS)
    def trial_is_killed(self, process: int, account: str) -> None:
        """It began, and nothing more was heard of it."""
        _, held = asyncio.run(self.processes[process].hold(account))
        self.may_begin(held)

    @rule()
    def somebody_lifts_it(self) -> None:
        assert self.journal.unpause("tiktok") == (self.trial is not None)
        self.trial = None

    @invariant()
    def the_journal_knows(self) -> None:
        wanted = [] if self.trial is None else [(BREAKER, self.trial)]
        assert [(each.by, each.trial) for each in self.journal.pauses()] == wanted

    @invariant()
    def what_is_told_adds_up(self) -> None:
        told = [kind for process in self.processes for kind in process.told]
        assert set(told) <= {BreakerOpened, PauseTried, PauseLifted}
        assert told.count(PauseLifted) <= min(told.count(PauseTried), told.count(BreakerOpened))


TestBreaker = Machine.TestCase
TestBreaker.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


async def test_what_another_destination_says_does_not_count() -> None:
    """Two accounts here and one there are no three, though the words are the same."""
    clock, executor = FakeClock(), ThreadPoolExecutor(1)
    journal = MemoryJournal(clock=clock.time)
    process = Process(clock, journal, executor)
    error = RejectedError("no", operation="create", status=403, general=True)
    for number, transport in enumerate(["here", "here", "there"]):
        facts = {"identity": f"{number}", "account": f"{number}", "plan": Plan(9, 9, 1)}
        entry = Entry(upload_id=f"{number}", transport=transport, **facts)  # type: ignore[arg-type]
        standing = await process.breaker.judged(
            failed(error, in_doubt=False), journal, entry, process.tell
        )
        assert standing.outcome is Outcome.FAILED
    assert journal.pauses() == []
    executor.shutdown()


async def test_a_pause_that_cannot_be_lifted_stands_and_harms_no_upload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The upload that was let through goes on, and lifts it with its next part."""
    clock, executor = FakeClock(), ThreadPoolExecutor(1)
    journal = MemoryJournal(clock=clock.time)
    process = Process(clock, journal, executor)
    journal.pause(Pause("tiktok", None, "no", since=clock.time(), by=BREAKER, trial=clock.time()))
    hold, held = await process.hold("a")
    assert held is None

    def broken(*given: object, **named: object) -> int:
        raise JournalError("the disk did not answer")

    with monkeypatch.context() as broke:
        broke.setattr(journal, "unpause", broken)
        await hold.passed()
    assert len(journal.pauses()) == 1
    await hold.passed()
    assert journal.pauses() == []
    assert process.told == [PauseTried, PauseLifted]
    executor.shutdown()


async def test_of_many_that_are_refused_at_one_moment_two_are_lost_at_most() -> None:
    """None of them is in the journal yet; together they are enough, and one pause is made."""
    clock, executor = FakeClock(), ThreadPoolExecutor(4)
    journal = MemoryJournal(clock=clock.time)
    process = Process(clock, journal, executor)
    entries = [
        Entry(upload_id=f"{n}", identity=f"{n}", transport="t", account=f"{n}", plan=Plan(9, 9, 1))
        for n in range(20)
    ]
    error = RejectedError("no", operation="init", vendor_code="rule", general=True)

    standings = await asyncio.gather(
        *(
            process.breaker.judged(failed(error, in_doubt=False), journal, entry, process.tell)
            for entry in entries
        )
    )

    lost = sum(each.outcome is Outcome.FAILED for each in standings)
    assert lost < POLICY.accounts
    assert sum(each.outcome is Outcome.SUSPENDED for each in standings) == len(entries) - lost
    assert process.told == [BreakerOpened]
    (pause,) = journal.pauses()
    assert isinstance(pause, Pause)
    executor.shutdown()
