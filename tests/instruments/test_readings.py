"""What is asked for at a scrape: the journal, accounts, pauses; and what of it fails."""

import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from tests.engine.conftest import Make, make_uploader, post, sandbox, still
from tests.engine.files import make_clip
from tests.instruments.scrape import scraped, total, value
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.breaker import BREAKER
from uploader.errors import JournalError, LeaseHeldError
from uploader.instruments.metrics import watch_accounts, watch_journal, watch_paused
from uploader.journal import Journal, Pause, State
from uploader.journals import SqliteJournal

__all__ = ["make_uploader", "post", "sandbox", "still"]


@pytest.fixture
def registry() -> CollectorRegistry:
    """Collect for one test."""
    return CollectorRegistry()


def test_pauses_of_the_journal_are_told(registry: CollectorRegistry, tmp_path: Path) -> None:
    """Those of whole destinations, whoever made them; those of the breaker once more."""
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        watch_journal(journal, registry)
        assert total(scraped(registry), "paused") == 0
        journal.pause(Pause("tiktok", None, "a rule", since=0.0, by=BREAKER))
        journal.pause(Pause("s3", None, "", since=0.0, by="ann"))
        journal.pause(Pause("tus", "acme", "", since=0.0))
        journal.pause(Pause(None, None, "", since=0.0))

        told = scraped(registry)
        assert [value(told, "paused", transport=name) for name in ("tiktok", "s3", "all")] == [
            1
        ] * 3
        assert total(told, "paused") == 3
        assert value(told, "breaker_open", transport="tiktok") == 1
        assert total(told, "breaker_open") == 1
        journal.unpause("tiktok")
        told = scraped(registry)
        assert value(told, "paused", transport="tiktok") == 0
        assert value(told, "breaker_open", transport="tiktok") == 0
        assert value(told, "paused", transport="s3") == 1


class Broken:
    """A journal that answers nothing."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def counts(self) -> Mapping[State, tuple[int, float]]:
        raise self._error

    def pauses(self) -> list[Pause]:
        raise self._error


def test_the_journal_of_an_uploader_is_told(
    registry: CollectorRegistry, make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """What is done and what waits, by state, and how long the oldest waits; until it is closed."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    up = make_uploader(metrics=True, registry=registry, journal=tmp_path / "uploads.db")
    up.upload(clip, post())
    up.enqueue(clip, post(title="later"))
    up.enqueue(clip, post(title="later still"))
    told = scraped(registry)
    assert value(told, "journal_uploads", state="done") == 1
    assert value(told, "journal_uploads", state="queued") == 2
    assert value(told, "journal_uploads", state="unknown") == 0
    assert value(told, "journal_oldest_seconds", state="queued") >= 0
    assert {dict(labels)["state"] for name, labels in told if name.endswith("journal_uploads")} == {
        str(state) for state in State
    }
    up.close()
    assert total(scraped(registry), "journal_uploads") == 0


def test_one_journal_in_two_uploaders_is_counted_once(
    registry: CollectorRegistry, make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Two uploaders on one file, and the journal itself, are one journal; another file is not."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    settings = {"metrics": True, "registry": registry, "journal": tmp_path / "uploads.db"}
    ups = [make_uploader(**settings) for _ in range(2)]
    ups[0].enqueue(clip, post())
    ups[1].enqueue(clip, post(title="second"))
    other = make_uploader(metrics=True, registry=registry, journal=tmp_path / "other.db")
    other.enqueue(clip, post())
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        stop = watch_journal(journal, registry)
        assert value(scraped(registry), "journal_uploads", state="queued") == 3
        stop()
    ups[0].close()
    assert value(scraped(registry), "journal_uploads", state="queued") == 3
    ups[1].close()
    assert value(scraped(registry), "journal_uploads", state="queued") == 1


@pytest.mark.parametrize("error", [JournalError("the disk is gone"), OSError(5, "I/O error")])
def test_a_journal_that_fails_is_counted_and_the_scrape_goes_on(
    registry: CollectorRegistry, error: Exception
) -> None:
    """The others are told, and the failure is a number, not an error of the scrape."""
    watch_journal(cast(Journal, Broken(error)), registry)
    watch_accounts(lambda: {"active": 3}, registry)
    for times in (1, 2):
        scraped(registry)
        told = scraped(registry)
        assert value(told, "journal_errors_total", operation="counts") >= times
        assert value(told, "accounts", state="active") == 3
        assert total(told, "journal_uploads") == 0


def test_accounts_and_pauses_are_asked_at_every_scrape(registry: CollectorRegistry) -> None:
    """The last callable is asked, afresh; its labels stay few."""
    states: dict[str, int] = {"active": 2, "revoked": 1}
    watch_accounts(lambda: {"never": 1}, registry)
    watch_accounts(lambda: states, registry)
    watch_paused(lambda: {"tiktok": True, "s3": False}, registry)
    told = scraped(registry)
    assert value(told, "accounts", state="active") == 2
    assert value(told, "paused", transport="tiktok") == 1
    assert value(told, "paused", transport="s3") == 0
    states.update({f"made up {number}": 1 for number in range(1000)}, active=5)
    told = scraped(registry)
    assert value(told, "accounts", state="active") == 5
    assert value(told, "accounts", state="other") == 1000
    assert total(told, "accounts") == 1006
    assert not total(told, "accounts", state="never")


def test_accounts_that_cannot_be_asked_are_left_out(
    registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """A scrape tells nothing of them rather than something false, and the log says why."""

    def fail() -> Any:
        raise RuntimeError("no")

    watch_accounts(fail, registry)
    watch_paused(lambda: {"tiktok": True}, registry)
    with caplog.at_level(logging.ERROR, "uploader"):
        told = scraped(registry)
    assert value(told, "paused", transport="tiktok") == 1
    assert not [name for name, _ in told if name == "uploader_accounts"]
    assert "the metric accounts cannot be read" in caplog.text


class Failing:
    """A journal whose `save` fails once told to."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.fails:
            raise JournalError("the disk is full")
        self._journal.save(*args, **kwargs)


def test_what_a_journal_fails_to_do_is_counted(
    registry: CollectorRegistry, make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """By operation; an upload that is fine counts nothing, and a caller's journal stays open."""
    with closing(SqliteJournal(tmp_path / "uploads.db")) as journal:
        failing = Failing(journal)
        up = make_uploader(metrics=True, registry=registry, journal=failing)
        up.upload(make_clip(tmp_path / "one.mp4", 1000), post())
        assert total(scraped(registry), "journal_errors_total") == 0
        failing.fails = True
        up.upload(make_clip(tmp_path / "two.mp4", 1001), post())
        told = scraped(registry)
        assert value(told, "journal_errors_total", operation="save") >= 1
        up.close()
        assert sum(count for count, _ in journal.counts().values()) == 2


def test_a_run_that_finds_its_upload_held_is_a_conflict(
    registry: CollectorRegistry, make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Once for each run that came too late, whichever way it came; the one that drives is none."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("put", delay=60))
    settings = {
        "metrics": True,
        "registry": registry,
        "journal": tmp_path / "uploads.db",
        "credentials": lambda transport, account: sandbox.access_token,
    }
    first, second = make_uploader(**settings), make_uploader(**settings)
    handle = first.submit(clip, post())
    sandbox.wait_for(lambda: len(sandbox.requests) == 2)

    def conflicts() -> float:
        return value(scraped(registry), "lease_conflicts_total")

    assert conflicts() == 0
    with pytest.raises(LeaseHeldError):
        second.submit(clip, post())
    assert conflicts() == 1
    with pytest.raises(LeaseHeldError):
        second.resume(handle.upload_id)
    assert conflicts() == 2
    sandbox.clock.advance(60)
    handle.result(10).raise_for_outcome()
    assert second.upload(clip, post()).upload_id == handle.upload_id
    assert conflicts() == 2
    assert total(scraped(registry), "journal_errors_total") == 0
