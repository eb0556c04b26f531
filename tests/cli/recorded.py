"""Uploads in the journal of the command, and looks at them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import (
    publishing,
    run,
)
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.journal import State
from uploader.journals import SqliteJournal

Capture = pytest.CaptureFixture[str]


def uploads(capsys: Capture, *options: object) -> list[dict[str, Any]]:
    """Return what `list` shows."""
    ended = run(capsys, "list", "--json", *options)
    assert (ended.code, ended.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(ended.out)["uploads"]
    return found


def suspended(sandbox: Sandbox, file: Path, capsys: Capture) -> str:
    """Leave an upload of three parts behind that is suspended after the first."""
    sandbox.script(Fault("put", nth=2, status=503, times=3))
    ended = run(capsys, *publishing(sandbox, file), "--chunk-size", "6MB")
    assert ended.code == 4
    (upload_id,) = re.findall(r"go on with: \S*uploader resume ([0-9a-f]{16})", ended.err)
    return str(upload_id)


def put_state(path: Path, upload_id: str, state: State) -> None:
    """Write a state into the journal."""
    journal = SqliteJournal(path)
    _, lease = journal.take(upload_id, 60)
    journal.save(lease, {"state": state})
    journal.close()
