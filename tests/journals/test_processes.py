"""Many processes and one journal: real ones, that are killed and that fork."""

import os
import time
from pathlib import Path

import pytest

from tests.journals.children import children
from tests.journals.uploads import upload
from uploader.errors import LeaseHeldError, LeaseLostError
from uploader.journals import SqliteJournal

TTL = 1000.0

RACE = """
say("ready")
while True:
    path, number = hear()
    journal = SqliteJournal(path)
    claim = journal.claim(upload(f"{number:016x}"), 1000)
    say([claim.fresh, claim.lease is not None, claim.entry.upload_id, journal.stand_in(b"token")])
"""

HOLD = """
journal = SqliteJournal(hear())
claim = journal.claim(upload("1"), 1000)
say(claim.lease is not None)
hear()
"""
PAUSE = """
journal = SqliteJournal(hear())
journal.add(upload("1"))
pause = Pause("tiktok", None, "a rule was changed", since=1.0, by="killed", trial=1.0)
journal.pause(pause)
say([journal.take_trial(pause, 2e9)])
hear()
"""


def test_of_eight_processes_one_starts_an_upload(tmp_path: Path) -> None:
    """They make the journal at the same moment, too: one key, one file, one lease."""
    with children(RACE, 8) as racers:
        for racer in racers:
            assert racer.hear() == "ready"
        for heat in range(3):
            for number, racer in enumerate(racers):
                racer.say([str(tmp_path / f"{heat}.db"), number])
            told = [racer.hear() for racer in racers]

            assert sorted((fresh, leased) for fresh, leased, _, _ in told) == [
                *[(False, False)] * 7,
                (True, True),
            ]
            assert len({upload_id for _, _, upload_id, _ in told}) == 1
            assert len({stand_in for _, _, _, stand_in in told}) == 1


def test_a_pause_outlives_who_made_it(tmp_path: Path) -> None:
    """Killed at once after it said so; of a killed trial the next one comes by itself."""
    path = tmp_path / "uploads.db"
    with children(PAUSE) as (pauser,):
        pauser.say(str(path))
        assert pauser.hear() == [True]
        pauser.kill()

        journal = SqliteJournal(path)
        (pause,) = journal.pauses()
        assert (pause.transport, pause.by, pause.trial) == ("tiktok", "killed", 2e9)
        assert journal.due(3e9) == ["1"]
        assert journal.take_trial(pause, 4e9)
        assert journal.due(3e9) == []
        assert journal.due(4e9) == ["1"]
        journal.close()


def test_what_a_killed_process_held_is_free_at_once(tmp_path: Path) -> None:
    """Nobody waits for the lease to lapse; before the kill nobody else gets it."""
    path = tmp_path / "uploads.db"
    with children(HOLD) as (holder,):
        holder.say(str(path))
        assert holder.hear() is True
        journal = SqliteJournal(path)
        with pytest.raises(LeaseHeldError, match="process"):
            journal.take("1", TTL)
        assert journal.due() == []

        holder.kill()

        assert journal.due() == ["1"]
        claim = journal.claim(upload("2", identity="same"), TTL)
        journal.close()
    assert claim.lease is not None
    assert (claim.fresh, claim.lease.fence, claim.entry.holder) == (False, 2, None)


@pytest.mark.parametrize("child", ["os.fork() or hear()", "subprocess.Popen(['cat'])"])
def test_a_child_does_not_keep_the_lease_of_its_parent(tmp_path: Path, child: str) -> None:
    """A worker that outlives a killed master, or a tool that it started."""
    path = tmp_path / "uploads.db"
    fork = f"import subprocess\n{HOLD}".replace("hear()\n", f"{child}\nsay('forked')\nhear()\n")
    program = fork.replace(f"SqliteJournal({child}", "SqliteJournal(hear()")
    with children(program) as (master,):
        master.say(str(path))
        assert [master.hear(), master.hear()] == [True, "forked"]
        journal = SqliteJournal(path)
        with pytest.raises(LeaseHeldError):
            journal.take("1", TTL)

        master.kill()

        # A child drops what it inherited as soon as it runs, which may be after its parent's end.
        deadline = time.monotonic() + 10
        while not journal.due():
            assert time.monotonic() < deadline
            os.sched_yield()
        assert journal.take("1", TTL)[1].fence == 2
        journal.close()


def test_a_living_process_is_not_taken_for_dead(tmp_path: Path) -> None:
    """Though it reads its own lock file, as a backup would, and though somebody removes that."""
    path = tmp_path / "uploads.db"
    program = HOLD.replace("say(", "open(f'{journal.path}.owners').close()\nsay(")
    with children(program) as (holder,):
        holder.say(str(path))
        assert holder.hear() is True
        before = SqliteJournal(path)
        path.with_name("uploads.db.owners").unlink()
        after = SqliteJournal(path)

        for journal in (before, after):
            with pytest.raises(LeaseHeldError):
                journal.take("1", TTL)
            journal.close()


def test_a_forked_child_is_another_run(tmp_path: Path) -> None:
    """It sees its parent's lease held, gets its own, and leaves the parent's untouched."""
    program = """
journal = SqliteJournal(hear())
lease = journal.claim(upload("1"), 1000).lease
pid = os.fork()
if not pid:
    say(journal.get("1").holder is not None)
    try:
        journal.save(lease, {"confirmed": 1})
    except JournalError as error:
        say(error.code)
    journal.release(lease)
    say(journal.claim(upload("2"), 1000).lease is None)
    say(journal.claim(upload("3", "another"), 1000).lease is not None)
    journal.close()
    os._exit(0)
os.waitpid(pid, 0)
journal.save(lease, {"confirmed": 2}, durable=True)
say([journal.get("1").confirmed, journal.get("1").holder is not None])
"""
    with children(program) as (parent,):
        parent.say(str(tmp_path / "uploads.db"))

        assert [parent.hear() for _ in range(5)] == [True, "lease_lost", True, True, [2, True]]


def test_a_forked_child_writes_where_everybody_reads(tmp_path: Path) -> None:
    """Its parent is gone, others came and went: the log under it is still the journal's."""
    path = tmp_path / "uploads.db"
    program = """
journal = SqliteJournal(hear())
journal.add(upload("1", "by the parent"))
if os.fork():
    hear()
else:
    journal.add(upload("2", "by the child"))
    say("added")
    while True:
        upload_id = hear()
        journal.add(upload(upload_id, upload_id))
        say([entry.upload_id for entry in journal.latest()])
"""
    with children(program) as (parent,):
        parent.say(str(path))
        assert parent.hear() == "added"
        parent.kill()
        other = SqliteJournal(path)
        other.add(upload("3"))
        other.close()

        parent.say("4")
        assert sorted(parent.hear()) == ["1", "2", "3", "4"]
        last = SqliteJournal(path)
        assert sorted(entry.upload_id for entry in last.latest()) == ["1", "2", "3", "4"]
        assert last.check() == []
        last.close()


def test_a_fork_waits_for_the_thread_that_writes(tmp_path: Path) -> None:
    """The child can use the journal although another thread was inside it."""
    program = """
import threading
journal = SqliteJournal(hear())
over = False

def write():
    number = 0
    while not over:
        number += 1
        journal.add(upload(f"{number:06}", f"{number:06}"))

writer = threading.Thread(target=write)
writer.start()
for _ in range(8):
    pid = os.fork()
    if not pid:
        os._exit(0 if journal.counts()[State.QUEUED] else 1)
    say(os.waitpid(pid, 0)[1])
over = True
writer.join()
"""
    with children(program) as (parent,):
        parent.say(str(tmp_path / "uploads.db"))

        assert [parent.hear() for _ in range(8)] == [0] * 8


def test_a_forked_child_leaves_to_its_parent_what_only_memory_holds() -> None:
    """A journal in memory cannot tell it what becomes of an upload that the parent drives."""
    program = """
from uploader.journals import MemoryJournal
journal = MemoryJournal()
journal.add(upload("1", "queued"))
lease = journal.claim(upload("2", "driven"), 1000).lease
if not os.fork():
    say([journal.due(), journal.get("1").holder, journal.claim(upload("3", "driven"), 1).lease])
    os._exit(0)
os.wait()
say([journal.due(), journal.get("2").holder])
"""
    with children(program) as (parent,):
        due, holder, lease = parent.hear()

        assert (due, lease) == ([], None)
        assert "forked" in holder
        assert parent.hear() == [["1"], "another run in this process"]


def test_a_run_that_was_stopped_cannot_write_over_its_successor(tmp_path: Path) -> None:
    """A process that slept through its lease finds the record another's."""
    path = tmp_path / "uploads.db"
    late = SqliteJournal(path, clock=lambda: 0.0)
    lease = late.claim(upload("1"), TTL).lease
    assert lease is not None
    successor = SqliteJournal(path, clock=lambda: TTL + 1)
    successor.take("1", TTL)

    with pytest.raises(LeaseLostError):
        late.save(lease, {"confirmed": 1}, durable=True)

    late.close()
    successor.close()
