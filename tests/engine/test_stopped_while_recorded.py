"""A run that is stopped while its journal writes down what was opened: nothing is opened twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Make
from tests.engine.depot import PATIENCE, Depot
from tests.engine.files import make_clip
from tests.engine.parcel import PART, Asked, Parcel, limits
from uploader import JournalError, Outcome, Uploader
from uploader.api.handle import UploadHandle
from uploader.journal import Entry, Lease, State
from uploader.journals import MemoryJournal
from uploader.transport import Moment, Order


class Busy(MemoryJournal):
    """A journal on a disk, whose first record of a session fails after `meanwhile`."""

    waits = True

    def __init__(self, clock: Callable[[], float], meanwhile: Callable[[], None]) -> None:
        super().__init__(clock=clock)
        self._meanwhile: Callable[[], None] | None = meanwhile

    def save(self, lease: Lease, changes: Mapping[str, Any], **given: Any) -> None:
        meanwhile = self._meanwhile
        if changes.get("session") is not None and meanwhile is not None:
            self._meanwhile = None
            meanwhile()
            raise JournalError("the disk did not answer")
        super().save(lease, changes, **given)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write three parts."""
    return make_clip(tmp_path / "film.mp4", 3 * PART)


def stop(uploader: Uploader, handle: UploadHandle, how: str) -> None:
    """Stop an upload, and return when its run has heard of it."""
    heard = threading.Event()
    getattr(handle, how)()
    uploader._thread.post(heard.set)
    assert heard.wait(PATIENCE)


@pytest.mark.parametrize(
    ("moment", "how", "outcome", "state"),
    [
        (Moment.LAST_PART, "suspend", Outcome.SUSPENDED, State.SENDING),
        (Moment.CREATE, "suspend", Outcome.PROCESSING, State.PROCESSING),
        (Moment.CREATE, "cancel", Outcome.PROCESSING, State.PROCESSING),
    ],
)
def test_what_was_opened_is_written_down_after_all(
    make_uploader: Make, depot: Depot, film: Path, still: Any,
    moment: Moment, how: str, outcome: Outcome, state: State,
) -> None:  # fmt: skip
    """The record failed, and the stop hid it: the upload is not taken as never opened."""
    started, handles = threading.Event(), list[UploadHandle]()

    def meanwhile() -> None:
        assert started.wait(PATIENCE)
        stop(uploader, handles[0], how)

    journal = Busy(still.time, meanwhile)
    uploader = make_uploader(journal=journal)
    parcel = Parcel(depot.url, Asked, limits(order=Order.SEQUENTIAL, irreversible=moment))
    handles.append(uploader.submit(film, parcel))
    started.set()
    result = handles[0].result(PATIENCE)

    entry = journal.get(result.upload_id)
    assert isinstance(entry, Entry)
    assert (result.outcome, entry.state) == (outcome, state)
    assert entry.session is not None
    assert uploader.upload(film, parcel).outcome is Outcome.DONE
    assert depot.count("create") == 1
