"""What the doctor finds on a machine, on the way to a host, and of an account's tokens."""

import asyncio
import datetime as dt
import os
import re
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.wire.tunnel import tunnel
from transports.tiktok.checkup import of_scopes, of_token
from transports.tiktok.sandbox import Sandbox
from uploader.cli.doctor import machine, network
from uploader.cli.doctor.examining import of_clock
from uploader.cli.journals import Place
from uploader.journals import SqliteJournal
from uploader.secret import Secret
from uploader.tokens import AccountState, AccountTokens
from uploader.transport import Finding, Level

NOW = 1_800_000_000.0
PACKAGE = Path(machine.__file__).parents[2]


def tokens(**changes: Any) -> AccountTokens:
    """Return the tokens of an hour ago."""
    given: dict[str, Any] = {
        "transport": "tiktok",
        "account": "acme",
        "access_token": Secret("act.0123456789"),
        "refresh_token": Secret("rft.0123456789"),
        "expires": NOW + 3600,
        "refresh_expires": NOW + 100 * 86_400,
        "scopes": ("video.publish", "video.upload"),
        "updated": NOW - 3600,
        **changes,
    }
    return AccountTokens(**given)


# -- the token -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "level", "says"),
    [
        ({}, Level.OK, "60 min old, good for 60 min, refreshable for another 100 days"),
        ({"expires": NOW - 60}, Level.OK, "ended 60 s ago, refreshable"),
        ({"refresh_expires": NOW + 86_400}, Level.WARN, "for another 1 days"),
        ({"refresh_token": None}, Level.WARN, "not refreshable"),
        ({"refresh_token": None, "expires": NOW - 1}, Level.FAIL, "not refreshable"),
        ({"refresh_expires": NOW - 1, "expires": NOW - 1}, Level.FAIL, "not refreshable"),
        ({"state": AccountState.REVOKED, "reason": "user"}, Level.FAIL, "has ended (user)"),
    ],
)
def test_a_tokens_life_is_told(changes: dict[str, Any], level: Level, says: str) -> None:
    """How old, how long, refreshable or not; who must log in is told so, and no token is shown."""
    found = of_token(tokens(**changes), NOW)
    assert found.level is level
    assert says in found.says
    assert bool(found.advice) is (level is not Level.OK)
    assert "0123456789" not in str(found)


@pytest.mark.parametrize(
    ("scopes", "level", "lacking"),
    [
        (("video.publish", "video.upload"), Level.OK, []),
        (("video.publish",), Level.WARN, ["drafts"]),
        (("user.info.basic",), Level.FAIL, ["drafts", "direct posts"]),
        ((), Level.WARN, []),
    ],
)
def test_scopes_that_lack_are_told(
    scopes: tuple[str, ...], level: Level, lacking: list[str]
) -> None:
    """Users may agree to a part of what is asked for."""
    found = of_scopes(tokens(scopes=scopes))
    assert found.level is level
    assert all(each in found.says for each in lacking)


@pytest.mark.parametrize(
    ("skew", "level"),
    [(0.4, Level.OK), (-29, Level.OK), (31, Level.WARN), (-31, Level.WARN), (301, Level.FAIL)],
)
def test_a_clock_that_is_off_is_told(skew: float, level: Level) -> None:
    """By how much, and in which direction."""
    found = of_clock(skew)
    assert found.level is level
    assert ("ahead" in found.says) is (skew > 1)


# -- the machine ---------------------------------------------------------------------------------


def test_a_journal_is_looked_at_and_never_made(tmp_path: Path) -> None:
    """None yet, a sound one, a broken one, a folder that nobody may write."""
    where = Place(tmp_path / "uploads.db", named=True)
    assert machine.of_journal(where).level is Level.OK
    assert not (tmp_path / "uploads.db").exists()
    SqliteJournal(tmp_path / "uploads.db").close()
    found = machine.of_journal(where)
    assert (found.level, found.facts["uploads"]) == (Level.OK, {})
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database at all" * 100)
    assert machine.of_journal(Place(broken, named=True)).level is Level.FAIL


def test_a_folder_that_cannot_be_written_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is recorded there."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert machine.of_journal(Place(tmp_path / "a" / "uploads.db")).level is Level.FAIL
    SqliteJournal(tmp_path / "uploads.db").close()
    assert machine.of_journal(Place(tmp_path / "uploads.db")).level is Level.FAIL


@pytest.mark.parametrize(
    ("free", "level"),
    [(1 << 40, Level.OK), (machine.SCARCE - 1, Level.WARN), (machine.SPENT - 1, Level.FAIL)],
)
def test_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    """A journal that cannot grow stops uploads."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    assert machine.of_disk(Place(tmp_path / "uploads.db")).level is level


def test_the_kernel_is_asked_and_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is named."""
    monkeypatch.setattr(machine, "can_probe", lambda: False)
    found = machine.of_kernel(tmp_path)
    assert found.level is Level.WARN
    assert "no MADV_POPULATE_READ" in found.says
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("UPLOADER_JORNAL", "UPLOADER_JOURNAL"),
        ("UPLOADER_COLOUR", None),
        ("TIKTOK_ACCES_TOKEN", "TIKTOK_ACCESS_TOKEN"),
        ("TIKTOK_CLIENTKEY", "TIKTOK_CLIENT_KEY"),
    ],
)
def test_a_misspelt_variable_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, near: str | None
) -> None:
    """With what it may have been meant for; its value is nobody's business."""
    monkeypatch.delenv("UPLOADER_CI", raising=False)  # of these tests, and none of the uploader's
    monkeypatch.setenv(name, "act.secret-0123456789")
    found = machine.of_variables([])
    assert found.level is Level.WARN
    assert found.facts["unread"] == {name: near}
    assert "0123456789" not in str(found)


def test_every_variable_of_ours_is_known() -> None:
    """One that the code reads and the doctor does not know would be called misspelt."""
    read: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        if "doctor" not in file.parts:
            read |= set(re.findall(r"""["'](UPLOADER_[A-Z_]+)["']""", file.read_text()))
    assert read <= set(machine.OURS)


def test_the_rest_of_the_machine_is_told() -> None:
    """Versions, extras, descriptors: each with its figures."""
    found = {each.check: each for each in machine.findings(Place(None), [])}
    assert found["python"].facts["aiohttp"]
    assert found["open files"].facts["soft"]
    assert "celery" in found["extras"].facts


# -- the way to a host ---------------------------------------------------------------------------


def on_the_way(origin: str, context: ssl.SSLContext | None = None) -> list[Finding]:
    """Return what is found on the way to a host that every upload needs."""
    return list(network.findings(origin, needed=True, context=context))


def test_a_certificate_is_told(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """Issuer, version and days; no request is sent for it."""
    with Sandbox(ssl_context=tls_server_context) as sandbox:
        name, certificate = on_the_way(sandbox.base_url, tls_client_context)
        assert (name.level, certificate.level) == (Level.OK, Level.OK)
        assert "trustme" in certificate.says
        assert sandbox.requests == []
        (_, stranger) = on_the_way(sandbox.base_url, ssl.create_default_context())
        assert stranger.level is Level.FAIL
        assert "self-signed" in stranger.says or "issuer" in stranger.says


@pytest.mark.parametrize(
    ("days", "name", "level", "says"),
    [
        (3, "127.0.0.1", Level.WARN, "good for 3 days"),
        (-3, "127.0.0.1", Level.FAIL, "expired"),
        (90, "other.example", Level.FAIL, "not valid for '127.0.0.1'"),
    ],
)
def test_a_certificate_that_is_wrong_is_told(days: int, name: str, level: Level, says: str) -> None:
    """Its end, and the name that it is for."""
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.create_default_context()
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=days, minutes=5)
    authority.issue_cert(name, not_after=ends).configure_cert(server)
    authority.configure_trust(client)
    with Sandbox(ssl_context=server) as sandbox:
        found = on_the_way(sandbox.base_url, client)[-1]
    assert found.level is level
    assert says in found.says


async def test_a_proxy_of_the_environment_is_taken(
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The certificate is looked at through it; its password is told to nobody."""
    with Sandbox(ssl_context=tls_server_context) as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        async with tunnel(port) as proxy:
            there = proxy.url.removeprefix("http://")
            monkeypatch.setenv("https_proxy", f"http://user:pass-0123456789@{there}")
            monkeypatch.delenv("no_proxy", raising=False)
            found = await asyncio.to_thread(on_the_way, "https://localhost:1", tls_client_context)
    assert [each.check for each in found] == ["proxy", "certificate"]
    assert {each.level for each in found} == {Level.OK}
    assert "0123456789" not in str(found)


def test_a_host_that_nobody_knows_is_told(unused_tcp_port: int) -> None:
    """A name without an address, and a port where nobody listens; a spare host only warns."""
    (nowhere,) = on_the_way("https://nobody.invalid")
    assert nowhere.level is Level.FAIL
    assert on_the_way(f"https://127.0.0.1:{unused_tcp_port}")[-1].level is Level.FAIL
    (spare,) = network.findings("https://nobody.invalid", needed=False)
    assert spare.level is Level.WARN
