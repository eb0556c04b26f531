"""What a whole fleet is told: pause, unpause, retry."""

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import environment, publishing, run, start, video
from tests.cli.recorded import Capture, suspended, uploads
from transports.tiktok.sandbox import Sandbox
from uploader.journal import State
from uploader.journals import SqliteJournal

RULE = "invalid_params"


def document(capsys: Capture, *words: object) -> dict[str, Any]:
    """Return what a command says as JSON."""
    found: dict[str, Any] = json.loads(run(capsys, *words, "--json").out)
    return found


def failed(sandbox: Sandbox, clip: Path, capsys: Capture, code: str = RULE) -> str:
    """Let a post be refused; return the upload's id."""
    sandbox.change_rule(code)
    assert run(capsys, *publishing(sandbox, clip)).code == 1
    sandbox.change_rule(None)
    entry = next(each for each in uploads(capsys) if each["state"] == "failed")
    return str(entry["upload_id"])


def test_a_pause_holds_and_is_told(
    sandbox: Sandbox, clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    """By whom, why and since when: in the refusal, in the list and beside the upload."""
    half = suspended(sandbox, video(tmp_path, 20_000_000, "half.mp4"), capsys)
    why = ("--reason", "a rule was changed")
    said = run(capsys, "pause", "--transport", "tiktok", "--for", "2h", *why)
    assert said.code == 0
    assert "uploads to tiktok are paused since" in said.out

    refused = run(capsys, *publishing(sandbox, clip))

    assert refused.code == 4
    assert "a rule was changed" in refused.out + refused.err
    assert len(sandbox.uploads) == 1
    assert "a rule was changed" in run(capsys, "list").err
    assert "a rule was changed" in run(capsys, "show", half).out
    (pause,) = document(capsys, "list")["pauses"]
    assert (pause["transport"], pause["account"], pause["trial"]) == ("tiktok", None, None)
    assert pause["by"]
    assert document(capsys, "show", half)["pauses"] == [pause]
    assert document(capsys, "resume", "--all")["results"] == []

    lifted = run(capsys, "unpause", "--transport", "tiktok")
    assert (lifted.code, "lifted: 1" in lifted.out) == (0, True)
    assert run(capsys, "resume", "--all").code == 0
    assert len(sandbox.posts) == 2


def test_lifting_what_is_not_paused_says_what_is(
    sandbox: Sandbox, clip: Path, capsys: Capture
) -> None:
    """The pause of an account is not that of its transport; `--all` lifts every one."""
    assert run(capsys, *publishing(sandbox, clip)).code == 0
    run(capsys, "pause", "--transport", "tiktok", "--account", "acme")
    run(capsys, "pause")

    missed = run(capsys, "unpause", "--transport", "tiktok")

    assert missed.code == 1
    assert "there are no pauses of uploads to tiktok" in missed.err
    assert "of the account acme" in missed.err
    assert run(capsys, "unpause", "--all", "--account", "acme").code == 2
    answer = document(capsys, "unpause", "--all")
    assert (answer["lifted"], answer["pauses"]) == (2, [])


@pytest.mark.parametrize(
    "words", [("--transport", "tictoc"), ("--for", "soon"), ("--for", "0s"), ("--journal", "none")]
)
def test_a_pause_that_would_hold_nothing_is_refused(
    sandbox: Sandbox, clip: Path, capsys: Capture, words: tuple[str, str]
) -> None:
    """A name that nobody knows, a time that is none, a journal that is not there."""
    assert run(capsys, *publishing(sandbox, clip)).code == 0

    assert run(capsys, "pause", *words).code == 2
    assert document(capsys, "list")["pauses"] == []


@pytest.mark.slow
def test_another_process_obeys(sandbox: Sandbox, tmp_path: Path, journal_path: Path) -> None:
    """One command uploads slowly, another one pauses; the first ends at its next part."""
    clip, slowly = video(tmp_path, 40_000_000), ("--chunk-size", "6MB", "--bandwidth", "6MB")
    slow = start(*publishing(sandbox, clip), *slowly, env=environment(sandbox, COLUMNS="200"))
    sandbox.wait_for(lambda: any(each.operation == "put" for each in sandbox.requests), 20)

    pause = start("pause", "--reason", "stop it", env=environment())
    assert pause.wait(20) == 0
    out, err = slow.communicate(timeout=20)

    assert slow.returncode == 4, (out, err)
    assert "stop it" in out + err
    with closing(SqliteJournal(journal_path)) as journal:
        (entry,) = journal.latest()
        assert entry.state is State.SENDING
        assert 0 < entry.confirmed < entry.plan.count
        assert entry.holder is None


def test_what_failed_is_sent_again_and_stays_on_record(
    sandbox: Sandbox, clip: Path, capsys: Capture
) -> None:
    """One post, two entries: the new one names the one that failed."""
    lost = failed(sandbox, clip, capsys)
    asked = ("retry", "--failed", "--since", "1h", "--error", RULE)

    (meant,) = document(capsys, *asked, "--dry-run")["retries"]
    assert (meant["failed"], meant["upload_id"], meant["error"]) == (lost, None, RULE)
    assert len(uploads(capsys)) == 1
    done = run(capsys, *asked, "--yes")
    assert done.code == 0
    assert "resume --all" in done.err
    assert run(capsys, "resume", "--all").code == 0

    new, old = uploads(capsys)
    assert (old["upload_id"], old["state"], new["state"]) == (lost, "failed", "done")
    assert new["fields"]["retry_of"] == lost
    assert len(sandbox.posts) == 1
    again = document(capsys, *asked, "--yes")
    assert (again["exit_code"], again["retries"]) == (0, [])
    assert len(uploads(capsys)) == 2


def test_nobody_is_asked_where_nobody_is(sandbox: Sandbox, clip: Path, capsys: Capture) -> None:
    """A script says --yes; without it nothing is recorded, and the number is told."""
    failed(sandbox, clip, capsys)

    refused = run(capsys, "retry", "--failed")

    assert refused.code == 2
    assert "1 upload would be sent again" in refused.err
    assert run(capsys, "retry", "--yes").code == 2
    assert len(uploads(capsys)) == 1


def test_only_what_is_meant_is_sent_again(
    sandbox: Sandbox, clip: Path, capsys: Capture, journal_path: Path
) -> None:
    """By code, account, transport and time; what is unknown or done never is."""
    failed(sandbox, clip, capsys, "spam_risk_too_many_posts")
    later = f"{time.gmtime().tm_year + 1}-01-01"
    for words in (
        ("--error", RULE),
        ("--account", "other"),
        ("--transport", "s3"),
        ("--since", later),
    ):
        found = document(capsys, "retry", "--failed", "--yes", *words)
        assert (found["exit_code"], found["retries"]) == (0, [])
    with closing(SqliteJournal(journal_path)) as journal:
        for state in (State.UNKNOWN, State.DONE, State.CANCELLED):
            entry, lease = journal.take(journal.latest(1)[0].upload_id, 30.0)
            journal.save(lease, {"state": state})
            journal.release(lease)
            assert document(capsys, "retry", "--failed", "--yes")["retries"] == []
            assert len(journal.latest()) == 1
            assert entry.upload_id


def test_what_cannot_be_sent_again_says_why(
    sandbox: Sandbox, clip: Path, tmp_path: Path, capsys: Capture, journal_path: Path
) -> None:
    """The others are sent again all the same; the exit code tells that some are not."""
    failed(sandbox, clip, capsys)
    with closing(SqliteJournal(journal_path)) as journal:
        entry, lease = journal.take(journal.latest(1)[0].upload_id, 30.0)
        journal.save(lease, {"source": None})
        journal.release(lease)
    failed(sandbox, video(tmp_path, 20_000_000, "other.mp4"), capsys)

    found = document(capsys, "retry", "--failed", "--yes")

    assert found["exit_code"] == 1
    assert sum(each["upload_id"] is not None for each in found["retries"]) == 1
    (left,) = (each for each in found["retries"] if each["why_not"])
    assert (left["failed"], "no path" in left["why_not"]) == (entry.upload_id, True)
