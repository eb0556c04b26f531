"""Which uploader a worker's process gets: the one named, Django's, or that of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.fleet.conftest import MakeFleet
from transports.tiktok.sandbox import Fault
from uploader import Uploader
from uploader.accounts import FileTokenStore
from uploader.contrib import shifts
from uploader.contrib.celery import current_uploader, install, process
from uploader.contrib.surroundings import stored_credential, uploader_of_environment
from uploader.errors import AccountError, ConfigurationError
from uploader.http import Request
from uploader.secret import Secret
from uploader.tokens import AccountTokens


def test_the_environment_names_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it nothing is invented: a worker on a journal of its own would find nothing."""
    with pytest.raises(ConfigurationError, match="UPLOADER_JOURNAL is not set"):
        uploader_of_environment()
    monkeypatch.setenv("UPLOADER_JOURNAL", str(tmp_path / "uploads.db"))
    with uploader_of_environment() as made:
        assert made.journal.latest() == []
    assert (tmp_path / "uploads.db").exists()


def test_tokens_are_those_of_accounts_that_have_logged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has not suspends its uploads, with a word on how to mend it."""
    path = tmp_path / "accounts.db"
    monkeypatch.setenv("UPLOADER_ACCOUNTS", str(path))
    monkeypatch.setenv("TIKTOK_CLIENT_KEY", "a-key")
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", "a-secret")
    tokens = AccountTokens(transport="tiktok", account="acme", access_token=Secret("act.acme"))
    FileTokenStore(path).save(tokens)

    given: Any = stored_credential("tiktok", "acme")
    signed = given.sign(Request("status", "GET", "https://example.org/"))
    assert signed["Authorization"] == Secret("Bearer act.acme")
    with pytest.raises(AccountError, match="'bob' of tiktok has not logged in"):
        stored_credential("tiktok", "bob")


def test_a_process_has_one_uploader_made_when_it_is_needed(tmp_path: Path) -> None:
    """Not when the application is made: that is before the fork."""
    made: list[Uploader] = []

    def make() -> Uploader:
        made.append(Uploader(journal=tmp_path / "uploads.db", metrics=False))
        return made[-1]

    app = Celery("shop")
    install(app, uploader=make)
    app.set_current()
    assert made == []
    assert current_uploader() is current_uploader() is made[0]
    process._leave()
    with pytest.raises(Exception, match="the uploader is closed"):
        _ = made[0].journal
    assert current_uploader() is made[1]
    process._leave()


def test_a_watch_begins_nothing_once_the_next_one_is_due(make_fleet: MakeFleet) -> None:
    """Slow answers would have one watch after another occupy every process of a fleet."""
    fleet = make_fleet({"processing_seconds": 1e9})
    for _ in range(12):
        shifts.run_shift(fleet.uploader, fleet.enqueue(fleet.film(0.001)))
    fleet.sandbox.script(Fault("status", delay=0.5, times=12))
    app = Celery("shop")
    install(app, uploader=lambda: fleet.uploader, watch_every=0.4)
    app.set_current()
    try:
        assert 0 < app.tasks["uploader.watch"]() <= 8
    finally:
        process._leave()
