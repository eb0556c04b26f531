"""Ctrl-C and SIGTERM: two seconds, and a word about every upload."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.cli.command import Ended, environment, finish, publishing, start, video
from transports.tiktok.sandbox import Fault, Sandbox, Switches
from uploader.cli.stop import ANSWERS, LIMIT, Stop

PROMISE = 2.0
ROOM = 2.0
"""A busy machine stands still now and then; an unbounded wait would take far longer than this."""
SLOW = Fault("put", slow=200_000)


def interrupt(process: subprocess.Popen[str]) -> Ended:
    """Press Ctrl-C and wait for the end, which must come soon."""
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert time.monotonic() - began < PROMISE + ROOM
    assert ended.code == 130
    assert "Traceback" not in ended.err
    return ended


def receiving(sandbox: Sandbox) -> None:
    """Wait until bytes of a chunk arrive."""
    sandbox.wait_for(
        lambda: any(chunk.received for post in sandbox.uploads for chunk in post.chunks), 10
    )


def test_in_the_middle_nothing_is_posted(sandbox: Sandbox, tmp_path: Path) -> None:
    """A signal while a chunk is on its way cancels the upload, and says that nothing was posted."""
    sandbox.script(SLOW)
    process = start(
        *publishing(sandbox, video(tmp_path, 70_000_000)), "--json", env=environment(sandbox)
    )
    receiving(sandbox)

    ended = interrupt(process)

    assert "clip.mp4: cancelled, nothing was posted" in ended.err
    assert '"outcome": "cancelled"' in ended.out
    assert sandbox.posts == []
    assert sandbox.access_token not in ended.err + ended.out


def test_every_upload_gets_its_word(sandbox: Sandbox, tmp_path: Path) -> None:
    """One done, one under way, one not begun: the lines tell them apart."""
    done, running, waiting = (video(tmp_path, 30_000 + n, f"{n}.mp4") for n in range(3))
    sandbox.script(Fault("put", nth=2, slow=1_000))
    process = start(
        *publishing(sandbox, done, running, waiting), "--concurrency", 1, env=environment(sandbox)
    )
    sandbox.wait_for(lambda: len(sandbox.uploads) == 2 and sandbox.uploads[1].chunks, 10)

    ended = interrupt(process)

    said = [line for line in ended.err.splitlines() if ".mp4: " in line]
    assert "0.mp4: was posted before the stop" in said[0]
    assert "1.mp4: cancelled, nothing was posted" in said[1]
    assert "2.mp4: cancelled, nothing was posted" in said[2]
    assert len(sandbox.uploads) == 2


def test_after_the_last_byte_the_destination_goes_on(tmp_path: Path) -> None:
    """What is confirmed is processed without us, and the line says so."""
    with Sandbox(switches=Switches(stuck_processing=True)) as sandbox:
        process = start(*publishing(sandbox, video(tmp_path)), env=environment(sandbox))
        sandbox.wait_for(lambda: any(r.operation == "status" for r in sandbox.requests), 10)

        ended = interrupt(process)

        assert "every byte had arrived, the destination goes on by itself" in ended.err
        assert sandbox.posts[0].publish_id in ended.err


def test_when_nobody_tells_it_is_unknown(sandbox: Sandbox, tmp_path: Path) -> None:
    """The last part is out, its answer and the status do not come: never a promise."""
    sandbox.script(Fault("put", stall_answer=True), Fault("status", stall_answer=True, times=9))
    process = start(*publishing(sandbox, video(tmp_path)), env=environment(sandbox))
    sandbox.wait_for(lambda: sandbox.posts, 10)

    ended = interrupt(process)

    assert "clip.mp4: it may be posted: look at the account before sending it again" in ended.err


def test_the_second_signal_ends_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """While the first one still asks the destination, a second one waits for nobody."""
    sandbox.script(Fault("put", stall_answer=True), Fault("status", stall_answer=True, times=9))
    process = start(*publishing(sandbox, video(tmp_path)), env=environment(sandbox))
    sandbox.wait_for(lambda: sandbox.posts, 10)
    process.send_signal(signal.SIGINT)
    sandbox.wait_for(lambda: any(r.operation == "status" for r in sandbox.requests))

    ended = interrupt(process)

    assert (ended.out, ended.err) == ("", "")


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
