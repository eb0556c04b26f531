"""The brokers of these tests end with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.brokers import says, until
from tests.fleet.fleet import ROOT

SERVES = """
import pathlib, sys
from tests.fleet import brokers
with brokers.redis(pathlib.Path(sys.argv[1])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_a_broker_ends_with_a_run_that_was_killed(tmp_path: Path) -> None:
    """No run leaves a server behind, not even one that could not tidy up."""
    run = subprocess.Popen(
        [sys.executable, "-c", SERVES, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stdout is not None
        port = int(run.stdout.readline().rpartition(":")[2].partition("/")[0])
        assert says(port, b"PING\r\n", b"+PONG")
        run.kill()
    until(lambda: not says(port, b"PING\r\n", b"+PONG"), 10, "redis has ended")
