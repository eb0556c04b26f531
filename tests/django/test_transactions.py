"""What joins the application's transaction, and what never does."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction

from tests.django.children import KEY
from tests.django.uploads import entry, leased
from transports.tiktok import DirectPost
from uploader.contrib.django import DjangoJournal, base, enqueue, get_uploader
from uploader.contrib.django.crew import SIZE
from uploader.errors import JournalError
from uploader.journal import State


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write a megabyte."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 4096)
    return path


def post() -> DirectPost:
    """Return a destination that is never asked."""
    return DirectPost(account="acme", access_token="act.x", title="Hi", privacy_level="SELF_ONLY")


@pytest.mark.usefixtures("database")
def test_what_is_enqueued_is_rolled_back_with_the_rest(film: Path) -> None:
    """And nobody is sent its id."""
    sent: list[str] = []
    with transaction.atomic():
        upload_id = enqueue(film, post(), send=sent.append)
        assert get_uploader().journal.get(upload_id) is not None
        transaction.set_rollback(True)

    assert get_uploader().journal.get(upload_id) is None
    assert get_uploader().journal.due() == []
    assert sent == []


@pytest.mark.usefixtures("database")
def test_what_is_committed_is_sent_once_and_afterwards(film: Path) -> None:
    """A queue that fails loses nothing."""
    sent: list[str] = []

    def send(upload_id: str) -> None:
        assert not connections["default"].in_atomic_block
        sent.append(upload_id)
        raise ConnectionError("the broker is gone")

    with transaction.atomic():
        upload_id = enqueue(film, post(), send=send)
        assert enqueue(film, post()) == upload_id
        assert sent == []

    assert sent == [upload_id]
    assert get_uploader().journal.due() == [upload_id]


@pytest.mark.usefixtures("database")
def test_without_a_transaction_it_is_recorded_at_once(film: Path) -> None:
    """By a connection of the journal's own: the caller's is not even opened."""
    sent: list[str] = []
    connections["default"].close()

    upload_id = enqueue(film, post())

    assert connections["default"].connection is None
    assert enqueue(film, post(), send=sent.append) == upload_id
    assert sent == [upload_id]


@pytest.mark.usefixtures("database")
def test_what_a_run_records_outlives_a_rollback(journal: DjangoJournal) -> None:
    """The request went out, whatever becomes of the caller's rows."""
    with transaction.atomic():
        made, lease = leased(journal)
        journal.save(lease, {"state": State.SENDING}, durable=True)
        transaction.set_rollback(True)

    found = journal.get(made.upload_id)
    assert found is not None
    assert (found.state, bool(found.holder)) == (State.SENDING, True)


def test_uploading_what_the_same_transaction_holds_is_an_error(
    database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sentence that says why, and not a wait for ever."""
    monkeypatch.setattr(base, "BUSY", 0.2)
    connections["default"].settings_dict["OPTIONS"] = (
        {"timeout": 0.2} if "sqlite3" in database["ENGINE"] else {}
    )
    with closing(DjangoJournal(keys=[KEY])) as journal:
        assert len(journal.stand_in(b"")) == 32
        with transaction.atomic():
            added = journal.add(entry())
            with pytest.raises(JournalError) as refused:
                journal.claim(entry(identity=added.identity), 60.0)
        assert "transaction.atomic" in refused.value.hints[0]
        assert journal.claim(entry(identity=added.identity), 60.0).entry == added


@pytest.mark.usefixtures("database")
def test_the_key_of_stand_ins_is_not_learnt_from_what_is_rolled_back() -> None:
    """It is part of identities: the next one is another, and stays."""
    with closing(DjangoJournal(keys=[KEY])) as journal:
        with transaction.atomic():
            first = journal.stand_in(b"token")
            transaction.set_rollback(True)
        second = journal.stand_in(b"token")

        assert first != second == journal.stand_in(b"token")


def test_the_connection_is_as_a_pooler_wants_it(
    postgres: dict[str, Any], journal: DjangoJournal
) -> None:
    """No prepared statements, nor settings that outlive a transaction, nor the caller's pool."""
    _, lease = leased(journal)
    for number in range(12):
        journal.save(lease, {"confirmed": number}, durable=True)

    def asked(question: str) -> Callable[[], Any]:
        def ask() -> Any:
            with connections["default"].cursor() as cursor:
                cursor.execute(question)
                return cursor.fetchone()[0]

        return ask

    run = journal._base.alone
    assert run(asked("SELECT count(*) FROM pg_prepared_statements")) == 0
    assert run(asked("SHOW lock_timeout")) == "0"
    assert run(asked("SHOW transaction_isolation")) == "read committed"


def test_a_lost_connection_is_opened_again(
    postgres: dict[str, Any], journal: DjangoJournal
) -> None:
    """A lease is renewed, and a part recorded, over a failover."""
    made, lease = leased(journal)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    journal.renew(lease)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    journal.save(lease, {"confirmed": 2}, durable=True)

    found = journal.get(made.upload_id)
    assert found is not None
    assert found.confirmed == 2


@pytest.mark.usefixtures("postgres")
def test_an_error_of_the_database_does_not_tell_rows(journal: DjangoJournal) -> None:
    """PostgreSQL adds the whole row to some of them."""
    with pytest.raises(JournalError) as refused:
        journal.add(entry(upload_id="x" * 100, name="never-shown"))

    assert "never-shown" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.timeout(10)
def test_a_database_without_its_driver_is_said_to_be_so(film: Path) -> None:
    """However often it is asked: nobody waits for a connection that is never made."""
    connections.settings["default"]["ENGINE"] = "no.such.database"
    with closing(DjangoJournal(keys=[KEY])) as journal:
        for _ in range(SIZE + 1):
            with pytest.raises(ImproperlyConfigured, match=r"no\.such\.database"):
                journal.claim(entry(), 60.0)
    connections.settings["default"]["ENGINE"] = "django.db.backends.sqlite3"
