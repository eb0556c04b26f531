"""What the environment says about limits, and who has the last word."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.files import make_clip
from transports.tiktok import DirectPost
from uploader import ConfigurationError, PollPolicy, RetryPolicy, Uploader
from uploader.engine.environment import COUNT, FACTOR, MODE, SIZE, VARIABLES, renewed, settings_of
from uploader.engine.settings import Settings
from uploader.model import MIB

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
NOT_NUMBERS = {"limiter", "rates", "ssl_context", "clock"}


def value(settings: Settings, setting: str) -> Any:
    """Return a setting by its dotted name."""
    found: Any = settings
    for name in setting.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda each: each.name)
def test_argument_then_environment_then_default(variable: Any) -> None:
    """For every number that there is."""
    texts = {COUNT: "7", SIZE: "7MiB", FACTOR: "7", MODE: "buffered"}
    wanted = {SIZE: 7 * MIB, MODE: "buffered"}.get(variable.kind, 7)
    environ = {variable.name: texts.get(variable.kind, "7")}
    place, _, name = variable.setting.partition(".")
    default = settings_of({}, {})
    given = {place: getattr(default, place)} if name else {place: "given"}

    assert value(default, variable.setting) == variable.default != wanted
    assert value(settings_of({}, environ), variable.setting) == wanted
    assert value(settings_of({place: None}, environ), variable.setting) == wanted
    over = settings_of(given, environ)
    assert value(over, variable.setting) == (variable.default if name else "given")


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda each: each.name)
@pytest.mark.parametrize("text", ["lots", "-1", "1 000 furlongs", "nan", "١"])
def test_what_cannot_be_is_refused_with_its_name(variable: Any, text: str) -> None:
    """Before anything is sent, and with what could be written instead."""
    with pytest.raises(ConfigurationError, match=variable.name) as caught:
        settings_of({variable.setting: "given"}, {variable.name: text})

    assert caught.value.hints == [f"write {variable.kind.words}"]


def test_numbers_that_do_not_fit_together_are_refused_by_name() -> None:
    """Each alone could be."""
    with pytest.raises(ConfigurationError, match="UPLOADER_POLL_FIRST"):
        settings_of({}, {"UPLOADER_POLL_FIRST": "0", "UPLOADER_POLL_SLOWEST": "0"})


def test_an_empty_variable_says_nothing() -> None:
    """As compose files write it."""
    assert settings_of({}, {"UPLOADER_MAX_UPLOADS": ""}).max_uploads == Settings().max_uploads


def test_every_number_has_a_variable() -> None:
    """A limit that is added gets a row, or is named here."""
    found = set()
    for each in fields(Settings):
        default = getattr(Settings(), each.name)
        if each.name in NOT_NUMBERS:
            continue
        if is_dataclass(default):
            found |= {f"{each.name}.{inner.name}" for inner in fields(default)}
        else:
            found.add(each.name)

    assert {each.setting for each in VARIABLES} == found


def test_the_documents_table_is_up_to_date() -> None:
    """When this fails: python -m uploader.engine.environment docs/settings.md."""
    text = DOCUMENT.read_text()

    assert renewed(text) == text


@pytest.mark.parametrize(
    ("environ", "given", "parts"),
    [
        ({}, {}, 1),
        ({"UPLOADER_PART_SIZE": "10MiB"}, {}, 4),
        ({"UPLOADER_PART_SIZE": "1KiB"}, {}, 8),
        ({"UPLOADER_PART_SIZE": "10MiB"}, {"part_size": 20 * MIB}, 2),
    ],
)
def test_a_size_of_parts_holds_within_a_destinations_limits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: Mapping[str, str],
    given: Mapping[str, Any],
    parts: int,
) -> None:
    """What the destination itself is told counts more."""
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    clip = make_clip(tmp_path / "clip.mp4", 40 * MIB)

    def to(**more: Any) -> DirectPost:
        return DirectPost(account="acme", access_token="t" * 20, privacy_level="SELF_ONLY", **more)

    with Uploader(metrics=False, **given) as up:
        assert len(up.check(clip, to()).plan) == parts
        assert len(up.check(clip, to(chunk_size=8 * MIB)).plan) == 5


def test_policies_of_the_program_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a whole: the environment does not mix its numbers in."""
    monkeypatch.setenv("UPLOADER_RETRY_ATTEMPTS", "9")
    monkeypatch.setenv("UPLOADER_POLL_LIMIT", "10m")

    with Uploader(metrics=False, retry=RetryPolicy(cap=1.0)) as up:
        assert up._settings.retry == RetryPolicy(cap=1.0)
        assert up._settings.poll == PollPolicy(limit=600.0)
