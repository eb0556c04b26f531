"""The part of the suite for journals that is about what is recorded, and how it is found again.

Rule: only the contract's own words (`uploader.journal`) are used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from uploader.errors import JournalError
from uploader.journal import ENDED, Journal, PartRecord, State
from uploader.model import Plan, Session
from uploader.secret import Secret
from uploader.testing.journal_frame import TTL, URL, JournalFrame

UNDER_WAY = sorted(frozenset(State) - ENDED)


class RecordContract(JournalFrame):
    """Entries, parts, secrets, and lists of them."""

    # What is recorded comes back.

    def test_everything_recorded_comes_back(self, journal: Journal) -> None:
        """An entry is read as it was written, but for its times, which the journal sets."""
        wanted = self.entry(
            key="post-1",
            name="clip.mp4",
            source="/videos/clip.mp4",
            fingerprint="f" * 32,
            digest="d" * 32,
            content_type="video/mp4",
            destination={"title": "Hi", "tags": ["a", "b"], "nested": {"n": None}},
            session=self.session(),
            reference="v_pub~1",
            fields={"views": 3, "ratio": 0.5},
            error={"code": "rejected"},
            location="https://example/1",
            confirmed=2,
            not_before=self.clock() + 1,
            not_after=self.clock() + 9,
        )

        journal.add(wanted)

        now = self.clock()
        assert self.read(journal, wanted.upload_id) == replace(wanted, created=now, updated=now)

    @pytest.mark.parametrize(
        "text", ["", "naïve", "短い動画", "🎬", "\udce9.mp4", "é\udce9", "nul\0", "'; --"]
    )
    def test_any_name_comes_back(self, journal: Journal, text: str) -> None:
        """File names of any script, and bytes in them that are no text at all."""
        entry = journal.add(
            self.entry(name=text, source=text, account=text, destination={"title": text})
        )

        read = self.read(journal, entry.upload_id)

        assert (read.name, read.source, read.account) == (text, text, text)
        assert read.destination == {"title": text}

    def test_a_save_changes_only_what_it_names(self, journal: Journal) -> None:
        """All else stays, and the time of the change is the journal's."""
        entry, lease = self.claimed(journal, name="clip.mp4")
        self.pass_time(5)
        changes: dict[str, Any] = {
            "state": State.SENDING,
            "session": self.session(),
            "plan": Plan(100, 50, 2),
            "confirmed": 1,
        }

        journal.save(lease, changes, part=PartRecord(0, "aa", {"etag": "1"}), durable=True)
        read = self.read(journal, entry.upload_id)

        assert read == replace(entry, **changes, updated=read.updated, runs=1, holder=read.holder)
        assert read.updated >= entry.updated + 5
        assert journal.parts(entry.upload_id) == [PartRecord(0, "aa", {"etag": "1"})]

    def test_a_session_can_be_dropped(self, journal: Journal) -> None:
        """Its secrets go with it."""
        entry, lease = self.claimed(journal, session=self.session())

        journal.save(lease, {"session": None})

        assert self.read(journal, entry.upload_id).session is None

    def test_parts_come_back_in_order(self, journal: Journal) -> None:
        """Whatever the order of recording; one that is recorded again is the later one."""
        entry, lease = self.claimed(journal)

        for index, digest in [(2, "c"), (0, "a"), (1, None), (0, "A")]:
            journal.save(lease, {}, part=PartRecord(index, digest))

        assert journal.parts(entry.upload_id) == [
            PartRecord(0, "A"),
            PartRecord(1, None),
            PartRecord(2, "c"),
        ]
        assert journal.parts("nothing") == []

    @pytest.mark.parametrize(
        "name", ["upload_id", "identity", "created", "updated", "runs", "holder", "lease_until"]
    )
    def test_a_run_does_not_change_whose_upload_it_is(self, journal: Journal, name: str) -> None:
        """Identity, times and leases are the journal's; and there are no other fields."""
        entry, lease = self.claimed(journal)
        before = journal.get(entry.upload_id)

        with pytest.raises(TypeError, match=name):
            journal.save(lease, {"confirmed": 2, name: "1"})

        assert journal.get(entry.upload_id) == before

    @pytest.mark.parametrize(
        ("changes", "receipt"),
        [({"fields": {"at": object()}}, {}), ({"confirmed": 2}, {"etag": b"bytes"})],
    )
    def test_what_is_no_json_leaves_no_trace(
        self, journal: Journal, changes: dict[str, Any], receipt: dict[str, Any]
    ) -> None:
        """A save happens as a whole or not at all."""
        entry, lease = self.claimed(journal)
        before = journal.get(entry.upload_id)

        with pytest.raises(JournalError, match="JSON"):
            journal.save(lease, changes, part=PartRecord(0, "a", receipt))

        assert journal.get(entry.upload_id) == before
        assert journal.parts(entry.upload_id) == []

    def test_what_was_recorded_is_the_journals_own(self, journal: Journal) -> None:
        """What the caller does to its own objects afterwards does not reach it."""
        tags, fields = ["a"], {"n": 1}
        entry, lease = self.claimed(journal, destination={"tags": tags})
        journal.save(lease, {"fields": fields})

        tags.append("b")
        fields["n"] = 2
        read = self.read(journal, entry.upload_id)

        assert (read.destination, read.fields) == ({"tags": ["a"]}, {"n": 1})

    def test_secrets_come_back_and_are_not_shown(self, journal: Journal) -> None:
        """Neither a repr nor a text of anything that a journal returns holds one."""
        entry, _ = self.claimed(journal, session=self.session())
        read = self.read(journal, entry.upload_id)

        assert read.session is not None
        assert read.session.secrets["upload_url"].reveal() == URL
        for shown in (read, journal.latest(), journal.find(entry.upload_id), vars(journal)):
            assert "never-in-clear" not in f"{shown!r} {shown}"

    def test_a_secret_is_no_field(self, journal: Journal) -> None:
        """One that strays into a public field is refused, and not named."""
        _, lease = self.claimed(journal)

        with pytest.raises(JournalError) as caught:
            journal.save(lease, {"session": Session({"upload_url": Secret(URL)})})

        assert "never-in-clear" not in str(caught.value)

    # Lists.

    def test_latest_shows_what_changed_last_first(self, journal: Journal) -> None:
        """Whatever the order in which uploads were recorded."""
        made = []
        for _ in range(4):
            made.append(self.claimed(journal))
            self.pass_time(1)
        first, lease = made[0]
        journal.save(lease, {"confirmed": 1})
        order = [first, *(entry for entry, _ in reversed(made[1:]))]

        assert [e.upload_id for e in journal.latest()] == [e.upload_id for e in order]
        assert [e.upload_id for e in journal.latest(2)] == [e.upload_id for e in order[:2]]

    def test_latest_can_be_asked_for_states(self, journal: Journal) -> None:
        """Several at once, still the newest first."""
        made = {}
        for state in State:
            made[state] = self.ended(journal, state).upload_id
            self.pass_time(1)

        found = journal.latest(2, states=[State.DONE, State.QUEUED, State.UNKNOWN])

        assert [entry.upload_id for entry in found] == [made[State.UNKNOWN], made[State.DONE]]
        assert journal.latest(states=[]) == []

    def test_due_is_what_may_be_driven_now(self, journal: Journal) -> None:
        """Not what has ended, what somebody drives, or what is for later."""
        waiting = [self.ended(journal, state).upload_id for state in UNDER_WAY]
        for state in ENDED:
            self.ended(journal, state)
        held, lease = self.claimed(journal)
        later = journal.add(self.entry(not_before=self.clock() + 100))

        assert sorted(journal.due()) == sorted(waiting)
        journal.release(lease)
        assert sorted(journal.due()) == sorted([*waiting, held.upload_id])
        assert later.upload_id in journal.due(self.clock() + 100)

    def test_a_run_says_until_when_an_upload_waits(self, journal: Journal) -> None:
        """A limit ends then; nobody takes it up before."""
        entry, lease = self.claimed(journal)

        journal.save(lease, {"not_before": self.clock() + 100})
        journal.release(lease)

        assert self.read(journal, entry.upload_id).not_before == self.clock() + 100
        assert journal.due() == []
        assert journal.due(self.clock() + 100) == [entry.upload_id]
        taken, lease = journal.take(entry.upload_id, TTL)
        journal.save(lease, {"not_before": None})
        journal.release(lease)
        assert taken.not_before == self.clock() + 100
        assert journal.due() == [entry.upload_id]

    def test_an_upload_is_found_by_its_servers_word(self, journal: Journal) -> None:
        """Of its own transport alone, and by the word that it has now."""
        old = self.ended(journal, State.DONE, reference="v_pub~1")
        new, lease = self.claimed(journal, reference="v_pub~1")
        self.ended(journal, State.DONE, reference="v_pub~1", transport="tus")
        self.ended(journal, State.DONE)

        found = [entry.upload_id for entry in journal.referred("tiktok", "v_pub~1")]
        journal.save(lease, {"reference": "v_pub~2", "session": self.session()})

        assert found == [new.upload_id, old.upload_id]
        assert list(journal.referred("tiktok", "v_pub~1")) == [old]
        assert list(journal.referred("tiktok", "v_pub~2")) == [self.read(journal, new.upload_id)]
        assert list(journal.referred("tiktok", "v_pub~")) == []
        journal.save(lease, {"reference": None})
        assert list(journal.referred("tiktok", "v_pub~2")) == []

    def test_due_ends_with_what_is_unknown(self, journal: Journal) -> None:
        """However many of them nobody can tell of, the others are reached."""
        unknown, lease = self.claimed(journal)
        journal.save(lease, {"state": State.UNKNOWN})
        journal.release(lease)
        self.pass_time(10)
        waiting, lease = self.claimed(journal)
        journal.release(lease)

        assert journal.due() == [waiting.upload_id, unknown.upload_id]
        assert journal.due(limit=1) == [waiting.upload_id]

    def test_due_begins_with_what_waited_longest(self, journal: Journal) -> None:
        """A limit counts what is due, not what somebody drives."""
        held = []
        waiting = []
        for state in UNDER_WAY:
            held.append(self.claimed(journal))
            waiting.append(self.ended(journal, state).upload_id)
            self.pass_time(1)

        assert journal.due(limit=3) == waiting[:3]
        assert journal.due() == waiting

    def test_due_is_asked_of_some_states_alone(self, journal: Journal) -> None:
        """Its limit counts these, however many others have waited longer."""
        waiting: dict[State, list[str]] = {state: [] for state in State}
        for state in UNDER_WAY * 2:
            waiting[state].append(self.ended(journal, state).upload_id)
            self.pass_time(1)

        for state, ids in waiting.items():
            assert journal.due(states=[state]) == ids
            assert journal.due(limit=1, states=[state]) == ids[:1]
        assert journal.due(states=[]) == []

    def test_an_upload_is_found_by_the_beginning_of_its_id(self, journal: Journal) -> None:
        """What looks like a wildcard is none."""
        for name in ("ab2", "ab1", "ab", "abc", "b", "a_2", "a%"):
            journal.add(self.entry(upload_id=name))

        assert [e.upload_id for e in journal.find("ab")] == ["ab", "ab1", "ab2", "abc"]
        assert [e.upload_id for e in journal.find("ab", limit=2)] == ["ab", "ab1"]
        assert [e.upload_id for e in journal.find("a_")] == ["a_2"]
        assert [e.upload_id for e in journal.find("a%")] == ["a%"]
        assert journal.find("ab3") == []
        assert journal.find("") == []

    def test_states_are_counted_with_the_age_of_the_oldest(self, journal: Journal) -> None:
        """Every state is told, so that a gauge returns to zero."""
        self.ended(journal, State.UNKNOWN)
        self.pass_time(50)
        self.ended(journal, State.UNKNOWN)
        self.ended(journal, State.DONE)
        self.pass_time(10)

        counts = journal.counts()
        unknown, oldest = counts[State.UNKNOWN]

        assert counts.keys() == set(State)
        assert unknown == 2
        assert 59 <= oldest <= 61
        assert 9 <= counts[State.DONE][1] <= 11
        assert counts[State.QUEUED] == (0, 0.0)

    def test_a_stand_in_tells_secrets_apart_and_nothing_else(self, journal: Journal) -> None:
        """The same for the same one, and no digest that anybody else can compute."""
        other = journal.stand_in(b"token 2")

        assert journal.stand_in(b"token 1") == journal.stand_in(b"token 1") != other
        assert "token" not in other
