"""What the suites for journals share: a clock that is moved, a journal in a folder, an upload.

Rule: nothing here waits; time passes when a test says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from uploader.journal import Claim, Entry, Journal, Lease, Pause, State
from uploader.model import Plan, Session
from uploader.secret import Secret

TTL = 30.0
URL = "https://upload.example/?signature=zw9-never-in-clear"
"""The secret of `session()`, by which it is recognised where it must not be."""


class Clock:
    """Seconds since the epoch, as a test moves them."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class JournalFrame:
    """Make a journal for each test, and close it."""

    folder: Path
    clock: Clock

    def make(self) -> Journal:
        """Return the journal in `self.folder`, with `self.clock`; an empty one at first."""
        raise NotImplementedError

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the journal; to be overridden where it has a clock of its own."""
        self.clock.advance(seconds)

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.clock = Clock()
        self._numbers = itertools.count(1)

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        made = self.make()
        yield made
        made.close()

    def entry(self, **facts: Any) -> Entry:
        """Return an upload that is like no other."""
        number = next(self._numbers)
        usual: dict[str, Any] = {
            "upload_id": f"{number:016x}",
            "identity": f"identity {number}",
            "transport": "tiktok",
            "account": "acme",
            "plan": Plan(100, 40, 3),
        }
        return Entry(**(usual | facts))

    def claimed(self, journal: Journal, **facts: Any) -> tuple[Entry, Lease]:
        """Record a new upload and lease it."""
        claim = journal.claim(self.entry(**facts), TTL)
        assert claim.fresh
        assert claim.lease is not None
        return claim.entry, claim.lease

    def ended(self, journal: Journal, state: State, **facts: Any) -> Entry:
        """Record an upload that a run brought into a state and left."""
        entry, lease = self.claimed(journal, **facts)
        journal.save(lease, {"state": state})
        journal.release(lease)
        return self.read(journal, entry.upload_id)

    def read(self, journal: Journal, upload_id: str) -> Entry:
        entry = journal.get(upload_id)
        assert entry is not None
        return entry

    def session(self) -> Session:
        return Session({"publish_id": "v_pub~1"}, {"upload_url": Secret(URL)}, self.clock())

    def paused(self, **facts: Any) -> Pause:
        """Return a pause of everything, unless told otherwise."""
        usual: dict[str, Any] = {
            "transport": None,
            "account": None,
            "reason": "a rule was changed",
            "since": self.clock(),
        }
        return Pause(**(usual | facts))

    def leased(self, claim: Claim) -> Lease:
        assert claim.lease is not None
        return claim.lease
