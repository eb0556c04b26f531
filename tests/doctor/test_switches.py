"""Which of the sandbox's readings the probe finds, and why it cannot find the others.

A reading that TikTok changes overnight is found by the same inits.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from transports.tiktok.factory import TIKTOK
from transports.tiktok.sandbox import Fault, Sandbox, Switches, rules
from transports.tiktok.sandbox.rules import Limits
from uploader import Uploader
from uploader.cli.doctor.examining import Patient
from uploader.secret import Secret
from uploader.transport import Finding, Level

SEEN: Mapping[tuple[str, Any], tuple[str, str]] = {
    ("megabyte", "decimal"): ("5 MB", "5 MB are 5,000,000 bytes"),
    ("megabyte", "binary"): ("64 MB", "64 MB are 67,108,864 bytes"),
    ("one_chunk_rule", False): ("one chunk", "may be declared smaller"),
    ("invalid_param", "invalid_param"): ("precedence", "by invalid_param,"),
    ("message_precedence", "size"): ("precedence", "about the size"),
    ("brand_toggles_required", True): ("toggles", "the brand toggles are required"),
    ("branded_self_only", "accepted"): ("branded", "branded content may be SELF_ONLY"),
    ("audited", False): ("single chunk", "unaudited_client_can_only_post"),
    ("identical_init", "same_task"): ("repeated init", "gives the same task"),
    ("log_id_name", "logid"): ("log id", "as logid"),
    ("upload_host", "open-upload-sg.tiktokapis.com"): ("upload URL", "open-upload-sg."),
    ("upload_path", "/upload"): ("upload URL", "path /upload,"),
    ("upload_url_length", 900): ("upload URL", "900 characters"),
    ("uploaded_bytes", "absent"): ("status", "nothing is told of stored bytes"),
    ("cancel", "accepted"): ("cancel", "6 of 6 opened uploads were cancelled"),
}
"""A switch's other value, the check that finds it, and what that says then."""
NO_BYTE = "only an answer to bytes tells it, and the probe sends none"
LATER = "only time tells it, and the probe waits for nothing"
OTHERS = "it is about drafts, photos and pulls, which TikTok would deliver"
NEVER_ENDS = "only a post that was made tells it"
UNSEEN: Mapping[str, str] = {
    "posts_a_day": "the day's last post would have to be made",
    "retry_after": "a limit would have to be passed on purpose",
    "pending_drafts": OTHERS,
    "url_ownership": OTHERS,
    "pull": OTHERS,
    "pull_seconds": OTHERS,
    "pull_bytes": OTHERS,
    "upload_url_seconds": LATER,
    "expired_task": LATER,
    "uploaded_bytes_lag": NO_BYTE,
    "status_lag": NO_BYTE,
    "content_range_counts": NO_BYTE,
    "stored_range_again": NO_BYTE,
    "partial_bytes": NO_BYTE,
    "oversize_status": NO_BYTE,
    "post_id": NEVER_ENDS,
    "post_id_delay": NEVER_ENDS,
    "post_id_name": NEVER_ENDS,
    "post_id_shape": NEVER_ENDS,
    "stuck_processing": NEVER_ENDS,
    "fail_reason": NEVER_ENDS,
}


def probed(sandbox: Sandbox) -> dict[str, Finding]:
    """Return what the probe finds, by check."""
    with Uploader(clock=FakeClock(), metrics=False) as up:
        patient = Patient(
            uploader=up,
            account="test",
            fields={"base_url": sandbox.base_url},
            access_token=Secret(sandbox.access_token),
        )
        probe = TIKTOK.probe(patient)
        found = {each.check: each for each in probe.run()}
    assert sum(each.operation == "init" for each in sandbox.requests) <= probe.inits
    assert not any(each.operation == "put" for each in sandbox.requests)
    assert sandbox.posts == []
    return found


@pytest.fixture(scope="module")
def usual() -> Iterator[dict[str, Finding]]:
    """What is found where every switch stands as it is delivered."""
    with Sandbox(rate_limits=False) as sandbox:
        yield probed(sandbox)


def test_every_switch_is_accounted_for() -> None:
    """A new one is found by the probe, or its reason is written down."""
    names = {field.name for field in dataclasses.fields(Switches)}
    assert {name for name, _ in SEEN} | UNSEEN.keys() == names
    assert not {name for name, _ in SEEN} & UNSEEN.keys()


def test_what_our_limits_rest_on_holds(usual: dict[str, Finding]) -> None:
    """The strictest reading fails nothing."""
    assert {each.level for each in usual.values()} == {Level.OK}
    held = [each.check for each in usual.values() if each.facts.get("assumed") is not None]
    assert len(held) == 9


@pytest.mark.parametrize(("name", "value"), SEEN)
def test_a_reading_is_found(usual: dict[str, Finding], name: str, value: Any) -> None:
    """One check says it, and said something else of the other reading."""
    check, says = SEEN[name, value]
    with Sandbox(rate_limits=False, switches=Switches(**{name: value})) as sandbox:
        found = probed(sandbox)
    assert says in found[check].says
    assert says not in usual[check].says


@pytest.mark.parametrize("name", UNSEEN)
def test_a_switch_that_is_not_found_changes_nothing(usual: dict[str, Finding], name: str) -> None:
    """Its reason is true: no finding differs but in what is new each time."""
    values: dict[str, Any] = {
        "retry_after": 7,
        "posts_a_day": 100,
        "fail_reason": "internal",
        "upload_url_seconds": 60.0,
        "url_ownership": "unchecked",
        "pull": "fails",
        "expired_task": "failed",
        "content_range_counts": False,
        "stored_range_again": 206,
        "partial_bytes": "kept",
        "oversize_status": 502,
        "post_id": "never",
        "post_id_name": "publicly_available_post_id",
        "post_id_shape": "string",
        "stuck_processing": True,
    }
    switches = Switches(**{name: values.get(name, 3)})
    with Sandbox(rate_limits=False, switches=switches) as sandbox:
        found = probed(sandbox)
    assert {check: each.says for check, each in found.items()} == {
        check: each.says for check, each in usual.items()
    }


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        (Limits(8 << 20, 64_000_000, 128_000_000, 4_000_000_000), {"smallest chunk"}),
        (
            Limits(5 << 20, 32_000_000, 64_000_000, 4_000_000_000),
            {"single chunk", "last chunk", "largest video"},
        ),
        (Limits(5 << 20, 64_000_000, 100_000_000, 4_000_000_000), {"last chunk"}),
        (Limits(5 << 20, 64_000_000, 128_000_000, 2_000_000_000), {"largest video"}),
        (Limits(5 << 20, 64_000_000, 128_000_000, 8_000_000_000), {"larger video"}),
        (Limits(1 << 20, 64_000_000, 128_000_000, 4_000_000_000), {"too small", "precedence"}),
        (Limits(5 << 20, 200_000_000, 400_000_000, 4_000_000_000), {"too large"}),
    ],
)
def test_a_rule_that_was_changed_overnight_fails_with_both_figures(
    monkeypatch: pytest.MonkeyPatch, changed: Limits, broken: set[str]
) -> None:
    """What the server does now stands beside what our limits assume."""
    monkeypatch.setitem(rules._LIMITS, "strict", changed)
    with Sandbox(rate_limits=False) as sandbox:
        found = probed(sandbox)
    failed = {check: each for check, each in found.items() if each.level is Level.FAIL}
    assert broken - {"precedence"} <= failed.keys() <= broken
    for each in failed.values():
        assert "our limits assume" in each.says
        assert f"{each.facts['size']:,} bytes as" in each.says
        assert "TikTokLimits" in each.advice


def test_counts_rounded_up_are_told_from_counts_rounded_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rule that breaks most clients, turned round."""
    monkeypatch.setattr(
        rules,
        "cut_fault",
        lambda size, chunk, count, switches: None if -(-size // chunk) == count else "no",
    )
    with Sandbox(rate_limits=False) as sandbox:
        found = probed(sandbox)
    assert found["rounded up"].level is Level.FAIL
    assert "was accepted; our limits assume that it is refused" in found["rounded up"].says


def test_an_account_that_may_not_post_ends_the_probe() -> None:
    """After one init, with the code's advice."""
    with Sandbox(rate_limits=False) as sandbox:
        sandbox.set_creator(refusal="spam_risk_too_many_posts")
        found = probed(sandbox)
        assert [each.level for each in found.values()] == [Level.FAIL]
        assert found["single chunk"].advice
        assert len(sandbox.requests) == 1


def test_a_cap_in_the_middle_ends_the_probe() -> None:
    """What is refused for the day tells nothing of cuts, and is no reading."""
    switches = Switches(posts_a_day=3)
    with Sandbox(rate_limits=False, switches=switches) as sandbox:
        found = probed(sandbox)
    assert list(found)[-2:] == ["last chunk", "cancel"]
    assert found["last chunk"].facts["code"] == "spam_risk_too_many_posts"


def test_an_init_whose_answer_is_lost_ends_the_probe() -> None:
    """It is not sent again, and what was opened before is cancelled where that can be."""
    with Sandbox(rate_limits=False) as sandbox:
        sandbox.script(Fault("init", nth=3, lose_answer=True))
        found = probed(sandbox)
        assert found["smallest chunk"].level is Level.FAIL
        assert len(sandbox.uploads) == 3
        assert found["cancel"].facts["opened"] == 2


def test_no_finding_tells_the_upload_url(usual: dict[str, Finding]) -> None:
    """Its token opens the upload: host, path and length are told, and nothing else."""
    assert "upload_token" not in str(usual)
