"""Eight processes, one account, refresh tokens that work once."""

import json
import subprocess
import sys
from pathlib import Path

from tests.accounts.refreshers import COUNT
from tests.accounts.scene import kept, order
from transports.tiktok.sandbox import Sandbox
from uploader.accounts import FileTokenStore


def run(sandbox: Sandbox, store: FileTokenStore, film: Path) -> list[list[object]]:
    """Let the processes upload and return how each upload ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.accounts.refreshers"],
        input=order(sandbox, store, film),
        stdout=subprocess.PIPE,
        timeout=50,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_expired_token_is_refreshed_once(
    sandbox: Sandbox, file_store: FileTokenStore, film: Path
) -> None:
    """All see that it has expired; one refreshes, and nobody is ever answered 401."""
    kept(file_store, sandbox.oauth.consent("acme"), sandbox.clock.now() - 7200)

    ended = run(sandbox, file_store, film)

    assert ended == [["done", None]] * COUNT
    assert sandbox.oauth.refreshes == ["acme"]
    assert {record.status for record in sandbox.requests} == {200, 201}
    for path in file_store.path.parent.rglob("accounts*"):
        content = path.read_bytes() if path.is_file() else b""
        assert b"act.sandbox" not in content
        assert b"rft.sandbox" not in content


def test_a_token_that_only_the_server_calls_dead_is_refreshed_once(
    sandbox: Sandbox, file_store: FileTokenStore, film: Path
) -> None:
    """Each may be answered 401 once; one refreshes, and what follows is answered."""
    kept(file_store, sandbox.oauth.consent("acme"), sandbox.clock.now())
    sandbox.clock.advance(7200)

    ended = run(sandbox, file_store, film)

    assert ended == [["done", None]] * COUNT
    assert sandbox.oauth.refreshes == ["acme"]
    refused = [record for record in sandbox.requests if record.status == 401]
    assert 1 <= len(refused) <= COUNT
    assert len(sandbox.posts) == COUNT
