"""What callers of several uploads are told, and what they leave running when they are stopped."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Make
from tests.engine.depot import PATIENCE, Depot, Fault
from tests.engine.files import make_clip
from tests.engine.parcel import PART, Asked, Parcel
from tests.resume.watched import Watched
from uploader import AsyncUploader, JournalError, Outcome
from uploader.errors import SourceChangedError
from uploader.http import Request
from uploader.journal import State
from uploader.journals import MemoryJournal
from uploader.model import KIB, MIB, Processing, Session
from uploader.transport import Flow


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write three parts."""
    return make_clip(tmp_path / "film.mp4", 3 * PART)


@pytest.mark.parametrize("verb", ["upload_many", "upload_to_all"])
def test_a_file_that_changed_after_it_may_have_been_posted_is_not_failed(
    make_uploader: Make, depot: Depot, tmp_path: Path, still: Any, verb: str
) -> None:
    """The result says what the journal says: unknown."""

    class Dying(Watched):
        def save(self, lease: Any, changes: Any, **named: Any) -> Any:
            if changes.get("state") is State.PROCESSING:
                raise JournalError("the disk is full")
            return journal.save(lease, changes, **named)

    film = make_clip(tmp_path / "long.mp4", 4 * MIB)
    journal = MemoryJournal(clock=still.time)
    journal.wants_digests = True
    first = make_uploader(journal=Dying(journal)).upload(film, Parcel(depot.url))
    assert first.outcome is Outcome.UNKNOWN
    with film.open("r+b") as file:
        file.seek(100 * KIB)  # between two samples
        file.write(b"other")
    up, parcel = make_uploader(journal=journal), Parcel(depot.url)
    many = verb == "upload_many"
    results = up.upload_many([(film, parcel)]) if many else up.upload_to_all(film, [parcel])
    assert [each.outcome for each in results] == [Outcome.UNKNOWN]
    assert isinstance(results[0].error, SourceChangedError)


class Broken(Asked):
    """One that cannot even be asked for its limits."""

    __slots__ = ()

    def content_type(self, facts: Any) -> str:
        raise SystemExit


def test_who_is_stopped_while_uploads_are_started_leaves_none(
    make_uploader: Make, depot: Depot, film: Path
) -> None:
    """The first of them is under way when the second one's start is interrupted."""
    held = threading.Event()
    depot.script("put", *[Fault(200, acted=True, hold=held)] * 3)
    journal = MemoryJournal()
    up = make_uploader(journal=journal)
    with pytest.raises(SystemExit):
        up.upload_to_all(film, [Parcel(depot.url), Parcel(depot.url, Broken, account="other")])
    deadline = time.monotonic() + PATIENCE
    while not journal.due():
        assert time.monotonic() < deadline, "an upload that nobody holds goes on"
        held.wait(0.005)
    held.set()
    assert depot.posts == []


async def test_a_task_that_is_cancelled_while_uploads_are_started_leaves_none(
    depot: Depot, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that starts them goes on; what it started is suspended."""
    held, second = threading.Event(), threading.Event()
    depot.script("put", *[Fault(200, acted=True, hold=held)] * 3)
    journal = MemoryJournal()

    class Slow(Asked):
        __slots__ = ()

        def content_type(self, facts: Any) -> str:
            second.set()
            assert go_on.wait(PATIENCE)
            return "video/mp4"

    go_on = threading.Event()
    async with AsyncUploader(journal=journal, metrics=False) as up:
        parcels = [Parcel(depot.url), Parcel(depot.url, Slow, account="other")]
        task = asyncio.create_task(up.upload_to_all(film, parcels))
        await asyncio.to_thread(second.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        async with asyncio.timeout(PATIENCE):  # an upload that nobody holds ends
            while len(journal.due()) < len(parcels):  # noqa: ASYNC110 - another loop writes it
                await asyncio.sleep(0)
        held.set()
    assert {each.state for each in journal.latest()} <= {State.SENDING, State.QUEUED}
    assert depot.posts == []


def test_a_place_is_kept_while_the_server_works(
    make_uploader: Make, depot: Depot, film: Path
) -> None:
    """Stopped while it watches, an upload has its location still."""
    asked = threading.Event()

    class Working(Asked):
        __slots__ = ()

        def poll(self, session: Session) -> Flow[Processing]:
            asked.set()
            yield Request("query", "GET", f"{self.url}/query/{session.fields['id']}")
            return Processing("working")

    held = threading.Event()
    depot.script("query", Fault(200, acted=True, hold=held))
    journal = MemoryJournal()
    up = make_uploader(journal=journal)
    handle = up.submit(film, Parcel(depot.url, Working))
    assert asked.wait(PATIENCE)
    handle.suspend()
    result = handle.result(PATIENCE)
    held.set()
    assert (result.outcome, result.location) == (Outcome.PROCESSING, "post 1")
    assert [each.location for each in journal.latest()] == ["post 1"]
