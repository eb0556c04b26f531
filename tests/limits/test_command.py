"""What the command says of limits."""

import json
from pathlib import Path

import pytest

from tests.cli.command import VARIABLE, publishing, run, video
from transports.tiktok.sandbox import Sandbox

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def hers(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Give the command the token of an account whose minute is a second and a half."""
    monkeypatch.setenv(VARIABLE, sandbox.access_token)
    monkeypatch.setenv("UPLOADER_RATES", "tiktok.video_init=2/1.5")
    return sandbox


def test_a_wait_for_a_limit_is_said_once(hers: Sandbox, tmp_path: Path, capsys: Capture) -> None:
    """Whose it is, how long it takes and which limit it is, however many files wait."""
    files = [video(tmp_path, 30_000 + number, f"{number}.mp4") for number in range(4)]
    ended = run(capsys, *publishing(hers, *files))
    said = [line for line in ended.err.splitlines() if "waiting" in line]
    assert ended.code == 0
    assert said == ["acme: waiting 2 s for the account's limit of 2 posts in 1.5 s"]
    assert len(hers.posts) == 4


def test_a_limit_that_lasts_says_when_it_ends(
    hers: Sandbox, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The post is not lost: it waits in the journal, and a later resume sends it."""
    monkeypatch.setenv("UPLOADER_RATES", "tiktok.posts_a_day=1")
    journal = ("--journal", tmp_path / "j.db")
    first, second = (video(tmp_path, 30_000 + number, f"{number}.mp4") for number in range(2))
    assert run(capsys, *publishing(hers, first), *journal).code == 0
    ended = run(capsys, *publishing(hers, second), *journal, "--json")
    [result] = json.loads(ended.out)["results"]
    assert (result["outcome"], result["error"]["code"]) == ("suspended", "rate_limited")
    assert 86_000 < result["error"]["retry_after"] < 86_500
    shown = run(capsys, "show", result["upload_id"], *journal)
    assert "It waits for" in shown.out
    assert "nothing waits" in run(capsys, "resume", "--all", *journal).err
    assert len(hers.posts) == 1


def test_the_limits_are_shown(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people and for machines."""
    monkeypatch.setenv("COLUMNS", "200")  # narrower, a cell of the table takes more lines
    ended = run(capsys, "transports")
    assert "6 posts a minute" in ended.out
    told = json.loads(run(capsys, "transports", "--json").out)
    [rates] = [
        each["capabilities"]["rates"] for each in told["transports"] if each["name"] == "tiktok"
    ]
    assert {rate["name"]: rate["amount"] for rate in rates} == {
        "video_init": 6,
        "posts_a_day": 15,
        "creator_info": 20,
        "status": 30,
    }
