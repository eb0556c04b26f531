"""`uploader account`: from the login to the upload, and what is left after `forget`."""

import json
import os
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from tests.accounts.test_login import browser
from tests.cli.command import Ended, run
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.accounts import FileTokenStore
from uploader.journal import State
from uploader.journals import SqliteJournal


@pytest.fixture(autouse=True)
def _at_home(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the app, a store and a journal of its own; a browser that consents."""
    monkeypatch.delenv("TIKTOK_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("TIKTOK_CLIENT_KEY", sandbox.oauth.client_key)
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", sandbox.oauth.client_secret)
    monkeypatch.setenv("UPLOADER_ACCOUNTS", str(tmp_path / "accounts.db"))
    monkeypatch.setenv("UPLOADER_JOURNAL", str(tmp_path / "uploads.db"))
    monkeypatch.setattr(webbrowser, "open", browser())


@pytest.fixture
def store(tmp_path: Path) -> FileTokenStore:
    """Read what the command stores."""
    return FileTokenStore(tmp_path / "accounts.db")


def logged_in(capsys: pytest.CaptureFixture[str], sandbox: Sandbox, *more: str) -> Ended:
    """Log the account in."""
    return run(capsys, "account", "login", "acme", "--base-url", sandbox.base_url, *more)


def published(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, film: Path, *more: str
) -> Ended:
    """Publish the film for the account, without a token on the command line or in a variable."""
    return run(
        capsys, "publish", film, "--account", "acme", "--privacy", "SELF_ONLY", "--title",
        "Caption of ours", "--base-url", sandbox.base_url, *more,
    )  # fmt: skip


def test_a_login_is_all_that_an_upload_needs(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, film: Path
) -> None:
    """Hours later too: the command refreshes by itself."""
    ended = logged_in(capsys, sandbox)
    assert ended.code == 0
    assert ended.out.startswith("acme  tiktok  active  video.publish,video.upload")
    assert f"{sandbox.base_url}/v2/auth/authorize/?" in ended.err

    sandbox.clock.advance(7200)
    assert published(capsys, sandbox, film).code == 0
    assert sandbox.oauth.refreshes == ["sandbox-creator"]
    sandbox.assert_posted_once(film)


def test_drafts_go_by_the_same_account(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, film: Path
) -> None:
    """One login serves every kind of post."""
    assert logged_in(capsys, sandbox, "--to", "tiktok-inbox").code == 0
    draft = ("--to", "tiktok-inbox", "--account", "acme", "--base-url", sandbox.base_url)
    ended = run(capsys, "publish", film, *draft, "--no-wait")
    assert ended.code in (0, 4)
    assert len(sandbox.posts) == 1


def test_no_command_prints_a_token(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, film: Path
) -> None:
    """Neither login, nor list, nor an upload, in words or as JSON."""
    printed = ""
    for ended in (
        logged_in(capsys, sandbox, "--json"),
        run(capsys, "account", "list"),
        run(capsys, "account", "list", "--json"),
        published(capsys, sandbox, film, "--json"),
        run(capsys, "account", "forget", "acme", "--yes", "--json"),
    ):
        assert ended.code == 0
        printed += ended.out + ended.err
    for mark in ("act.sandbox", "rft.sandbox", sandbox.oauth.client_secret):
        assert mark not in printed


def test_the_list_says_how_each_account_stands(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, store: FileTokenStore
) -> None:
    """None at first; then active, then revoked with what to do."""
    assert "account login NAME" in run(capsys, "account", "list").err
    logged_in(capsys, sandbox)
    tokens = store.list()[0]
    store.save(tokens.revoked("invalid_grant", 1.0))

    ended = run(capsys, "account", "list")
    assert "acme  tiktok  revoked: invalid_grant (log in again:" in ended.out
    document = json.loads(run(capsys, "account", "list", "--json").out)
    assert [each["state"] for each in document["accounts"]] == ["revoked"]


def test_a_suspended_upload_goes_on_after_a_login(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, film: Path
) -> None:
    """The consent ended: exit code 4, and a resume after the login ends it."""
    logged_in(capsys, sandbox)
    sandbox.oauth.revoke_account("sandbox-creator")
    ended = published(capsys, sandbox, film)
    assert ended.code == 4
    assert "account login acme" in ended.err + ended.out

    logged_in(capsys, sandbox)
    assert run(capsys, "resume", "--all").code == 0
    sandbox.assert_posted_once(film)


def test_an_account_is_added_by_its_refresh_token(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, tmp_path: Path, film: Path
) -> None:
    """From a file that nobody else reads."""
    file = tmp_path / "token"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(fd, "w") as stream:
        stream.write(str(sandbox.oauth.consent("sandbox-creator")["refresh_token"]) + "\n")

    ended = run(
        capsys, "account", "add", "acme", "--refresh-token-file", file, "--base-url",
        sandbox.base_url,
    )  # fmt: skip

    assert ended.code == 0
    assert published(capsys, sandbox, film).code == 0


def test_removing_keeps_the_consent(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox, store: FileTokenStore
) -> None:
    """Only the tokens here are gone."""
    logged_in(capsys, sandbox)
    token = store.list()[0].access_token.reveal()
    assert run(capsys, "account", "remove", "acme").code == 0
    assert store.list() == []
    assert sandbox._book.token(token)
    assert run(capsys, "account", "remove", "acme").code == 2


def entries(tmp_path: Path) -> list[Any]:
    """Return what the journal holds."""
    journal = SqliteJournal(tmp_path / "uploads.db")
    try:
        return list(journal.latest())
    finally:
        journal.close()


def test_forgetting_erases_the_account_and_prevents_a_second_post(
    capsys: pytest.CaptureFixture[str],
    sandbox: Sandbox,
    film: Path,
    tmp_path: Path,
    store: FileTokenStore,
) -> None:
    """The consent is given back; of the post a digest stays, which is enough to know it again."""
    logged_in(capsys, sandbox)
    published(capsys, sandbox, film)
    token = store.list()[0].access_token.reveal()
    publish_id = sandbox.posts[0].publish_id

    refused = run(capsys, "account", "forget", "acme")
    assert refused.code == 2
    assert "1 uploads would be erased" in refused.err
    assert run(capsys, "account", "forget", "acme", "--yes").code == 0

    assert store.list() == []
    assert sandbox._book.token(token) is None
    (left,) = entries(tmp_path)
    assert left.state is State.DONE
    for word in ("acme", "Caption of ours", publish_id, film.name, str(film)):
        assert word not in repr(left)

    logged_in(capsys, sandbox)
    assert published(capsys, sandbox, film).code == 0
    sandbox.assert_posted_once(film)
    assert len(sandbox.uploads) == 1


def test_forgetting_erases_nothing_when_the_consent_cannot_be_given_back(
    capsys: pytest.CaptureFixture[str],
    sandbox: Sandbox,
    film: Path,
    tmp_path: Path,
    store: FileTokenStore,
) -> None:
    """Else nobody could give it back any more."""
    logged_in(capsys, sandbox)
    published(capsys, sandbox, film)
    sandbox.script(Fault("revoke", status=503))

    assert run(capsys, "account", "forget", "acme", "--yes").code != 0

    assert len(store.list()) == 1
    assert entries(tmp_path)[0].account == "acme"


def test_without_the_apps_key_the_command_says_which_variables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a transport whose accounts do not log in says so."""
    monkeypatch.delenv("TIKTOK_CLIENT_SECRET")
    ended = run(capsys, "account", "login", "acme")
    assert ended.code == 2
    assert "TIKTOK_CLIENT_SECRET" in ended.err
    assert "no accounts that log in" in run(capsys, "account", "login", "a", "--to", "tus").err
