"""What only a process of its own shows: forks, silence, and lines of logs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.files import make_clip, sha256
from transports.tiktok.sandbox import Fault, Sandbox

START = """
import os, sys
from transports.tiktok import DirectPost
from uploader import Uploader

base_url, token, first, second, third = sys.argv[1:6]

def post(title):
    return DirectPost(privacy_level="SELF_ONLY", base_url=base_url, access_token=token,
                      account="acme", title=title)

def publish(up, path, title):
    result = up.upload(path, post(title))
    result.raise_for_outcome()
    assert str(result.outcome) == "done", result
"""

FORKS = """
up = Uploader(metrics=False)
publish(up, first, "parent before")
for leave in ("_exit", "close", "sys"):
    child = os.fork()
    if not child:
        code = 1
        try:
            publish(up, second, leave)
            if leave == "close":
                up.close()
            code = 0
        finally:
            if leave == "sys":
                sys.exit(code)
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, (leave, status)
    publish(up, third, "parent after " + leave)
up.close()
"""


def run(script: str, sandbox: Sandbox, clips: list[Path]) -> Any:
    """Run a script in an interpreter of its own and return what it said."""
    return subprocess.run(
        [sys.executable, "-c", START + script, sandbox.base_url, sandbox.access_token,
         *map(str, clips)],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Three files."""
    return [make_clip(tmp_path / f"{n}.mp4", 300_000 + n, seed=n) for n in range(3)]


def test_forked_children_upload_and_the_parent_goes_on(sandbox: Sandbox, clips: list[Path]) -> None:
    """After a fork both sides use the same object; however a child leaves, nobody is hurt."""
    done = run(FORKS, sandbox, clips)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [(made.title, made.sha256) for made in sandbox.posts] == [
        ("parent before", sha256(clips[0])),
        ("_exit", sha256(clips[1])),
        ("parent after _exit", sha256(clips[2])),
        ("close", sha256(clips[1])),
        ("parent after close", sha256(clips[2])),
        ("sys", sha256(clips[1])),
        ("parent after sys", sha256(clips[2])),
    ]


def test_a_fork_in_the_middle_of_an_upload_leaves_it_alone(
    sandbox: Sandbox, clips: list[Path]
) -> None:
    """A child that is forked while bytes are on their way neither ends nor repeats the upload."""
    sandbox.script(Fault("put", delay=1.0))
    script = """
up = Uploader(metrics=False)
handle = up.submit(first, post("parent"))
child = os.fork()
if not child:
    publish(up, second, "child")
    up.close()
    os._exit(0)
os.waitpid(child, 0)
assert str(handle.result().outcome) == "done"
up.close()
"""
    done = run(script, sandbox, clips)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    titles = [sandbox.assert_posted_once(clip).title for clip in clips[:2]]
    assert titles == ["parent", "child"]


QUIET = """
with Uploader() as up:
    publish(up, first, "quiet")
    result = up.upload(second, post("refused"))
    assert str(result.outcome) == "failed"
"""


def test_a_library_says_nothing(sandbox: Sandbox, clips: list[Path]) -> None:
    """Without a handler nothing is printed, retries and failures included, nor at the end."""
    sandbox.script(
        Fault("put", status=503),
        Fault("init", nth=2, vendor_code="invalid_params"),
    )
    done = run(QUIET, sandbox, clips)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_application_that_configures_gets_one_json_object_a_line(
    sandbox: Sandbox, clips: list[Path]
) -> None:
    """`configure("json")` writes every event of the level, named in snake case, to stderr."""
    sandbox.script(
        Fault("put", status=503),
        Fault("init", nth=2, vendor_code="invalid_params"),
    )
    configured = 'from uploader.instruments.logs import configure\nconfigure("json", "DEBUG")\n'
    done = run(configured + QUIET, sandbox, clips)
    assert (done.returncode, done.stdout) == (0, "")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    names = [line["event"] for line in lines]
    assert names[0] == "upload_started"
    assert names.count("upload_started") == 2
    assert {"session_created", "part_started", "part_failed", "retry_scheduled", "part_confirmed",
            "request_finished", "upload_completed", "upload_failed"} <= set(names)  # fmt: skip
    assert all(line["transport"] == "tiktok" and line["upload_id"] for line in lines)
    levels = {line["event"]: line["level"] for line in lines}
    assert levels["part_started"] == "debug"
    assert levels["upload_completed"] == "info"
    assert levels["retry_scheduled"] == "warning"
    assert levels["upload_failed"] == "error"
    assert sandbox.access_token not in done.stderr
    assert "upload_token" not in done.stderr


def test_the_console_shows_the_same_events(sandbox: Sandbox, clips: list[Path]) -> None:
    """`configure()` writes readable lines without colours into a pipe."""
    configured = "from uploader.instruments.logs import configure\nconfigure()\n"
    done = run(configured + 'publish(Uploader(), first, "x")', sandbox, clips)
    assert done.returncode == 0
    assert "upload_completed" in done.stderr
    assert "part_started" not in done.stderr
    assert "\033" not in done.stderr


def test_an_interpreter_that_ends_without_a_close_ends(sandbox: Sandbox, clips: list[Path]) -> None:
    """An uploader that nobody closed does not keep the process, nor complain at its end."""
    done = run('publish(Uploader(), first, "x")', sandbox, clips)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
