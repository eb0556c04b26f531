"""Bad input is refused in one line that says what to do, before a request goes out."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import PRIVATE, VARIABLE, publishing, run, video
from transports.tiktok.sandbox import Sandbox

FOUR_GIGABYTES = 4_000_000_000


def _empty(directory: Path) -> Path:
    return video(directory, 0)


def _directory(directory: Path) -> Path:
    (directory / "clip.mp4").mkdir()
    return directory / "clip.mp4"


def _fifo(directory: Path) -> Path:
    os.mkfifo(directory / "clip.mp4")
    return directory / "clip.mp4"


def _of_another_type(directory: Path) -> Path:
    return video(directory, name="clip.avi")


def _missing(directory: Path) -> Path:
    return directory / "clip.mp4"


def _too_large(directory: Path) -> Path:
    return video(directory, FOUR_GIGABYTES + 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_missing, "does not exist (check the path)"),
        (_empty, "is empty: 0 bytes (give the path of a readable video file)"),
        (_directory, "is a directory, not a file (give the path of a video file)"),
        (_fifo, "is a FIFO, not a file (give the path of a video file)"),
        (_too_large, "the destination takes 4,000,000,000 (make the file smaller"),
        (_of_another_type, "is of an unknown type: TikTok takes MP4, MOV and WebM (rename"),
    ],
)
def test_a_file_that_cannot_be_published(
    make: Callable[[Path], Path],
    said: str,
    sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line names the file and the remedy; the exit code is 2; nothing was sent."""
    file = make(tmp_path)

    ended = run(capsys, *publishing(sandbox, file))

    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert file.name in line
    assert said in line
    assert sandbox.requests == []


def test_a_file_that_this_user_must_not_read(
    sandbox: Sandbox,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Permissions do not bind root, so the refusal itself is made up."""
    opened = os.open

    def refuse(path: Path, *arguments: Any, **more: Any) -> int:
        if path == clip:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)

    ended = run(capsys, *publishing(sandbox, clip))

    assert ended.code == 2
    assert "clip.mp4 is not readable for this user (try: ls -l" in ended.complaints[0]
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--privacy", "public"], "there is no privacy level 'public' (choose one of PUBLIC_TO_"),
        ([], "--privacy is missing (one of PUBLIC_TO_EVERYONE"),
        ([*PRIVATE, "--title", "x" * 2201], "the title has 2,201 UTF-16 units, TikTok takes 2,200"),
        ([*PRIVATE, "--title", "\N{GRINNING FACE}" * 1101], "the title has 2,202 UTF-16 units"),
        ([*PRIVATE, "--base-url", "ht!tp://"], "the base URL is malformed (give one such as"),
        ([*PRIVATE, "--base-url", "http://example.com"], "plain http to example.com"),
        ([*PRIVATE, "--chunk-size", "1MB"], "1,000,000 bytes is outside 5,242,880 to 64,000,000"),
        ([*PRIVATE, "--chunk-size", "65MB"], "65,000,000 bytes is outside 5,242,880 to 64,000,000"),
        ([*PRIVATE, "--chunk-size", "much"], "'much' is no size: write 64MB, 64MiB or 64000000"),
        ([*PRIVATE, "--to", "nowhere"], "there is no transport 'nowhere' (installed are: "),
        ([*PRIVATE, "--option", "colour=red"], "tiktok has no --option colour=... (it has --acc"),
        ([*PRIVATE, "--option", "colour"], "'colour' is no option (write --option NAME=VALUE)"),
        ([*PRIVATE, "--concurrency", "0"], "Invalid value for '--concurrency'"),
        ([*PRIVATE, "--token", "secret"], "No such option: --token"),
    ],
)
def test_options_that_cannot_be(
    options: list[str],
    said: str,
    sandbox: Sandbox,
    clip: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a destination does not take is said in its words; nothing was sent."""
    ended = run(capsys, "publish", clip, "--base-url", sandbox.base_url, *options)

    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert sandbox.requests == []


def test_every_file_is_checked_before_the_first_byte_goes_out(
    sandbox: Sandbox, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bad file among good ones stops them all, and each bad one gets its line."""
    missing, twice = tmp_path / "missing.mp4", tmp_path / "." / "clip.mp4"

    ended = run(capsys, *publishing(sandbox, clip, missing, twice))

    assert ended.code == 2
    assert len(ended.complaints) == 2
    assert "missing.mp4 does not exist" in ended.complaints[0]
    assert "clip.mp4 is given twice (leave one out: it is one upload)" in ended.complaints[1]
    assert sandbox.requests == []


def test_bad_input_as_json(
    sandbox: Sandbox, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Machines get the same facts, in one document on stdout."""
    ended = run(capsys, *publishing(sandbox, clip, tmp_path / "missing.mp4"), "--json")

    document = json.loads(ended.out)
    assert ended.code == document["exit_code"] == 2
    assert document["results"] == []
    (error,) = document["errors"]
    assert error["file"] == str(tmp_path / "missing.mp4")
    assert error["code"] == "source"
    assert error["message"].endswith("does not exist")
    assert error["hints"] == ["check the path"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, f"there is no access token: {VARIABLE} is not set (export {VARIABLE}=..., or give"),
        ("  ", f"{VARIABLE} is not set"),
        ("two words", f"the access token in {VARIABLE} holds characters that no token has"),
        ("line\nbreak", "it must be one line of ASCII without spaces"),
    ],
)
def test_without_a_usable_token(
    token: str | None,
    said: str,
    sandbox: Sandbox,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The token's variable is named, its value never is."""
    monkeypatch.delenv(VARIABLE)
    if token is not None:
        monkeypatch.setenv(VARIABLE, token)

    ended = run(capsys, *publishing(sandbox, clip))

    assert ended.code == 2
    (line,) = ended.complaints
    assert said in line
    assert "words" not in line
    assert sandbox.requests == []


def test_a_metrics_port_that_is_taken(
    sandbox: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody uploads for an hour to find out that the metrics were somebody else's."""
    port = sandbox.base_url.rpartition(":")[2]

    ended = run(capsys, *publishing(sandbox, clip), "--metrics-port", port)

    assert ended.code == 2
    assert "Address already in use (give another --metrics-port)" in ended.complaints[0]
    assert sandbox.requests == []


def test_a_file_name_cannot_drive_the_terminal(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters of a name are shown as what they are: not printable."""
    ended = run(capsys, *publishing(sandbox, tmp_path / "a\x1b[2Jb\n.mp4"))

    assert ended.code == 2
    assert "\x1b" not in ended.err
    assert len(ended.err.splitlines()) == 1
