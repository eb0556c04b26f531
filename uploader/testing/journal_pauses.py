"""The part of the suite for journals that is about pauses: what they hold back, and when they end.

Rule: only the contract's own words (`uploader.journal`) are used.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from uploader.journal import ENDED, PAUSABLE, Journal, Pause, State
from uploader.testing.journal_frame import JournalFrame

UNDER_WAY = frozenset(State) - ENDED
SCOPES = [
    (None, None, {"tiktok acme", "tiktok other", "tus acme", "tus None"}),
    ("tiktok", None, {"tiktok acme", "tiktok other"}),
    (None, "acme", {"tiktok acme", "tus acme"}),
    ("tiktok", "acme", {"tiktok acme"}),
    ("tus", "", set()),
    ("gcs", None, set()),
]


class PauseContract(JournalFrame):
    """Pauses of everything, of a transport, of an account."""

    def test_a_pause_comes_back(self, journal: Journal) -> None:
        """Every word of it, the longest one first."""
        made = [
            self.paused(),
            self.paused(transport="tiktok", by="ann", until=self.clock() + 60),
            self.paused(account="\udce9 🎬", by="b", reason="短い", trial=self.clock() + 9),
        ]
        made = [replace(each, since=each.since - age) for age, each in enumerate(made)]

        for pause in made:
            journal.pause(pause)

        assert list(journal.pauses()) == made[::-1]

    @pytest.mark.parametrize(("transport", "account", "held"), SCOPES)
    def test_a_pause_holds_back_what_it_names(
        self, journal: Journal, transport: str | None, account: str | None, held: set[str]
    ) -> None:
        """All transports, all accounts, or one of them; all else stays due."""
        pairs = [("tiktok", "acme"), ("tiktok", "other"), ("tus", "acme"), ("tus", None)]
        pause = self.paused(transport=transport, account=account)
        ids = {
            journal.add(self.entry(transport=one, account=two)).upload_id: (one, two)
            for one, two in pairs
        }

        journal.pause(pause)
        due = {ids[each] for each in journal.due()}

        assert {f"{one} {two}" for one, two in set(pairs) - due} == held
        assert due == {pair for pair in pairs if not pause.covers(*pair)}
        assert journal.unpause(transport, account) == 1
        assert set(journal.due()) == ids.keys()

    @pytest.mark.parametrize("state", sorted(UNDER_WAY))
    def test_what_cannot_be_taken_back_is_due_all_the_same(
        self, journal: Journal, state: State
    ) -> None:
        """It is finished, asked about or polled; only what would send more waits."""
        entry = self.ended(journal, state)

        journal.pause(self.paused(trial=self.clock() + 60))

        assert journal.due() == ([] if state in PAUSABLE else [entry.upload_id])

    def test_a_pause_ends_by_itself(self, journal: Journal) -> None:
        """At its `until`; it is neither shown nor lifted then."""
        entry = journal.add(self.entry())
        journal.pause(self.paused(until=self.clock() + 60))

        self.pass_time(59)
        assert (journal.due(), len(journal.pauses())) == ([], 1)
        self.pass_time(1)

        assert journal.due() == [entry.upload_id]
        assert list(journal.pauses()) == []
        assert journal.unpause() == 0

    def test_only_what_is_named_is_lifted(self, journal: Journal) -> None:
        """The pause of everything is another one than that of a transport."""
        scopes = [(None, None), ("tiktok", None), (None, "acme"), ("tiktok", "acme")]
        for transport, account in scopes:
            journal.pause(self.paused(transport=transport, account=account))

        for number, (transport, account) in enumerate(scopes, start=1):
            assert journal.unpause(transport, account) == 1
            assert journal.unpause(transport, account) == 0
            assert len(journal.pauses()) == len(scopes) - number

    def test_each_has_a_pause_of_its_own(self, journal: Journal) -> None:
        """What one lifts of his own the other still holds; whoever names nobody lifts both."""
        first = self.paused(transport="tiktok", by="ann")
        longer = replace(first, reason="it takes longer", until=self.clock() + 60)
        other = replace(first, by="")
        for pause in (first, other, longer):
            journal.pause(pause)

        assert sorted(journal.pauses(), key=lambda each: each.by) == [other, longer]
        assert journal.unpause("tiktok", by="nobody") == 0
        assert journal.unpause("tiktok", by="ann") == 1
        assert list(journal.pauses()) == [other]
        journal.pause(longer)
        assert journal.unpause("tiktok") == 2

    def test_one_upload_is_let_through_to_try(self, journal: Journal) -> None:
        """The one that waited longest, and only when its moment has come."""
        first = journal.add(self.entry())
        self.pass_time(1)
        journal.add(self.entry())
        apart = journal.add(self.entry(account="another"))
        journal.pause(self.paused(transport="tiktok", account="acme", trial=self.clock() + 60))

        assert journal.due() == [apart.upload_id]
        self.pass_time(60)

        assert journal.due() == [first.upload_id, apart.upload_id]
        assert journal.due(limit=1) == [first.upload_id]
        journal.pause(self.paused())
        assert journal.due() == []

    def test_a_trial_is_taken_once(self, journal: Journal) -> None:
        """By whoever saw the pause as it stands."""
        pause = self.paused(transport="tiktok", by="ann", trial=self.clock())
        later = replace(pause, trial=self.clock() + 60)
        journal.pause(pause)
        entry = journal.add(self.entry())

        assert journal.due() == [entry.upload_id]
        assert journal.take_trial(pause, self.clock() + 60)
        assert not journal.take_trial(pause, self.clock() + 60)
        assert list(journal.pauses()) == [later]
        assert journal.due() == []
        for wrong in ({"by": ""}, {"since": 0.0}, {"transport": None}, {"trial": None}):
            assert not journal.take_trial(replace(later, **wrong), self.clock())
        journal.unpause("tiktok")
        assert not journal.take_trial(later, self.clock())

    def test_a_pause_that_is_over_is_not_tried(self, journal: Journal) -> None:
        """Nothing holds back any more."""
        pause: Pause = self.paused(until=self.clock() + 10, trial=self.clock() + 10)
        journal.pause(pause)

        self.pass_time(10)

        assert not journal.take_trial(pause, self.clock() + 60)
