"""A fault or a switch that nobody has written a case for fails here."""

from collections.abc import Iterator
from dataclasses import fields

import pytest

from tests.faults.case import PARTS, Case
from tests.faults.init_table import init_cases
from tests.faults.put_table import put_cases
from tests.faults.status_table import status_cases
from tests.faults.switch_table import changed, switch_cases
from transports.tiktok import DirectPost
from transports.tiktok.paths import Endpoint
from transports.tiktok.sandbox import Fault, Switches
from transports.tiktok.sandbox.faults import OPERATIONS
from transports.tiktok.sandbox.switches import _CHOICES

# What a fault says of when and how, beside the one thing that goes wrong.
MODIFIERS = {
    "operation",
    "nth",
    "times",
    "body",
    "headers",
    "stored",
    "early_after",
    "partial_keep",
}
EFFECTS = {field.name for field in fields(Fault)} - MODIFIERS
# Small calls, and posts that are opened by another path: tests/tiktok walks them.
NOT_ASKED = {"creator_info", "cancel", "token", "revoke", "inbox_init", "content_init"}
DIRECT = DirectPost(privacy_level="SELF_ONLY")


def possible(operation: str) -> set[str]:
    """Return the effects that the sandbox takes for an operation."""
    return {effect for effect in EFFECTS if _takes(operation, effect)}


def _takes(operation: str, effect: str) -> bool:
    value = {
        "vendor_code": "invalid_params",
        "status": 500,
        "early_status": 500,
        "delay": 1.0,
        "reset_after": 1,
        "stall_after": 1,
        "slow": 1.0,
    }.get(effect, True)
    try:
        Fault(operation, **{effect: value})  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def effects(cases: Iterator[Case], operation: str, prefix: str) -> set[str]:
    """Return the effects on an operation that the cases of a name reach."""
    return {
        fault.effects[0]
        for case in cases
        if case.name.startswith(prefix)
        for fault in case.faults
        if fault.operation == operation
    }


def test_a_fault_is_an_effect_and_its_modifiers() -> None:
    """A new field of `Fault` is an effect until somebody says that it is not."""
    for effect in EFFECTS:
        assert any(_takes(operation, effect) for operation in OPERATIONS), effect


def test_every_fault_of_init_has_a_case() -> None:
    """Init is sent once, whatever happens to it."""
    assert possible("init") == effects(init_cases(), "init", "init ")


@pytest.mark.parametrize("part", [name for _, name in PARTS])
def test_every_fault_of_a_put_has_a_case(part: str) -> None:
    """At the first part, in the middle, and at the one that publishes."""
    assert possible("put") == effects(put_cases(), "put", f"put {part} ")


@pytest.mark.parametrize("role", ["watch ", "ask about a part", "ask about the last part"])
def test_every_fault_of_the_status_has_a_case(role: str) -> None:
    """While a post is watched, and when a lost answer hangs on it."""
    assert possible("status") == effects(status_cases(), "status", role)


def test_no_flow_asks_for_what_has_no_case() -> None:
    """The list of paths without a case is right."""
    assert DIRECT.transport().path is Endpoint.VIDEO_INIT
    assert set(OPERATIONS) - NOT_ASKED == {"init", "put", "status"}


def test_every_switch_has_a_case() -> None:
    """Every choice of every switch, and at least one value of those that are numbers and texts."""
    turned: dict[str, set[object]] = {field.name: set() for field in fields(Switches)}
    for cases in (put_cases(), switch_cases()):
        for case in cases:
            for name, value in changed(case.switches).items():
                turned[name].add(value)
    plain = Switches()
    for name, values in turned.items():
        others = set(_CHOICES.get(name, ())) - {getattr(plain, name)}
        assert values, f"nobody turns {name}"
        assert values >= others, f"{name} is never {others - values}"
