"""Several processes and clocks at one database."""

import time
from typing import Any

import pytest
from django.db import connections
from django.db.models import Value

from tests.django.children import KEY, child, heard
from tests.django.uploads import entry
from uploader.contrib.django import DjangoJournal, DjangoTokenStore
from uploader.contrib.django.clock import DatabaseTime
from uploader.errors import LeaseHeldError, TokenStoreError


@pytest.mark.usefixtures("database")
def test_the_databases_clock_counts(
    journal: DjangoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is a day ahead takes nobody's lease, nor keeps its own any longer."""
    before = time.time()
    assert abs(journal._base.alone(journal._now) - before) < 30.0
    made = journal.claim(entry(), 60.0)

    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: before + 86_400)
        with pytest.raises(LeaseHeldError):
            journal.take(made.entry.upload_id, 60.0)


@pytest.mark.usefixtures("database")
def test_a_lease_ends_by_the_databases_clock() -> None:
    """Whoever's journal object asks."""
    early = DjangoJournal(keys=[KEY])
    late = DjangoJournal(keys=[KEY], clock=lambda: DatabaseTime() + Value(61.0))
    made = early.claim(entry(), 60.0)

    assert early.due() == []
    assert late.due() == [made.entry.upload_id]
    _, lease = late.take(made.entry.upload_id, 60.0)

    assert made.lease is not None
    assert lease.fence == made.lease.fence + 1
    early.close()
    late.close()


@pytest.mark.parametrize(
    "database", ["postgres", pytest.param("sqlite", marks=pytest.mark.slow)], indirect=True
)
def test_who_was_killed_holds_nothing(database: dict[str, str], journal: DjangoJournal) -> None:
    """On the same machine its end is known at once: nobody waits for the hour that it asked for."""
    with child(database, "claim", "theirs") as process:
        assert heard(process) is True
        with pytest.raises(LeaseHeldError, match=f"process {process.pid}"):
            journal.take("theirs", 60.0)
        assert journal.due() == []
        process.kill()
        process.wait()

        assert journal.due() == ["theirs"]
        assert journal.take("theirs", 60.0)[1].fence == 2


@pytest.mark.slow
def test_who_was_killed_keeps_no_account(database: dict[str, str]) -> None:
    """Its tokens can be refreshed again."""
    store = DjangoTokenStore(keys=[KEY])
    with child(database, "hold", "acme") as process:
        assert heard(process) == "held"
        with pytest.raises(TokenStoreError), store.lease("tiktok", "acme", 0.05):
            pass
        process.kill()
        process.wait()

        with store.lease("tiktok", "acme", 5.0):
            pass
    store.close()


@pytest.mark.parametrize(
    "database", ["postgres", pytest.param("sqlite", marks=pytest.mark.slow)], indirect=True
)
def test_a_forked_child_has_connections_of_its_own(database: dict[str, str]) -> None:
    """It neither uses nor ends what its parent holds, and the parent goes on."""
    with child(database, "fork") as process:
        told: dict[str, Any] = heard(process)

    assert told == {"status": 0, "confirmed": {"parents": 1, "childs": 0}, "held": ["parents"]}


@pytest.mark.usefixtures("database")
def test_nothing_is_left_open(journal: DjangoJournal) -> None:
    """The caller's connections stay the caller's; closing ends ours."""
    theirs = connections["default"]
    journal.add(entry())
    shared = journal._base._crew._shared

    assert connections["default"] is theirs
    assert all(each is not theirs for each in shared.made)
    journal.close()
    assert [each.connection for each in shared.made] == [None] * len(shared.made)


@pytest.mark.usefixtures("database")
def test_a_fork_that_waits_for_the_journal_is_not_waited_for(journal: DjangoJournal) -> None:
    """What runs while a fork waits for it needs no lock that the fork holds."""
    store = DjangoTokenStore(keys=[KEY])
    with journal.fork_lock, store.fork_lock:
        assert journal.claim(entry(), 60.0).lease is not None
        with store.lease("tiktok", "acme", 5.0):
            pass
    store.close()
