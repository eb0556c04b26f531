"""What counts when it is completed: never twice, and never called what it may not be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Make
from tests.engine.depot import PATIENCE, Depot, Fault
from tests.engine.files import make_clip
from tests.engine.parcel import PART, Asked, Bare, Parcel, limits
from tests.resume.watched import Watched
from uploader import JournalError, Outcome, registry
from uploader.errors import SessionExpiredError
from uploader.journal import State
from uploader.journals import MemoryJournal
from uploader.model import Confirmed, Processing, Session
from uploader.transport import Flow, Order

PARTS = 3
IN_ORDER = limits(order=Order.SEQUENTIAL)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write three parts and a bit."""
    return make_clip(tmp_path / "film.mp4", PARTS * PART - 7)


@pytest.fixture
def journal(still: Any) -> MemoryJournal:
    """Outlive the uploaders of a test."""
    return MemoryJournal(clock=still.time)


@pytest.fixture
def dies(journal: MemoryJournal) -> Callable[..., Any]:
    """Make journals that take no further record from one on, as if the process had died."""

    def make(when: Callable[[dict[str, Any]], bool]) -> Any:
        gone = threading.Event()

        class Dying(Watched):
            def save(self, lease: Any, changes: Any, **named: Any) -> Any:
                if gone.is_set() or when({**changes, **named}):
                    gone.set()
                    raise JournalError("the process was killed")
                return journal.save(lease, changes, **named)

            def release(self, lease: Any) -> None:
                if not gone.is_set():
                    journal.release(lease)

        return Dying(journal)

    return make


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[Parcel], None]:
    """Let uploads be taken from the journal without their destination."""

    class Factory:
        def __init__(self, parcel: Parcel) -> None:
            self.destination = lambda token, fields: parcel

    def install(parcel: Parcel) -> None:
        monkeypatch.setattr(registry, "load", lambda name: Factory(parcel))

    return install


def ends(state: State) -> Callable[[dict[str, Any]], bool]:
    """Die at the record of a state."""
    return lambda changes: changes.get("state") is state


def follows(state: State) -> Callable[[dict[str, Any]], bool]:
    """Die at the record after that of a state."""
    seen: list[Any] = []

    def when(changes: dict[str, Any]) -> bool:
        seen.append(changes.get("state"))
        return state in seen[:-1]

    return when


@pytest.mark.parametrize("capabilities", [limits(), IN_ORDER], ids=["any order", "in order"])
@pytest.mark.parametrize("dead", [State.SENDING, State.COMMITTING, State.PROCESSING, State.DONE])
def test_killed_before_each_state_it_is_posted_once(
    make_uploader: Make,
    journal: MemoryJournal,
    dies: Callable[..., Any],
    depot: Depot,
    film: Path,
    dead: State,
    capabilities: Any,
) -> None:
    """The next run knows what was completed, and completes with every part what was not."""
    parcel = Parcel(depot.url, Asked, capabilities)
    first = make_uploader(journal=dies(ends(dead))).upload(film, parcel)
    assert first.outcome in (Outcome.SUSPENDED, Outcome.UNKNOWN)
    journal.close()
    result = make_uploader(journal=journal).upload(film, parcel)
    assert result.outcome is Outcome.DONE, result.error
    assert depot.posts == [film.read_bytes()]
    assert depot.manifests == [list(range(PARTS))]


def test_what_was_completed_and_not_recorded_is_not_suspended(
    make_uploader: Make,
    dies: Callable[..., Any],
    depot: Depot,
    film: Path,
) -> None:
    """It is posted, and the journal does not know."""
    up = make_uploader(journal=dies(ends(State.PROCESSING)))
    assert up.upload(film, Parcel(depot.url)).outcome is Outcome.UNKNOWN
    assert depot.count("abort") == 0


def test_a_later_run_tells_the_lengths_of_parts(
    make_uploader: Make,
    journal: MemoryJournal,
    dies: Callable[..., Any],
    depot: Depot,
    film: Path,
) -> None:
    """Who compares the sizes of what was completed needs them."""
    make_uploader(journal=dies(ends(State.PROCESSING))).upload(film, Parcel(depot.url))
    journal.close()
    result = make_uploader(journal=journal).upload(film, Parcel(depot.url))
    assert result.fields["lengths"] == film.stat().st_size


@pytest.mark.parametrize("expired", [True, False])
def test_a_session_that_is_gone_may_have_been_completed(
    make_uploader: Make,
    journal: MemoryJournal,
    dies: Callable[..., Any],
    depot: Depot,
    film: Path,
    *,
    expired: bool,
) -> None:
    """Nobody can tell any more: it is unknown, and never sent into a new one."""
    parcel = Parcel(depot.url, Asked, limits(session_lifetime=60.0 if expired else None))
    make_uploader(journal=dies(ends(State.PROCESSING))).upload(film, parcel)
    journal.close()
    depot.uploads["1"].gone = True
    for _ in range(2):
        result = make_uploader(journal=journal).upload(film, parcel)
        assert result.outcome is Outcome.UNKNOWN
    assert len(depot.posts) == len(depot.uploads) == 1


@pytest.mark.parametrize("lifetime", [None, 60.0])
def test_a_restored_upload_stays_restored(
    make_uploader: Make,
    journal: MemoryJournal,
    dies: Callable[..., Any],
    depot: Depot,
    film: Path,
    still: Any,
    known: Callable[[Parcel], None],
    lifetime: float | None,
) -> None:
    """That it was not completed in the session that a backup knows of says nothing of others."""
    parcel = Parcel(depot.url, Asked, limits(session_lifetime=lifetime))
    known(parcel)
    first = make_uploader(journal=dies(follows(State.COMMITTING)))
    depot.script("complete", *[Fault(500)] * 3)
    upload_id = first.upload(film, parcel).upload_id
    journal.close()
    assert journal.restored(0.0) == 1
    still.now += 3600
    for _ in range(2):
        result = make_uploader(journal=journal).resume(upload_id)
        assert result.outcome is Outcome.UNKNOWN
        entry = journal.get(upload_id)
        assert entry is not None
        assert (entry.state, (entry.error or {})["code"]) == (State.UNKNOWN, "restored")
    assert depot.posts == []


def test_a_renewed_token_completes(make_uploader: Make, depot: Depot, film: Path) -> None:
    """One that expired while the parts were sent costs one refusal."""
    depot.script("complete", Fault(401))
    parcel = Parcel(depot.url, access_token=None, credentials=lambda *_: "renewed")
    result = make_uploader().upload(film, parcel)
    assert result.outcome is Outcome.DONE, result.error
    assert depot.posts == [film.read_bytes()]


def test_a_file_is_needed_no_more_while_it_is_completed(
    make_uploader: Make, depot: Depot, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of it then, the answer counts."""
    monkeypatch.setattr("uploader.engine.stopping.GUARD_EVERY", 0.001)
    answered = threading.Event()
    depot.script("complete", Fault(200, acted=True, hold=answered))
    looked = threading.Event()

    class Looking(MemoryJournal):
        def renew(self, lease: Any) -> None:
            looked.set()
            super().renew(lease)

    monkeypatch.setattr("uploader.engine.logbook.RENEW_EVERY", 0.05)
    handle = make_uploader(journal=Looking()).submit(film, Parcel(depot.url))
    depot.wait_for("complete")
    film.unlink()
    looked.clear()
    assert looked.wait(PATIENCE), "many looks at the file later"
    answered.set()
    result = handle.result(PATIENCE)
    assert result.outcome is Outcome.DONE, result.error


def test_stopped_before_it_asked_an_earlier_completion_stays_open(
    make_uploader: Make,
    journal: MemoryJournal,
    dies: Callable[..., Any],
    depot: Depot,
    film: Path,
) -> None:
    """Every byte is there and nothing was completed: that is not processing."""
    parcel = Parcel(depot.url, Asked, IN_ORDER)
    depot.script("complete", *[Fault(500)] * 3)
    make_uploader(journal=dies(follows(State.COMMITTING))).upload(film, parcel)
    assert depot.posts == []
    journal.close()
    released = threading.Event()
    depot.script("verify", Fault(500, hold=released))
    asked = depot.count("verify")
    handle = make_uploader(journal=journal).submit(film, parcel)
    depot.wait_for("verify", asked + 1)
    handle.suspend()
    released.set()
    assert handle.result(PATIENCE).outcome in (Outcome.SUSPENDED, Outcome.UNKNOWN)
    result = make_uploader(journal=journal).upload(film, parcel)
    assert result.outcome is Outcome.DONE
    assert depot.posts == [film.read_bytes()]


class Arrived(Asked):
    """One whose list says that every byte is there."""

    __slots__ = ()

    def query(self, session: Session) -> Flow[Confirmed]:
        yield from super().query(session)
        return Confirmed(None, Processing("arrived"))


@pytest.mark.parametrize("look", [True, False])
def test_what_has_arrived_is_not_completed(
    make_uploader: Make,
    journal: MemoryJournal,
    dies: Callable[..., Any],
    depot: Depot,
    film: Path,
    known: Callable[[Parcel], None],
    *,
    look: bool,
) -> None:
    """It is completed once, with its parts, and never by a look."""
    parcel = Parcel(depot.url, Arrived)
    known(parcel)
    first = make_uploader(journal=dies(ends(State.COMMITTING))).upload(film, parcel)
    journal.close()
    up = make_uploader(journal=journal)
    if look:
        assert up.resolve(first.upload_id).outcome is Outcome.SUSPENDED
    result = up.upload(film, parcel)
    assert result.outcome is Outcome.DONE, result.error
    assert depot.posts == [film.read_bytes()]
    assert depot.manifests == [list(range(PARTS))]


def test_a_completion_that_was_surely_refused_can_be_tried_later(
    make_uploader: Make, journal: MemoryJournal, depot: Depot, film: Path
) -> None:
    """Although nobody could tell of one that was sent: the journal knows that none is out."""
    parcel = Parcel(depot.url, Bare)
    depot.script("complete", Fault(429))
    result = make_uploader(journal=journal).upload(film, parcel, time_limit=1.0)
    assert result.outcome is Outcome.SUSPENDED
    result = make_uploader(journal=journal).upload(film, parcel)
    assert result.outcome is Outcome.DONE, result.error
    assert depot.posts == [film.read_bytes()]


def test_a_part_that_the_server_lost_is_sent_again(
    make_uploader: Make, depot: Depot, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told that a part is gone, it asks which are there, sends the others, and completes once."""
    loses, completed = [1], depot._completed

    def lossy(upload: Any, manifest: dict[str, str]) -> tuple[int, Any]:
        for number in loses:
            del upload.parts[number]
        loses.clear()
        return completed(upload, manifest)

    monkeypatch.setattr(depot, "_completed", lossy)
    result = make_uploader().upload(film, Parcel(depot.url))

    assert result.outcome is Outcome.DONE, result.error
    assert depot.posts == [film.read_bytes()]
    assert depot.count("put") == PARTS + 1
    assert depot.count("complete") == 2


def test_killed_before_each_part_is_recorded_it_still_goes_on(
    make_uploader: Make, journal: MemoryJournal, dies: Callable[..., Any], depot: Depot, film: Path
) -> None:
    """Each run learns one part more from the server, and the next one believes it."""
    parcel = Parcel(depot.url, Asked, IN_ORDER)
    for _ in range(3):
        dying = dies(lambda changes: changes.get("part") is not None)
        make_uploader(journal=dying).upload(film, parcel)
        journal.close()
    result = make_uploader(journal=journal).upload(film, parcel)
    assert result.outcome is Outcome.DONE, result.error
    assert depot.posts == [film.read_bytes()]
    assert depot.count("append") == PARTS


def test_an_upload_that_another_run_drives_is_not_dropped(
    make_uploader: Make, depot: Depot, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that slept past its lease ends by itself; what the server holds is not its own."""
    slept = [0.0]
    monkeypatch.setattr("uploader.engine.logbook.elapsed", lambda: slept[0])

    class Slow(Asked):
        __slots__ = ()

        def put_part(self, *given: Any) -> Any:
            yield from super().put_part(*given)
            slept[0] = 1e6
            raise SessionExpiredError("put: it is gone", operation="put")

    result = make_uploader().upload(film, Parcel(depot.url, Slow))
    assert result.outcome in (Outcome.FAILED, Outcome.SUSPENDED)
    assert depot.count("abort") == 0
