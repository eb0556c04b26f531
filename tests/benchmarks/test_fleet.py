"""A simulated day keeps its promises, notices when they are broken, and the page says what the
model says."""

from pathlib import Path

import pytest

from benchmarks import fleet, scaling
from benchmarks.fleet import Clockwork, Fleet
from benchmarks.scaling import Costs, Load, breaks_first, needs, table
from uploader.journal import State

SMALL = Fleet(uploads=400, machines=2, accounts=40, lanes=4, kills=24)


def _day(tmp_path: Path) -> fleet.Day:
    return Clockwork(SMALL, tmp_path / "journal.db", lambda done: None).run()


def test_a_day_ends_with_every_upload_posted_once(tmp_path: Path) -> None:
    """Machines die, messages come twice, accounts post too much; the journal holds."""
    day = _day(tmp_path)
    assert day.is_right
    assert day.counts[State.DONE] == len(day.books.posts) == SMALL.uploads
    assert day.books.kills >= 24
    assert day.books.held_back > 0
    assert day.books.put_off > 0
    assert day.books.duplicates > 0


def test_uploads_beyond_the_limits_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's books are its own: who does not wait is seen there."""
    monkeypatch.setattr(Clockwork, "_room", lambda self, account, operation: 0.0)
    day = _day(tmp_path)
    assert day.books.above > 0
    assert not day.is_right


def test_a_second_post_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that is stored twice makes the day a wrong one."""
    stored = Clockwork._stored

    def twice(self: Clockwork, run: fleet._Run) -> None:
        self.books.posts[run.number] += 1
        stored(self, run)

    monkeypatch.setattr(Clockwork, "_stored", twice)
    assert not _day(tmp_path).is_right


def test_needs_grow_with_the_load() -> None:
    """Ten times the uploads take ten times the line, and a faster line fewer machines."""
    one, ten = needs(Load(uploads=1_000_000)), needs(Load(uploads=10_000_000))
    assert ten.line_gbits == pytest.approx(10 * one.line_gbits)
    assert ten.machines > one.machines
    wide = needs(Load(uploads=1_000_000, line=1.25e9))
    assert wide.machines_by_line < one.machines_by_line / 9
    assert needs(Load(uploads=1_000_000), Costs(cpu_per_gb=30.0)).machines > one.machines


def test_what_breaks_first_is_the_fullest() -> None:
    """A line of one machine first; with a slow disk the journal before the broker."""
    found = breaks_first(Load(uploads=1_000_000))
    assert found[0][0] == "one sending machine"
    assert [full for _, full in found] == sorted((full for _, full in found), reverse=True)
    slow = dict(breaks_first(Load(uploads=1_000_000), Costs(sqlite_writes=100.0)))
    assert slow["one SQLite journal (one machine)"] > 1


def test_the_page_holds_the_models_table() -> None:
    """`docs/scale.md` was not typed in by hand."""
    page = Path(scaling.__file__).parents[1] / "docs" / "scale.md"
    assert table() in page.read_text()
