"""The page on other queues tells what works: Dramatiq runs its code, on a real Redis."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.brokers import until
from tests.fleet.conftest import MakeFleet
from tests.fleet.fleet import ROOT
from transports.tiktok.sandbox import Fault
from uploader.journal import State

PAGE = ROOT / "docs" / "queues.md"


def code() -> str:
    """Return the page's code for Dramatiq, with tokens from a file and short shifts."""
    found = re.search(r"## Dramatiq.*?```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    source = found[1]
    for old, new in (
        ("SECONDS = 300.0", "SECONDS = 0.5"),
        (
            "from uploader.contrib.surroundings import stored_credential",
            "from tests.fleet.scene import token as stored_credential",
        ),
    ):
        assert source.count(old) == 1
        source = source.replace(old, new)
    return source


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_the_example_for_dramatiq_publishes(
    make_fleet: MakeFleet, own_redis: str, tmp_path: Path
) -> None:
    """Shifts follow each other; a stopped worker hands over; the tick finds what has no message."""
    fleet = make_fleet()
    films = [fleet.film(4), fleet.film()]
    ids = [fleet.enqueue(film) for film in films]
    fleet.sandbox.script(Fault("put", slow=5_000_000, times=5))
    (tmp_path / "shop_uploads.py").write_text(code())
    environment = {
        **os.environ,
        "BROKER": own_redis,
        "UPLOADER_JOURNAL": str(tmp_path / "uploads.db"),
        "FLEET": json.dumps(fleet.told(own_redis)),
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
    }
    log = tmp_path / "dramatiq.log"

    def worker() -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "dramatiq", "shop_uploads", "--processes=1", "--threads=2"],
                cwd=tmp_path, env=environment, stdout=out, stderr=out,
            )  # fmt: skip

    def say(statement: str) -> None:
        subprocess.run(
            [sys.executable, "-c", f"import shop_uploads as shop; {statement}"],
            cwd=tmp_path, env=environment, check=True,
        )  # fmt: skip

    say(f"shop.publish.send({ids[0]!r})")
    running = worker()
    try:
        fleet.sandbox.wait_for(lambda: fleet.sandbox.uploads[0].chunks[1].received, 60)
        running.send_signal(signal.SIGTERM)
        assert running.wait(40) == 0
        assert fleet.entry(ids[0]).holder is None
        assert fleet.entry(ids[0]).state is State.SENDING
        running = worker()
        say("shop.tick.send()")
        until(
            lambda: all(fleet.entry(each).state is State.PROCESSING for each in ids), 40,
            "both are sent",
        )  # fmt: skip
        say("shop.tick.send()")
        until(lambda: all(map(fleet.is_done, ids)), 30, "both are published")
    finally:
        running.terminate()
        running.wait(40)
    for film in films:
        fleet.check_posted_once(film)
    fleet.check_nothing_left()
