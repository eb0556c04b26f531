"""`manage.py uploader`: the command over the site's own uploads, accounts and credentials."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.django.test_signals import clip, heard, post, sandbox
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox
from uploader.cli import host
from uploader.contrib.django import get_token_store, get_uploader, signals
from uploader.secret import Secret
from uploader.tokens import AccountTokens

__all__ = ["clip", "post", "sandbox"]
Capture = pytest.CaptureFixture[str]


def uploader(capsys: Capture, *words: str) -> str:
    """Call the command and return what it prints."""
    capsys.readouterr()
    call_command("uploader", *words)
    return capsys.readouterr().out


def test_it_lists_and_shows_the_sites_uploads(
    clip: Path, post: DirectPost, capsys: Capture
) -> None:
    """And what it advises is a command of the site's."""
    upload_id = get_uploader().enqueue(clip, post)

    (listed,) = json.loads(uploader(capsys, "list", "--json"))["uploads"]
    shown = json.loads(uploader(capsys, "show", upload_id[:6], "--json"))

    assert listed["upload_id"] == upload_id
    assert [step["command"].split(" ", 1)[1] for step in shown["next"]] == [
        f"{host_command()} resume {upload_id}"
    ]


def host_command() -> str:
    """Return how the command is called here, after the interpreter's name."""
    import sys

    return f"{Path(sys.argv[0]).name} uploader"


def test_it_resumes_with_the_sites_credentials_and_signals(
    clip: Path, post: DirectPost, sandbox: Sandbox, capsys: Capture
) -> None:
    """No token file, no variable; receivers hear of it as of any other run."""
    done = heard(signals.upload_done)
    upload_id = get_uploader().enqueue(clip, post)

    report = json.loads(uploader(capsys, "resume", "--all", "--json"))

    assert [each["outcome"] for each in report["results"]] == ["done"]
    assert [told["upload_id"] for told in done.told] == [upload_id]
    assert len(sandbox.posts) == 1


def test_it_prunes_and_forgets(clip: Path, post: DirectPost, capsys: Capture) -> None:
    upload_id = get_uploader().upload(clip, post).upload_id
    with pytest.raises(CommandError) as refused:
        call_command("uploader", "forget", upload_id)
    assert refused.value.returncode == 2
    assert "would be posted a second time" in capsys.readouterr().err
    assert upload_id in uploader(capsys, "forget", upload_id, "--yes")
    assert json.loads(uploader(capsys, "prune", "--older-than", "30d", "--json"))["pruned"] == 0


def test_it_lists_the_sites_accounts_without_tokens(sandbox: Sandbox, capsys: Capture) -> None:
    tokens = AccountTokens(
        transport="tiktok", account="acme", access_token=Secret("act.1"), scopes=("video.publish",)
    )
    get_token_store().save(tokens)
    out = uploader(capsys, "account", "list", "--json")
    assert [each["account"] for each in json.loads(out)["accounts"]] == ["acme"]
    assert "act.1" not in out


def test_another_journal_can_still_be_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """An option wins over the site, as it wins over the environment."""
    with pytest.raises(CommandError):
        call_command("uploader", "show", "00ff", "--journal", str(tmp_path / "none.db"))
    assert host.current() is None
