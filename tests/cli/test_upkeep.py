"""What the journal shows, and what it lets go of."""

from datetime import UTC, datetime, timedelta
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
from tests.cli.recorded import Capture, suspended, uploads
from transports.tiktok.sandbox import Sandbox
from uploader.cli.journals import find
from uploader.errors import ConfigurationError, JournalError
from uploader.journal import Entry
from uploader.journals import MemoryJournal
from uploader.model import Plan


def test_a_listing_for_people(sandbox: Sandbox, tmp_path: Path, capsys: Capture) -> None:
    """The latest first, with state, progress and post; by state and number on request."""
    suspended(sandbox, video(tmp_path, 20_000_000, "half.mp4"), capsys)
    assert run(capsys, *publishing(sandbox, video(tmp_path, name="whole.mp4"))).code == 0

    shown = run(capsys, "list")

    rows = [line for line in shown.out.splitlines() if ".mp4" in line]
    assert shown.code == 0
    assert "done" in rows[0]
    assert sandbox.posts[0].publish_id in rows[0]
    assert "sending" in rows[1]
    assert "6.67 MB of 20 MB" in rows[1]
    assert [entry["name"] for entry in uploads(capsys, "--limit", 1)] == ["whole.mp4"]
    assert [entry["name"] for entry in uploads(capsys, "--state", "sending")] == ["half.mp4"]


def test_what_the_journal_shows_is_no_secret(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture, journal_path: Path
) -> None:
    """Neither `list` nor `show` nor the file itself has the upload URL or the token."""
    upload_id = suspended(sandbox, video(tmp_path, 20_000_000), capsys)

    written = "".join(
        run(capsys, *words).out
        for shown in (["list"], ["show", upload_id])
        for words in (shown, [*shown, "--json"])
    )

    content = b"".join(
        path.read_bytes() for path in journal_path.parent.glob("uploads.db*") if path.is_file()
    )
    for secret in (sandbox.access_token, sandbox.uploads[0].url.rpartition("=")[2]):
        assert secret not in written
        assert secret.encode() not in content


def test_forgetting_what_prevents_a_second_post_wants_a_yes(
    sandbox: Sandbox, clip: Path, capsys: Capture
) -> None:
    """Without --yes nothing is forgotten; with it the same command posts again."""
    assert run(capsys, *publishing(sandbox, clip)).code == 0
    (entry,) = uploads(capsys)

    refused = run(capsys, "forget", entry["upload_id"])
    assert refused.code == 2
    assert "is posted: once forgotten, the same file would be posted a second time" in refused.err
    assert len(uploads(capsys)) == 1

    assert run(capsys, "forget", entry["upload_id"], "--yes").code == 0
    assert uploads(capsys) == []


def test_prune_keeps_what_prevents_a_second_post(
    sandbox: Sandbox, clip: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure goes, a post stays known, also by `show`, `resume` and a repeated call."""
    assert run(capsys, *publishing(sandbox, clip)).code == 0
    monkeypatch.setenv(VARIABLE, "act.wrong")
    assert run(capsys, *publishing(sandbox, video(tmp_path, 40_000, "bad.mp4"))).code == 1
    monkeypatch.setenv(VARIABLE, sandbox.access_token)
    assert run(capsys, "prune", "--older-than", "1d").code == 0
    assert len(uploads(capsys)) == 2

    pruned = run(capsys, "prune", "--older-than", "0s")

    assert (pruned.code, pruned.out.split()[:2]) == (0, ["pruned:", "2"])
    (entry,) = uploads(capsys)
    assert run(capsys, "show", entry["upload_id"]).code == 0
    assert run(capsys, "resume", entry["upload_id"]).code == 0
    assert "already posted" in run(capsys, *publishing(sandbox, clip)).err
    sandbox.assert_posted_once(clip)


def test_a_restored_journal_sends_nothing_by_itself(
    sandbox: Sandbox, clip: Path, capsys: Capture
) -> None:
    """What may have gone on since the backup is unknown: no request, exit code 3."""
    to = ("--base-url", sandbox.base_url, *PRIVATE, *ACCOUNT)
    assert run(capsys, "enqueue", clip, *to).code == 0
    backup = datetime.now(UTC) - timedelta(minutes=5)

    ended = run(capsys, "journal", "restored", "--since", backup.isoformat())

    assert ended.code == 0
    assert ended.out.startswith("unknown now, for they may have gone on since ")
    assert run(capsys, "resume", "--all").code == 3
    assert run(capsys, *publishing(sandbox, clip)).code == 3
    assert sandbox.requests == []
    (entry,) = uploads(capsys)
    assert "restored from a backup" in run(capsys, "show", entry["upload_id"]).out
    future = run(capsys, "journal", "restored", "--since", "+1h")
    assert future.code == 2


@pytest.mark.parametrize("verb", ["show", "resume", "forget", "resolve"])
def test_an_upload_that_is_not_there(verb: str, clip: Path, capsys: Capture) -> None:
    """One line that says where to look, exit code 2."""
    nowhere = run(capsys, verb, "abc")
    assert run(capsys, "enqueue", clip, *PRIVATE, *ACCOUNT).code == 0
    missing = run(capsys, verb, "zz")

    assert (nowhere.code, missing.code) == (2, 2)
    assert "there is no journal at" in nowhere.complaints[0]
    assert "the journal has no upload zz (" in missing.complaints[0]


def test_an_id_that_may_be_several_is_refused_with_all_of_them() -> None:
    """The beginning of an id is enough while it means one upload."""
    journal = MemoryJournal()
    for upload_id in ("a1b2", "a1c3", "b1"):
        journal.add(
            Entry(
                upload_id=upload_id,
                identity=upload_id,
                transport="tiktok",
                account=None,
                plan=Plan(1, 1, 1),
            )
        )

    assert find(journal, "b").upload_id == "b1"
    assert find(journal, "a1b").upload_id == "a1b2"
    with pytest.raises(ConfigurationError, match="a1 may be any of a1b2, a1c3"):
        find(journal, "a1")
    with pytest.raises(JournalError, match="has no upload"):
        find(journal, "")
