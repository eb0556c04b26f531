"""Ctrl-C and SIGTERM: two seconds, a word about every upload, and nothing lost."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cli.command import Ended, environment, finish, publishing, run, start, video
from tests.cli.interrupting import run_until
from transports.tiktok.factory import TikTokFactory
from transports.tiktok.sandbox import Fault, Sandbox, Switches
from uploader.cli.stop import ANSWERS, LIMIT, Stop

PROMISE = 2.0
ROOM = 2.0
"""A busy machine stands still now and then; an unbounded wait would take far longer than this."""
SLOW = Fault("put", slow=200_000)


def interrupt(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> Ended:
    """Press Ctrl-C and wait for the end, which must come soon."""
    began = time.monotonic()
    process.send_signal(number)
    ended = finish(process)
    assert time.monotonic() - began < PROMISE + ROOM
    assert ended.code == 130
    assert "Traceback" not in ended.err
    return ended


def receiving(sandbox: Sandbox, index: int = 0) -> None:
    """Wait until bytes of a chunk of an upload arrive."""
    sandbox.wait_for(
        lambda: (
            len(sandbox.uploads) > index
            and any(chunk.received for chunk in sandbox.uploads[index].chunks)
        ),
        20,
    )


def test_in_the_middle_it_is_suspended_and_goes_on(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM while a chunk is on its way: nothing is posted, and the line says how to go on.

    Until then a scraper sees the upload on the port that was asked for.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = video(tmp_path, 21_000_000)
    sandbox.script(Fault("put", nth=2, slow=200_000))
    arguments = (*publishing(sandbox, file), "--chunk-size", "7MB", "--metrics-port", port)
    process = start(*arguments, "--json", env=environment(sandbox))
    sandbox.wait_for(lambda: sandbox.uploads and len(sandbox.uploads[0].chunks) == 2, 20)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        metrics = answer.read().decode()

    ended = interrupt(process, signal.SIGTERM)

    (upload_id,) = re.findall(r"resume ([0-9a-f]{16})", ended.err)
    result = json.loads(ended.out)["results"][0]
    assert 'uploader_uploads_in_progress{transport="tiktok"} 1.0' in metrics
    assert "clip.mp4: suspended, nothing was posted yet" in ended.err
    assert (result["outcome"], result["upload_id"]) == ("suspended", upload_id)
    assert sandbox.posts == []
    assert sandbox.access_token not in ended.err + ended.out

    resumed = run(capsys, "resume", upload_id[:6])

    assert resumed.code == 0
    assert "1 of 3 parts were confirmed, 7,000,000 of 21,000,000 bytes" in resumed.err
    sandbox.assert_posted_once(file)


def test_every_upload_gets_its_word(
    sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One done, one under way, one waiting: the lines tell them apart, and the journal has all."""
    files = [video(tmp_path, 20_000_000 + n, f"{n}.mp4") for n in range(3)]
    sandbox.script(Fault("put", nth=2, slow=200_000))
    arguments = (*publishing(sandbox, *files), "--concurrency", 1)

    ended = run_until(lambda: receiving(sandbox, 1), capsys, monkeypatch, *arguments)

    said = [line for line in ended.err.splitlines() if ".mp4: " in line]
    assert ended.code == 130
    assert "0.mp4: was posted before the stop" in said[0]
    assert "1.mp4: suspended, nothing was posted yet" in said[1]
    assert "2.mp4: suspended, nothing was posted yet" in said[2]
    assert len(sandbox.uploads) == 2

    resumed = run(capsys, "resume", "--all")

    assert resumed.code == 0
    for file in files:
        sandbox.assert_posted_once(file)


def test_what_nothing_remembers_is_cancelled(
    sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a journal there is nothing to resume, and the line does not say so."""
    sandbox.script(SLOW)
    arguments = (*publishing(sandbox, video(tmp_path, 20_000_000)), "--no-journal")

    ended = run_until(lambda: receiving(sandbox), capsys, monkeypatch, *arguments)

    assert ended.code == 130
    assert "clip.mp4: cancelled, nothing was posted" in ended.err
    assert "resume" not in ended.err
    assert sandbox.posts == []


def test_a_demonstration_leaves_no_video_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sandbox goes with it, so there is nothing to resume."""
    sandbox = Sandbox()
    sandbox.script(SLOW)
    monkeypatch.setattr(TikTokFactory, "sandbox", lambda self, port=0: sandbox)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    ended = run_until(lambda: receiving(sandbox), capsys, monkeypatch, "demo", "--size", "50MB")

    assert ended.code == 130
    assert "clip.mp4: cancelled, nothing was posted" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_after_the_last_byte_the_destination_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is confirmed is processed without us, and the line says so."""
    with Sandbox(switches=Switches(stuck_processing=True)) as sandbox:
        monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", sandbox.access_token)
        ended = run_until(
            lambda: sandbox.wait_for(
                lambda: any(r.operation == "status" for r in sandbox.requests), 20
            ),
            capsys, monkeypatch, *publishing(sandbox, video(tmp_path)),
        )  # fmt: skip

        assert ended.code == 130
        assert "every byte had arrived, the destination goes on by itself" in ended.err
        assert sandbox.posts[0].publish_id in ended.err


def test_when_nobody_tells_it_is_unknown_and_a_second_signal_waits_for_nobody(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last part is out, its answer and the status do not come: never a promise."""
    sandbox.script(Fault("put", stall_answer=True), Fault("status", stall_answer=True))
    process = start(*publishing(sandbox, video(tmp_path)), env=environment(sandbox))
    sandbox.wait_for(lambda: sandbox.posts, 20)
    process.send_signal(signal.SIGINT)
    sandbox.wait_for(lambda: any(r.operation == "status" for r in sandbox.requests), 20)

    ended = interrupt(process)

    (known,) = json.loads(run(capsys, "list", "--json").out)["uploads"]
    assert (ended.out, ended.err) == ("", "")
    assert (known["state"], known["holder"]) == ("committing", None)
    shown = run(capsys, "show", known["upload_id"])
    assert "It was interrupted at the last part: it may be posted." in shown.out

    again = run(capsys, *publishing(sandbox, tmp_path / "clip.mp4"))

    assert again.code == 0
    assert "it may have arrived, so the destination is asked first" in again.err
    sandbox.assert_posted_once(tmp_path / "clip.mp4")


def test_when_nobody_tells_the_line_says_so(
    sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be posted: the line says that, and where to look."""
    sandbox.script(Fault("put", stall_answer=True), Fault("status", stall_answer=True, times=9))

    ended = run_until(
        lambda: sandbox.wait_for(lambda: sandbox.posts, 20),
        capsys, monkeypatch, *publishing(sandbox, video(tmp_path)),
    )  # fmt: skip

    assert ended.code == 130
    assert "clip.mp4: it may be posted: look at the account before sending it again" in ended.err
    assert re.search(r"what now: \S*uploader show [0-9a-f]{16}", ended.err)


def test_the_deadlines_keep_the_promise() -> None:
    """Everything that waits after a signal waits for what is left of less than two seconds."""
    with Stop() as stop:
        assert stop.left(LIMIT) == LIMIT
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.inbox.get(timeout=5) is None
        assert stop.left(ANSWERS) < ANSWERS < LIMIT < PROMISE


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """`nohup` and shells' background jobs say so on purpose."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.inbox.get(timeout=5) is None
            assert stop.inbox.empty()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)
