"""A fleet at its worst: nothing is lost, nothing is posted twice, no account is asked too often."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.django.postgres import program
from tests.fleet import brokers
from tests.fleet.brokers import needs_rabbitmq
from tests.fleet.chaos import ACCOUNTS, CONF, INSTALL, RATES, SANDBOX, WINDOW, play
from tests.fleet.conftest import MakeFleet
from tests.fleet.fleet import ROOT
from transports.tiktok.sandbox import book

needs_postgres = pytest.mark.skipif(
    program("initdb") is None, reason="no PostgreSQL: apt-get install postgresql"
)


@pytest.mark.slow
@pytest.mark.timeout(330)
@needs_rabbitmq
def test_chaos_fleet(
    make_fleet: MakeFleet,
    rabbitmq: str,
    own_redis: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """500 uploads of 20 accounts, 4 workers on 2 brokers: killed, stopped, emptied, duplicated."""
    monkeypatch.setattr(book, "WINDOW_SECONDS", WINDOW)
    monkeypatch.setenv("UPLOADER_RATES", RATES)
    (limits_folder := tmp_path / "limits").mkdir()
    with brokers.redis(limits_folder) as limits:
        fleet = make_fleet(
            SANDBOX, accounts=ACCOUNTS, install=INSTALL, conf=CONF, more={"limits": limits}
        )
        done = play(fleet, (own_redis, rabbitmq), 500, 75.0).done
    with capsys.disabled():
        print(f"\n{dict(done)}")  # noqa: T201


@pytest.mark.slow
@pytest.mark.timeout(330)
@needs_rabbitmq
@needs_postgres
def test_chaos_fleet_with_a_journal_in_postgresql(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same with 150 uploads and the journal of a Django project, which several machines share.

    Here no kernel tells that a holder is dead: its lease lapses.
    """
    played = subprocess.run(
        [sys.executable, "-m", "tests.fleet.django_chaos", str(tmp_path), "150", "30"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert played.returncode == 0, played.stdout
    with capsys.disabled():
        print(f"\n{played.stdout}")  # noqa: T201
