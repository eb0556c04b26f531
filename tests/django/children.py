"""Processes beside the test's own, on the same database.

Run as a program it does what its first argument says, tells of it in a line, and waits to be ended.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

KEY = "DkzPv0kXWcnZ0pbWzGUhNqSPW6cUHVJS4uzyqZOr_aE="


@contextmanager
def child(
    database: Mapping[str, str], verb: str, *words: str, **environment: str
) -> Iterator["subprocess.Popen[str]"]:
    """Start one; its lines are read from `stdout`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.django.children", verb, *words],
        env={
            **os.environ,
            **environment,
            "DJANGO_SETTINGS_MODULE": "tests.django.settings",
            "TEST_DATABASE": json.dumps(database),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: "subprocess.Popen[str]") -> Any:
    """Return the next thing that a child says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the child ended with {process.wait()}"
    return json.loads(line)


def _say(word: Any) -> None:
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()


def _claim(identity: str) -> None:
    from uploader.contrib.django import DjangoJournal
    from uploader.journal import Entry
    from uploader.model import Plan

    journal = DjangoJournal(keys=[KEY])
    entry = Entry(
        upload_id=identity, identity=identity, transport="tiktok", account="a", plan=Plan(9, 9, 1)
    )
    claim = journal.claim(entry, 3600.0)
    _say(claim.fresh)
    sys.stdin.read()


def _hold(account: str) -> None:
    from uploader.contrib.django import DjangoTokenStore

    with DjangoTokenStore(keys=[KEY]).lease("tiktok", account, 5.0):
        _say("held")
        sys.stdin.read()


def _fork() -> None:
    """Claim, fork, let the child claim something else and end, and go on."""
    from uploader.contrib.django import DjangoJournal
    from uploader.errors import LeaseLostError
    from uploader.journal import Entry
    from uploader.model import Plan

    journal = DjangoJournal(keys=[KEY])

    def entry(name: str) -> Entry:
        return Entry(
            upload_id=name, identity=name, transport="tiktok", account="a", plan=Plan(9, 9, 1)
        )

    lease = journal.claim(entry("parents"), 60.0).lease
    assert lease is not None
    pid = os.fork()
    if not pid:
        assert journal.claim(entry("childs"), 60.0).fresh
        try:
            journal.save(lease, {"confirmed": 1})
        except LeaseLostError:
            journal.close()
            sys.exit(0)
        os._exit(3)
    _, status = os.waitpid(pid, 0)
    journal.save(lease, {"confirmed": 1})
    found = {name: journal.get(name) for name in ("parents", "childs")}
    _say(
        {
            "status": os.waitstatus_to_exitcode(status),
            "confirmed": {name: each.confirmed for name, each in found.items() if each},
            "held": [name for name, each in found.items() if each and each.holder],
        }
    )


def _send(upload_id: str, token: str) -> None:
    """Go on with a recorded upload."""
    from uploader.contrib.django import get_uploader

    uploader = get_uploader()
    uploader._credentials = lambda transport, account: token
    _say(uploader.resume(upload_id).to_dict())


if __name__ == "__main__":
    import django

    django.setup()
    verbs: dict[str, Callable[..., None]] = {
        "claim": _claim,
        "hold": _hold,
        "fork": _fork,
        "send": _send,
    }
    verbs[sys.argv[1]](*sys.argv[2:])
