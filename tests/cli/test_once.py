"""Never twice: what is done is told, what others drive is left to them, what was begun goes on."""

import json
import signal
from pathlib import Path

from tests.cli.command import (
    PRIVATE,
    environment,
    finish,
    publishing,
    run,
    start,
    video,
)
from tests.cli.recorded import Capture, suspended, uploads
from transports.tiktok.sandbox import Fault, Sandbox


def test_a_kill_in_the_middle(sandbox: Sandbox, tmp_path: Path, capsys: Capture) -> None:
    """While one drives it the other says who does; after kill -9 it goes on; then it is done.

    The bytes are equal, and there is one post in all.
    """
    file = video(tmp_path, 20_000_000)
    sandbox.script(Fault("put", nth=2, slow=200_000))
    arguments = (*publishing(sandbox, file), "--chunk-size", "6MB")
    process = start(*arguments, env=environment(sandbox))
    sandbox.wait_for(lambda: sandbox.uploads and len(sandbox.uploads[0].chunks) == 2, 20)

    elsewhere = run(capsys, *arguments)

    assert (elsewhere.code, len(sandbox.uploads)) == (4, 1)
    assert f"is being driven by {uploads(capsys)[0]['holder']}" in elsewhere.complaints[0]
    assert f"process {process.pid}" in elsewhere.complaints[0]
    upload_id = uploads(capsys)[0]["upload_id"]
    assert "It is being driven now" in run(capsys, "show", upload_id).out
    assert run(capsys, "forget", upload_id, "--yes").code == 4

    process.send_signal(signal.SIGKILL)
    finish(process)
    resumed = run(capsys, "resume", upload_id[:5], "--json")

    result = json.loads(resumed.out)["results"][0]
    assert (resumed.code, result["outcome"]) == (0, "done")
    assert result["resumed_from"] == 6_666_666
    post = sandbox.assert_posted_once(file)

    asked = len(sandbox.requests)
    again = run(capsys, *arguments)

    assert (again.code, len(sandbox.requests)) == (0, asked)
    assert f"clip.mp4: already posted as {post.publish_id} on 20" in again.err
    assert "use --again to post anew" in again.err
    assert run(capsys, *arguments, "--again").code == 0
    assert len(sandbox.posts) == 2


def test_what_was_done_is_told_to_machines(sandbox: Sandbox, clip: Path, capsys: Capture) -> None:
    """`recorded` tells a result of the journal from a new one."""
    first, second = (
        json.loads(run(capsys, *publishing(sandbox, clip), "--json").out)["results"][0]
        for _ in range(2)
    )

    assert (first["recorded"], second["recorded"]) == (False, True)
    assert first["upload_id"] == second["upload_id"]
    sandbox.assert_posted_once(clip)


def test_an_interrupted_upload_goes_on_where_it_was(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture
) -> None:
    """The same command again says from where it goes on, and sends no confirmed part again."""
    file = video(tmp_path, 20_000_000)
    upload_id = suspended(sandbox, file, capsys)
    shown = run(capsys, "show", upload_id[:4])

    assert "1 of 3 parts are confirmed, nothing is posted" in shown.out
    assert f"uploader resume {upload_id}" in shown.out

    ended = run(capsys, *publishing(sandbox, file))

    assert ended.code == 0
    assert (
        f"clip.mp4: goes on with the upload {upload_id}: 1 of 3 parts were confirmed,"
        " 6,666,666 of 20,000,000 bytes" in ended.err
    )
    assert [chunk.first for chunk in sandbox.assert_posted_once(file).chunks if chunk.stored] == [
        0, 6_666_666, 13_333_332,
    ]  # fmt: skip


def test_without_a_journal_nothing_is_remembered(
    sandbox: Sandbox, clip: Path, capsys: Capture, journal_path: Path
) -> None:
    """No file is made, and the second call posts again."""
    for _ in range(2):
        assert run(capsys, *publishing(sandbox, clip), "--no-journal").code == 0

    assert len(sandbox.posts) == 2
    assert not journal_path.exists()
    contradiction = run(capsys, *publishing(sandbox, clip), "--no-journal", "--journal", "x.db")
    assert contradiction.code == 2


def test_the_demonstration_leaves_the_journal_alone(
    clip: Path, capsys: Capture, journal_path: Path
) -> None:
    """A sandbox's posts are nobody's uploads."""
    assert run(capsys, "demo", clip).code == 0

    assert not journal_path.exists()


def test_copies_of_one_file_are_one_upload(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture
) -> None:
    """The same content to the same account is sent once, and both names are told so."""
    first, copy = video(tmp_path, name="a.mp4"), video(tmp_path, name="b.mp4")

    ended = run(capsys, *publishing(sandbox, first, copy))

    assert ended.code == 0
    assert "b.mp4: is the same upload as a.mp4" in ended.err or "b.mp4: already" in ended.err
    sandbox.assert_posted_once(first)


def test_a_key_names_one_upload(sandbox: Sandbox, tmp_path: Path, capsys: Capture) -> None:
    """Another title is the same upload then, another content is refused before it is sent."""
    first, other = video(tmp_path, name="a.mp4"), video(tmp_path, 40_000, name="b.mp4")
    assert run(capsys, *publishing(sandbox, first), "--key", "monday").code == 0

    same = run(capsys, *publishing(sandbox, first), "--key", "monday", "--title", "New")
    refused = run(capsys, *publishing(sandbox, other), "--key", "monday")
    several = run(capsys, *publishing(sandbox, first, other), "--key", "tuesday")

    assert (same.code, refused.code, several.code) == (0, 2, 2)
    assert "already posted" in same.err
    assert "the key 'monday' stands for another file already" in refused.complaints[0]
    assert "one key cannot name 2 uploads" in several.complaints[0]
    sandbox.assert_posted_once(first)


def test_a_post_without_an_account_is_warned_of(
    sandbox: Sandbox, clip: Path, capsys: Capture
) -> None:
    """One line, once."""
    ended = run(capsys, "publish", clip, "--base-url", sandbox.base_url, *PRIVATE)

    assert ended.code == 0
    (line,) = ended.err.splitlines()
    assert line.startswith("warning: no --account is named")
