"""Later, or again: enqueue, resume, resolve."""

import re
from pathlib import Path

import pytest

from tests.cli.command import (
    ACCOUNT,
    PRIVATE,
    VARIABLE,
    publishing,
    run,
    video,
)
from tests.cli.interrupting import run_until
from tests.cli.recorded import Capture, put_state, suspended, uploads
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.journal import State


def test_a_time_limit_ends_between_two_parts(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture
) -> None:
    """Exit code 4 and a line that is no error; a resume finishes it."""
    file = video(tmp_path, 20_000_000)

    ended = run(capsys, *publishing(sandbox, file), "--chunk-size", "6MB", "--time-limit", "0")

    assert (ended.code, ended.complaints, sandbox.posts) == (4, [], [])
    assert "clip.mp4: suspended: the time limit was reached (go on with: " in ended.err
    assert run(capsys, "resume", "--all").code == 0
    sandbox.assert_posted_once(file)


def test_enqueued_uploads_wait_for_a_resume(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent and no token is needed, until `resume --all` takes up what is due."""
    now, later = video(tmp_path, name="a.mp4"), video(tmp_path, 40_000, name="b.mp4")
    to = ("--base-url", sandbox.base_url, *PRIVATE, *ACCOUNT)
    monkeypatch.delenv(VARIABLE)

    queued = run(capsys, "enqueue", now, *to)
    waits = run(capsys, "enqueue", later, *to, "--not-before", "+2h", "--not-after", "+3h")

    assert (queued.code, waits.code, sandbox.requests) == (0, 0, [])
    assert re.fullmatch(r"a\.mp4: queued as [0-9a-f]{16}\n", queued.out)
    assert "not before" in waits.out
    assert run(capsys, "resume", "--all").code == 2

    monkeypatch.setenv(VARIABLE, sandbox.access_token)
    assert run(capsys, "resume", "--all").code == 0

    sandbox.assert_posted_once(now)
    assert len(sandbox.posts) == 1
    assert [entry["state"] for entry in uploads(capsys)] == ["done", "queued"]
    (waiting,) = uploads(capsys, "--state", "queued")
    assert "It waits for" in run(capsys, "show", waiting["upload_id"]).out
    assert "it is due in" in run(capsys, "resume", waiting["upload_id"]).err
    assert "recorded before, done" in run(capsys, "enqueue", now, *to).out


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (["--not-before", "soon"], "'soon' is no time"),
        (["--not-after", "2020-01-01"], "leaves no time"),
        (["--not-before", "+3h", "--not-after", "+2h"], "leaves no time"),
    ],
)
def test_times_that_cannot_be(times: list[str], said: str, clip: Path, capsys: Capture) -> None:
    """They are refused before anything is recorded."""
    ended = run(capsys, "enqueue", clip, *PRIVATE, *ACCOUNT, *times)

    assert ended.code == 2
    assert said in ended.complaints[0]
    assert uploads(capsys) == []


def test_one_token_serves_one_account(sandbox: Sandbox, tmp_path: Path, capsys: Capture) -> None:
    """The video of one account never goes out with another's token."""
    to = ("--base-url", sandbox.base_url, *PRIVATE)
    for name in ("acme", "beta"):
        file = video(tmp_path, name=f"{name}.mp4")
        assert run(capsys, "enqueue", file, *to, "--account", name).code == 0

    refused = run(capsys, "resume", "--all")
    one = run(capsys, "resume", "--all", "--account", "beta")

    assert (refused.code, one.code) == (2, 0)
    assert "these uploads are of 2 accounts, and a token is one's: acme, beta" in refused.err
    assert [entry["state"] for entry in uploads(capsys)] == ["done", "queued"]


def test_resolve_asks_and_sends_nothing(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture, journal_path: Path
) -> None:
    """An unknown upload is looked up; what is not there can go on."""
    file = video(tmp_path, 20_000_000)
    upload_id = suspended(sandbox, file, capsys)
    put_state(journal_path, upload_id, State.UNKNOWN)
    puts = sum(request.operation == "put" for request in sandbox.requests)

    ended = run(capsys, "resolve", upload_id)

    assert ended.code == 4
    assert "clip.mp4: suspended: nothing is posted yet (go on with: " in ended.err
    assert sum(request.operation == "put" for request in sandbox.requests) == puts
    assert run(capsys, "resume", upload_id).code == 0
    assert run(capsys, "resolve", upload_id).code == 0
    sandbox.assert_posted_once(file)


def test_a_named_journal_is_in_the_advice(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the line says can be pasted."""
    path = tmp_path / "with space.db"
    sandbox.script(Fault("put", slow=200_000))
    arguments = (*publishing(sandbox, video(tmp_path, 20_000_000)), "--journal", path)

    ended = run_until(
        lambda: sandbox.wait_for(
            lambda: sandbox.uploads and any(c.received for c in sandbox.uploads[0].chunks), 20
        ),
        capsys, monkeypatch, *arguments,
    )  # fmt: skip

    assert ended.code == 130
    assert re.search(rf"resume [0-9a-f]{{16}} --journal '{path}'", ended.err)
