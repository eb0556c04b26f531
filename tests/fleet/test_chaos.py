"""A fleet at its worst: nothing is lost, nothing is posted twice, no account is asked too often."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fleet import brokers
from tests.fleet.brokers import needs_rabbitmq
from tests.fleet.chaos import Chaos
from tests.fleet.conftest import MakeFleet
from transports.tiktok.sandbox import book

COUNT = 500
ACCOUNTS = 20
SECONDS = 75.0
"""In which everything is published and all the trouble comes."""
SETTLED = 130.0
"""In which all has ended after it: what failed is tried again after 30 and 60 seconds."""
WINDOW = 2.0
"""TikTok's minute, so that 25 posts of an account need no four minutes."""


@pytest.mark.slow
@pytest.mark.timeout(300)
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
    rates = ("video_init=6", "creator_info=20", "status=30")
    monkeypatch.setenv(
        "UPLOADER_RATES",
        ",".join([*(f"tiktok.{rate}/{WINDOW:g}" for rate in rates), "tiktok.posts_a_day=off"]),
    )
    (limits_folder := tmp_path / "limits").mkdir()
    with brokers.redis(limits_folder) as limits:
        fleet = make_fleet(
            {"rate_limits": True, "processing_seconds": 1.0},
            accounts=ACCOUNTS,
            install={"seconds": 2.0, "overtime": 8.0, "grace": 3.0, "margin": 5.0,
                     "sweep_every": 3.0, "watch_every": 2.0},
            conf={"broker_transport_options": {"visibility_timeout": 25}},
            more={"limits": limits},
        )  # fmt: skip
        chaos = Chaos(fleet, (own_redis, rabbitmq))
        began = time.monotonic()
        chaos.begin(each=2)
        chaos.run(COUNT, SECONDS, ACCOUNTS)
        chaos.settle(SETTLED)
        took = time.monotonic() - began
        codes = chaos.end()
        chaos.resolve()
        chaos.check()
    with capsys.disabled():
        print(f"\n{took:.0f} s: {dict(chaos.done)}")  # noqa: T201
        print(f"requests refused as too many: {fleet.sandbox.limited}")  # noqa: T201
    assert set(codes) == {0}
    assert sum(fleet.sandbox.limited.values()) == 0
