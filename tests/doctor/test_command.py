"""`uploader doctor` as scripts and people call it."""

import json
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.test_login import browser
from tests.cli.command import Ended, environment, finish, run, start
from transports.tiktok.sandbox import Sandbox, Switches


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose token is in the environment, and a home without anything."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Sandbox() as sandbox:
        monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", sandbox.access_token)
        monkeypatch.setenv("UPLOADER_ACCOUNTS", str(tmp_path / "accounts.db"))
        monkeypatch.setenv("UPLOADER_JOURNAL", str(tmp_path / "uploads.db"))
        monkeypatch.setenv("UPLOADER_RATES", "off")
        yield sandbox


def examined(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, *more: str
) -> tuple[int, dict[str, str]]:
    """Return the exit code, and the level of each check; the last of one name counts."""
    ended = run(capsys, "doctor", "--base-url", sandbox.base_url, "--json", *more)
    document = json.loads(ended.out)
    assert document["exit_code"] == ended.code
    return ended.code, {each["check"]: each["level"] for each in document["findings"]}


def test_a_sound_machine_is_zero(capsys: pytest.CaptureFixture[str], sandbox: Sandbox) -> None:
    """Every check has a line; one question is asked, and nothing is opened or written."""
    code, found = examined(capsys, sandbox)
    assert code == 0
    assert {"journal", "disk", "token", "creator", "limits", "clock", "kernel"} <= found.keys()
    assert "fail" not in found.values()
    assert [each.operation for each in sandbox.requests] == ["creator_info"]


def test_a_refused_token_is_one(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code's advice stands beside it, and the token nowhere."""
    monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", "act.wrong-0123456789")
    ended = run(capsys, "doctor", "--base-url", sandbox.base_url)
    assert ended.code == 1
    (line,) = [each for each in ended.out.splitlines() if each.startswith("FAIL")]
    assert "access_token_invalid" in line
    assert "0123456789" not in ended.out + ended.err
    assert ended.out.rstrip().endswith("1 to mend")


def test_a_creator_who_may_not_post_is_one(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox
) -> None:
    """A cap under a good HTTP status is found."""
    sandbox.set_creator(refusal="reached_active_user_cap")
    code, found = examined(capsys, sandbox)
    assert (code, found["creator"]) == (1, "fail")


def test_an_unaudited_app_is_a_warning(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox
) -> None:
    """Posts that only their author sees are no success, and no failure of ours."""
    with Sandbox(switches=Switches(audited=False), access_token=sandbox.access_token) as unaudited:
        code, found = examined(capsys, unaudited)
    assert (code, found["creator"]) == (0, "warn")


def test_accounts_that_have_logged_in_are_looked_at(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Token, scopes and settings of each, without being named."""
    monkeypatch.delenv("TIKTOK_ACCESS_TOKEN")
    code, found = examined(capsys, sandbox)
    assert (code, found["account"]) == (0, "warn")
    monkeypatch.setenv("TIKTOK_CLIENT_KEY", sandbox.oauth.client_key)
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", sandbox.oauth.client_secret)
    monkeypatch.setattr(webbrowser, "open", browser())
    words = ("account", "login", "acme", "--base-url", sandbox.base_url)
    assert run(capsys, *words, "--scope", "video.publish").code == 0
    code, found = examined(capsys, sandbox)
    assert (code, found["token"], found["scopes"], found["creator"]) == (0, "ok", "warn", "ok")
    monkeypatch.delenv("TIKTOK_CLIENT_SECRET")
    code, found = examined(capsys, sandbox)
    assert (code, found["account"]) == (1, "fail")


def test_a_probe_says_first_what_it_costs(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox
) -> None:
    """Without a yes nothing is sent."""
    ended = run(capsys, "doctor", "--base-url", sandbox.base_url, "--probe", "test")
    assert ended.code == 2
    assert "15 inits" in ended.err
    assert "--yes" in ended.err
    assert sandbox.requests == []


def test_a_probe_as_a_script_runs_it(sandbox: Sandbox) -> None:
    """Over a socket, in a process of its own: at most what was said, and no byte."""
    with Sandbox(rate_limits=False, access_token=sandbox.access_token) as free:
        words = ("doctor", "--base-url", free.base_url, "--probe", "test", "--yes", "--json")
        ended: Ended = finish(start(*words, env=environment(free)))
        assert (ended.code, free.posts) == (0, [])
        assert sum(each.operation == "init" for each in free.requests) == 15
    assert {each["level"] for each in json.loads(ended.out)["findings"]} == {"ok"}


def test_other_destinations_have_the_machines_checks(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox
) -> None:
    """A destination that offers none of its own is not refused."""
    ended = run(capsys, "doctor", "tus", "--option", f"url={sandbox.base_url}/files/", "--json")
    assert ended.code == 0
    found = {each["check"]: each["level"] for each in json.loads(ended.out)["findings"]}
    assert (found["connection"], sandbox.requests) == ("ok", [])
    lacking = run(capsys, "doctor", "tus", "--json")
    (named,) = [e for e in json.loads(lacking.out)["findings"] if e["check"] == "name"]
    assert (lacking.code, named["level"]) == (0, "warn")
    assert run(capsys, "doctor", "tus", "--probe", "x", "--yes").code == 2
