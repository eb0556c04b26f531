"""The other commands, and the command as it is installed."""

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cli.command import environment, finish, publishing, run, start, video
from tests.cli.interrupting import run_until
from transports.tiktok.sandbox import Sandbox
from transports.tiktok.webhooks import handle
from uploader import __version__


def test_the_demonstration_proves_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary of `make demo`: parts, rate, memory, equal digests, one post, what next."""
    ended = run(capsys, "demo", "--size", "70000001")

    assert ended.code == 0
    assert re.fullmatch(r"What arrives is to be seen at http://127\.0\.0\.1:\d+/\n", ended.err)
    facts = dict(re.findall(r"^  (\S[^\n]*?\S)   +(\S.*?) *$", ended.out, re.MULTILINE))
    assert facts["parts"] == "2 of 35,000,000 bytes, in order; the last takes the rest, 35,000,001"
    assert facts["SHA-256 sent"] == facts["SHA-256 received"]
    assert re.fullmatch("[0-9a-f]{64}", facts["SHA-256 sent"])
    assert (facts["retries"], facts["posted"]) == ("0", "once")
    assert facts["id"].startswith("v_pub_file~v2-1.")
    assert re.fullmatch(r"[\d.]+ MiB over the idle process.*|not known.*", facts["peak memory"])
    assert "equal" in ended.out
    assert "uploader publish --help" in ended.out


def test_the_demonstration_with_a_video_of_ones_own_as_json(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Machines get the same proof."""
    ended = run(capsys, "demo", clip, "--json")

    document = json.loads(ended.out)
    assert (ended.code, document["exit_code"]) == (0, 0)
    assert (document["size"], document["parts"]) == (clip.stat().st_size, 1)
    assert (document["equal"], document["posts"], document["violations"]) == (True, 1, [])
    assert document["result"]["outcome"] == "done"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "5GB"], "the destination takes 4,000,000,000"),
        (["--size", "10"], "a video of 10 bytes cannot be made (give a size of at least"),
        (["clip.mp4", "--size", "1GB"], "a file of yours is sent as it is (leave out --size"),
        (["missing.mp4"], "missing.mp4 does not exist (check the path)"),
    ],
)
def test_demonstrations_that_cannot_be(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2."""
    ended = run(capsys, "demo", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert said in ended.err


def test_a_claim_that_does_not_hold_fails_the_demonstration(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A summary that always says `equal` would prove nothing."""
    monkeypatch.setattr("uploader.cli.demo._sha256", lambda file, stop: "0" * 64)

    ended = run(capsys, "demo", clip)

    assert ended.code == 1
    assert "DIFFERENT" in ended.out
    assert ended.complaints == [
        "error: the sandbox received other bytes than the file holds",
    ]


def test_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cut, its ends and the rules behind it; no token, no request."""
    file = video(tmp_path, 700_000_123)

    ended = run(capsys, "plan", file, "--chunk-size", "10MB")

    text = " ".join(ended.out.split())
    assert (ended.code, ended.err) == (0, "")
    assert "700,000,123 bytes to tiktok in 71 parts" in text
    assert "1 0 9859155 9,859,156" in text
    assert "..." in text
    assert "71 690140920 700000122 9,859,203" in text
    assert "rounded down: 700,000,123 / 9,859,156 = 71" in text
    assert "The last part takes the rest, 47 bytes more than the others" in text
    assert "5,242,880 to 64,000,000 bytes a part, 1,000 parts" in text


def test_a_plan_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every range, inclusive, as the wire has it."""
    ended = run(capsys, "plan", video(tmp_path, 130_000_000), "--json")

    document = json.loads(ended.out)
    ranges = document["ranges"]
    assert (ended.code, document["parts"], len(ranges)) == (0, 3, 3)
    assert (ranges[0][0], ranges[-1][1]) == (0, 129_999_999)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(ranges))
    assert document["content_type"] == "video/mp4"


def test_a_plan_of_what_cannot_be_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan refuses what the upload would."""
    for file, options in (
        (video(tmp_path, name="clip.avi"), []),
        (video(tmp_path, 4_000_000_001), []),
        (video(tmp_path, name="small.mp4"), ["--chunk-size", "1MB"]),
    ):
        ended = run(capsys, "plan", file, *options)
        assert (ended.code, ended.out) == (2, "")
        assert len(ended.complaints) == 1


def test_the_installed_transports(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, limits, options and where the token comes from."""
    shown = run(capsys, "transports")
    document = json.loads(run(capsys, "transports", "--json").out)

    assert shown.code == 0
    assert "TIKTOK_ACCESS_TOKEN" in shown.out
    assert "--privacy" in shown.out
    (tiktok,) = (entry for entry in document["transports"] if entry["name"] == "tiktok")
    assert tiktok["capabilities"]["order"] == "sequential"
    assert tiktok["capabilities"]["max_size"] == 4_000_000_000
    assert {option["name"] for option in tiktok["options"]} >= {"title", "privacy_level"}


def test_the_sandbox_command(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it prints can be pasted, every request has a line, Ctrl-C is how it ends."""
    served = start("sandbox", env=environment())
    assert served.stdout is not None
    head = "".join(iter(served.stdout.readline, "Ctrl-C ends it. Requests:\n"))
    variable, token = re.findall(r"export (\w+)=(\S+)", head)[0]
    (example,) = re.findall(r"publish clip\.mp4 (.*)", head)
    (page,) = re.findall(r"to be seen at (http://\S+)", head)
    with urllib.request.urlopen(page, timeout=10) as answer:  # noqa: S310
        assert b"<title>TikTok sandbox</title>" in answer.read()

    monkeypatch.setenv(variable, token)
    pasted = run(capsys, "publish", clip, *example.split())
    served.send_signal(signal.SIGINT)
    ended = finish(served)

    size = clip.stat().st_size
    assert (pasted.code, ended.code, ended.err) == (0, 0, "")
    assert re.search(r"^200  init  v_pub_file", ended.out, re.MULTILINE)
    assert f"201  put  bytes 0-{size - 1}/{size}" in ended.out


def test_the_sandbox_command_shows_broken_rules(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that asks for what TikTok does not have is told of, and the exit code is 1."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    monkeypatch.setattr("uploader.cli.screen.say", lines.put)

    def misbehave() -> None:
        (url,) = re.findall(r"listens at (http://\S+)", lines.get(timeout=10))
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}/v1/upload", timeout=10)  # noqa: S310
        while not lines.get(timeout=10).startswith("BROKEN RULE"):
            pass

    ended = run_until(misbehave, capsys, monkeypatch, "sandbox", number=signal.SIGTERM)

    assert ended.code == 1


def test_the_sandbox_command_sends_webhooks_and_keeps_posts(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What becomes of a post is told to the address that was given, signed for the app it names."""
    taken: queue.SimpleQueue[tuple[dict[str, str], bytes]] = queue.SimpleQueue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            taken.put((dict(self.headers), body))

        def log_message(self, *said: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as hook:
        thread = threading.Thread(target=hook.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{hook.server_port}/tiktok?key=kept"
        kept = tmp_path / "kept"
        served = start("sandbox", "--webhooks", url, "--keep", str(kept), env=environment())
        assert served.stdout is not None
        head = "".join(iter(served.stdout.readline, "Ctrl-C ends it. Requests:\n"))
        variable, token = re.findall(r"export (\w+)=(\S+)", head)[0]
        (secret,) = re.findall(r"TIKTOK_CLIENT_SECRET=(\S+)", head)
        (example,) = re.findall(r"publish clip\.mp4 (.*)", head)
        monkeypatch.setenv(variable, token)
        assert run(capsys, "publish", clip, *example.split()).code == 0
        headers, body = taken.get(timeout=10)
        served.send_signal(signal.SIGINT)
        ended = finish(served)
        hook.shutdown()
        thread.join()

    event = handle(headers, body, secret=secret)
    assert event.event == "post.publish.complete"
    assert taken.empty()
    (file,) = kept.iterdir()
    assert (file.name, file.read_bytes()) == (event.publish_id, clip.read_bytes())
    assert f"200  webhook post.publish.complete  {event.publish_id}" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--to", "youtube", "--webhooks", "http://x/"],
            "the sandbox of youtube sends no webhooks",
        ),
        (["--webhooks", "x"], "the address for webhooks is no URL"),
        (["--to", "youtube", "--keep", "x"], "of youtube keeps no bytes"),
        (["--keep", "/dev/null/x"], "nothing can be kept in /dev/null/x: Not a directory"),
    ],
)
def test_what_a_sandbox_cannot_do(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2, before anything listens."""
    ended = run(capsys, "sandbox", *arguments)
    assert ended.code == 2
    assert said in ended.err


def test_help_teaches_and_loads_nothing_heavy() -> None:
    """Exit codes and examples are in it; it does not wait for aiohttp or structlog."""
    program = (
        "import sys\nfrom uploader.cli import main\n"
        "for words in ([], ['publish'], ['demo']):\n"
        "    try: main([*words, '--help'])\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "heavy = {'aiohttp', 'aiofiles', 'structlog', 'prometheus_client', 'uvloop', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(COLUMNS="120"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stderr.strip() == "[]"
    assert "Exit codes: 0 done, 1 failed, 2 bad input" in ended.stdout
    assert 'uploader publish clip.mp4 --title "Hello #world" --privacy SELF_ONLY' in ended.stdout
    assert "uploader demo --size 2GB" in ended.stdout


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """One line."""
    ended = run(capsys, "--version")

    assert (ended.code, ended.out) == (0, f"mmap-uploader {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "error: No such command 'nonsense' (try: uploader --help)"),
        (["plan", "a", "b"], "error: Got unexpected extra argument"),
        (["publish", "--nonsense"], "error: No such option: --nonsense (try: uploader publish"),
        (["sandbox", "--port", "many"], "error: Invalid value for '--port'"),
    ],
)
def test_words_that_are_no_command(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says where help is, exit code 2."""
    ended = run(capsys, *arguments)

    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith(said)


def test_a_reader_that_goes_away_changes_nothing(sandbox: Sandbox, clip: Path) -> None:
    """`uploader publish ... | true` has published, and its exit code says so."""
    process = start(*publishing(sandbox, clip), env=environment(sandbox))
    assert process.stdout is not None
    process.stdout.close()

    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()

    assert (process.wait(20), err) == (0, "")
    sandbox.assert_posted_once(clip)
