"""What the setting UPLOADER may say, and what is said of a mistake in it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import run_checks
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from uploader import ConfigurationError, RetryPolicy
from uploader.contrib.django import conf, get_token_store, get_uploader
from uploader.secret import Secret
from uploader.tokens import AccountTokens

DOCS = Path(__file__).parents[2] / "docs" / "django.md"
KEYS = [Fernet.generate_key().decode() for _ in range(2)]


def messages(**given: Any) -> list[str]:
    """Return what `manage.py check` says of a UPLOADER."""
    with override_settings(UPLOADER=given):
        return [f"{each.id} {each.msg} | {each.hint}" for each in run_checks()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"JOURNL": "default"}, "has no key 'JOURNL': did you mean 'JOURNAL'?"),
        ({"journal": "default"}, "did you mean 'JOURNAL'?"),
        ({"JOURNAL": "other"}, "is 'other', which DATABASES does not have: it has default"),
        ({"TOKENS": "other"}, "UPLOADER['TOKENS'] is 'other'"),
        ({"ENVIRONMENT": ""}, "a text is needed"),
        ({"SEAL_KEY": "short"}, "holds no Fernet key: make one: python -m"),
        ({"SEAL_KEY": []}, "is no key and no list of keys"),
        ({"CREDENTIALS": "no.such.thing"}, "is not usable: No module named 'no'"),
        ({"CREDENTIALS": 7}, "a callable or its dotted path is needed"),
        ({"APPS": {"TIKTOK_CLIENT_KEY": 7}}, "is no dict of names and texts"),
        ({"MAX_UPLOADS": "64"}, "is '64', a number is needed"),
        ({"MAX_UPLOADS": 0}, "is 0, it must be at least 1"),
        ({"MAX_UPLOADS": True}, "is True, a number is needed"),
        ({"LIMIT_WAIT": -1}, "is -1, it must be at least 0"),
        ({"BANDWIDTH": float("nan")}, "it must be at least 1"),
        ({"LIMITS": "http://somewhere"}, "is no address of a Redis server"),
        ({"RETRY": {"atempts": 3}}, "has 'atempts': did you mean 'attempts'?"),
        ({"RETRY": {"attempts": 0}}, "attempts is 0, at least 1 is needed"),
        ({"RETRY": 3}, "a dict of numbers is needed"),
        ({"SOURCE_MODE": "fast"}, "'fast' is not a valid SourceMode"),
        ({"PREFLIGHT": "yes"}, "True or False is needed"),
        ({"SUBSCRIBERS": "a.b"}, "a list of dotted paths is needed"),
    ],
)
def test_each_mistake_is_explained(given: dict[str, Any], said: str) -> None:
    """By the check, and by whoever asks for the uploader: the same sentence."""
    (message,) = messages(**given)

    assert message.startswith("mmap_uploader.E001 UPLOADER")
    assert said in message
    with override_settings(UPLOADER=given), pytest.raises(ConfigurationError) as refused:
        get_uploader()
    assert refused.value.message in message


def test_no_key_is_told() -> None:
    """A message of the check goes to logs."""
    (message,) = messages(SEAL_KEY="not-a-key-but-secret")

    assert "secret" not in message


def test_a_setting_that_is_no_dict_is_refused() -> None:
    """With what it could be."""
    with override_settings(UPLOADER="default"):
        assert "UPLOADER is a str, a dict is needed" in run_checks()[0].msg


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first upload would miss it."""
    monkeypatch.setitem(sys.modules, "limits", None)

    (message,) = messages(LIMITS="redis://localhost")
    assert "pip install 'mmap-uploader[redis]'" in message


def test_what_is_unwise_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production alone; with a key of its own and a server nothing is left to say."""
    assert [each.partition(" ")[0] for each in messages()] == [
        "mmap_uploader.W001",
        "mmap_uploader.W002",
    ]
    with override_settings(DEBUG=True):
        assert messages() == []
        said = run_checks(include_deployment_checks=True)
        assert "mmap_uploader.W003" in [each.id for each in said]
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    assert messages(SEAL_KEY=KEYS) == []


def test_missing_tables_are_told(database: dict[str, str]) -> None:
    """Where the database is asked, and only then."""
    recorder = MigrationRecorder(connections["default"])
    rows = recorder.migration_qs.filter(app="mmap_uploader")
    applied = list(rows.values_list("app", "name"))
    assert not [each for each in run_checks(databases=["default"]) if "W004" in str(each.id)]

    rows.delete()
    try:
        said = [each for each in run_checks(databases=["default"]) if "W004" in str(each.id)]
    finally:
        for each in applied:
            recorder.record_applied(*each)

    assert "0001_initial" in said[0].msg
    assert "migrate mmap_uploader --database default" in str(said[0].hint)
    assert not [each for each in run_checks() if "W004" in str(each.id)]


def test_there_is_one_uploader_until_the_settings_change() -> None:
    """Tests that override settings get another one, and the old one is closed."""
    first = get_uploader()
    assert get_uploader() is first
    with override_settings(UPLOADER={"METRICS": False, "RETRY": {"attempts": 7}}):
        second = get_uploader()
        assert second is not first
        assert second._settings.retry == RetryPolicy(attempts=7)
        with override_settings(TIME_ZONE="UTC"):
            assert get_uploader() is second
    assert get_uploader() is not second


def test_what_was_sealed_before_there_was_a_key_is_opened_still() -> None:
    """The key that SECRET_KEY makes stays good for opening, and its fallbacks' too."""
    tokens = AccountTokens(transport="tiktok", account="a", access_token=Secret("act.1"))
    get_token_store().save(tokens)
    stand_in = get_uploader().journal.stand_in(b"x")

    for changed in (
        {"UPLOADER": {"METRICS": False, "SEAL_KEY": KEYS[0]}},
        {"UPLOADER": {"METRICS": False, "SEAL_KEY": KEYS}},
    ):
        with override_settings(**changed):
            found = get_token_store().get("tiktok", "a")
            assert found is not None
            assert found.access_token == Secret("act.1")
            assert get_uploader().journal.stand_in(b"x") == stand_in
    # It is sealed with the project's own key by now.
    with (
        override_settings(UPLOADER={"METRICS": False, "SEAL_KEY": KEYS[1:]}, SECRET_KEY="another"),
        pytest.raises(ConfigurationError, match="another key"),
    ):
        get_uploader().journal.stand_in(b"x")


def test_the_environment_fills_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set wins."""
    monkeypatch.setenv("UPLOADER_ENVIRONMENT", "staging")
    monkeypatch.setenv("UPLOADER_SEAL_KEY", " ".join(KEYS))

    assert conf.chosen()["ENVIRONMENT"] == "staging"
    assert conf.chosen()["SEAL_KEY"] == [Secret(key) for key in KEYS]
    with override_settings(UPLOADER={"METRICS": False, "ENVIRONMENT": "production"}):
        assert get_uploader().journal.environment == "production"
    with pytest.raises(ConfigurationError, match="'production', this is 'staging'"):
        get_uploader().journal.stand_in(b"x")


def test_stored_tokens_sign_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the accounts of the transport, whose app the settings name."""
    store = get_token_store()
    store.save(
        AccountTokens(
            transport="tiktok",
            account="acme",
            access_token=Secret("act.1"),
            fields={"base_url": "https://open.tiktokapis.com"},
        )
    )
    credentials = get_uploader()._credentials
    assert credentials is not None
    with pytest.raises(ConfigurationError, match="TIKTOK_CLIENT_KEY is not set"):
        credentials("tiktok", "acme")
    monkeypatch.setenv("TIKTOK_CLIENT_KEY", "key")
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", "secret")

    signer: Any = credentials("tiktok", "acme")
    assert credentials("tiktok-inbox", "acme") is not None
    assert "act.1" not in repr(signer)
    with pytest.raises(Exception, match="has not logged in"):
        credentials("tiktok", "nobody")


def test_the_table_of_settings_is_the_code() -> None:
    """What the page says of each key is what the check goes by."""
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]

    assert rows == [
        f"| `{option.name}` | {option.default} | {option.text}"
        + (f"; variable `{option.variable}`" if option.variable else "")
        + " |"
        for option in conf.OPTIONS
    ]


def test_the_uploader_itself_needs_no_django() -> None:
    """Nor does importing the package load it."""
    code = (
        "import sys, uploader.api, uploader.contrib.django, transports.tiktok;"
        "sys.exit('django' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_app_that_is_not_installed_is_missed() -> None:
    """By a sentence instead of Django's about models."""
    code = (
        "import django; from django.conf import settings; settings.configure(); django.setup();"
        "import uploader.contrib.django as ours\n"
        "try: ours.get_uploader\n"
        "except Exception as error: print(error, error.__notes__)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "INSTALLED_APPS does not list 'uploader.contrib.django'" in told.stdout
