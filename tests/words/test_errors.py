"""The exceptions of the house survive every journey with all that they know."""

import copy
import inspect
import json
import pickle
from typing import Any

import pytest

import uploader
from transports.tiktok import TikTokPublishError
from uploader import errors
from uploader.errors import (
    Recovery,
    RejectedError,
    RetriesExhaustedError,
    ServerError,
    SourceChangedError,
    TransportError,
    UploaderError,
)

FACTS: dict[str, Any] = {
    "operation": "put",
    "status": 502,
    "vendor_code": "spam_risk",
    "request_id": "20260922AB",
    "retry_after": 2.5,
    "recovery": Recovery.RESYNC,
    "ambiguous": True,
    "upload_id": "abc",
}


def every_kind() -> list[type[UploaderError]]:
    """Return the whole tree of errors."""
    found = [UploaderError]
    for kind in found:
        found += [sub for sub in kind.__subclasses__() if sub.__module__.startswith("uploader.")]
    return found


def made(kind: type[UploaderError]) -> UploaderError:
    """Return an error of this kind with every field set and two notes."""
    error: UploaderError
    if issubclass(kind, TransportError):
        error = kind("it failed: 12 of 34 bytes", **FACTS)
    elif issubclass(kind, RetriesExhaustedError):
        last = ServerError("the server failed", operation="put", status=500).hint("its own hint")
        error = kind("gave up", last=last, attempts=3, seconds=1.25, upload_id="abc")
    else:
        error = kind("it failed: 12 of 34 bytes", upload_id="abc")
    return error.hint("do this").hint("or that")


def state(error: UploaderError) -> dict[str, Any]:
    """Return all that an error knows, nested errors included."""
    return {
        name: (type(value), state(value)) if isinstance(value, UploaderError) else value
        for name, value in vars(error).items()
    }


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickle(kind: type[UploaderError], protocol: int) -> None:
    """Class, text, fields, notes and hints come back from another process as they were."""
    error = made(kind)
    back = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own
    assert (type(back), back.args, state(back)) == (kind, error.args, state(error))
    assert back.hints == ["do this", "or that"]
    assert back.__notes__ == ["do this", "or that"]
    assert (back.code, back.message, str(back)) == (error.code, error.message, str(error))


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
def test_an_error_survives_a_copy(kind: type[UploaderError]) -> None:
    """A deep copy knows what the original knows."""
    error = made(kind)
    back = copy.deepcopy(error)
    assert (type(back), back.args, state(back)) == (kind, error.args, state(error))


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
def test_an_error_becomes_json(kind: type[UploaderError]) -> None:
    """`to_dict` holds plain values only, with code, message, hints and every field."""
    error = made(kind)
    facts = error.to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["hints"] == ["do this", "or that"]
    assert facts["upload_id"] == "abc"
    assert facts["code"] == kind.code
    if isinstance(error, TransportError):
        assert {name: facts[name] for name in FACTS} == {**FACTS, "recovery": "resync"}


def test_the_failure_behind_spent_retries_is_told_too() -> None:
    """`to_dict` of spent retries has the last failure inside, as a dict with its hint."""
    facts = made(RetriesExhaustedError).to_dict()
    assert facts["last"]["code"] == "server"
    assert facts["last"]["status"] == 500
    assert facts["last"]["hints"] == ["its own hint"]
    assert (facts["attempts"], facts["seconds"]) == (3, 1.25)


def test_the_drop_ins_error_keeps_what_happened() -> None:
    """A TikTokPublishError crosses processes with the engine's error, its numbers and hints."""
    inner = RejectedError("no", operation="init", status=403, vendor_code="spam_risk").hint("wait")
    back = pickle.loads(pickle.dumps(TikTokPublishError.of(inner)))  # noqa: S301 - our own
    assert isinstance(back, TikTokPublishError)
    assert isinstance(back.error, RejectedError)
    assert (back.error.status, back.error.vendor_code) == (403, "spam_risk")
    assert back.hints == back.error.hints == ["wait"]
    assert json.loads(json.dumps(back.to_dict()))["error"]["vendor_code"] == "spam_risk"


def test_codes_are_unique_and_in_snake_case() -> None:
    """Every kind has a code of its own that a program can tell it by."""
    codes = [kind.code for kind in every_kind()]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code == code.lower() for code in codes)
    assert SourceChangedError.code == "source_changed"


@pytest.mark.parametrize(
    ("name", "recovery", "ambiguous"),
    [
        ("NetworkError", Recovery.RETRY, True),
        ("ServerError", Recovery.RETRY, True),
        ("RateLimitedError", Recovery.RETRY, False),
        ("OffsetMismatchError", Recovery.RESYNC, False),
        ("SessionExpiredError", Recovery.RESTART, False),
        ("DigestMismatchError", Recovery.RETRY, False),
        ("AuthenticationError", Recovery.NONE, False),
        ("RejectedError", Recovery.NONE, False),
        ("ProtocolError", Recovery.NONE, True),
        ("OutcomeUnknownError", Recovery.NONE, True),
    ],
)
def test_what_to_do_is_told_apart_from_what_happened(
    name: str, recovery: Recovery, ambiguous: bool
) -> None:
    """Each kind says what may be done about it, and whether the server may have acted."""
    error = getattr(errors, name)("it failed")
    assert (error.recovery, error.ambiguous) == (recovery, ambiguous)
    other = getattr(errors, name)("it failed", recovery=Recovery.NONE, ambiguous=not ambiguous)
    assert (other.recovery, other.ambiguous) == (Recovery.NONE, not ambiguous)


def test_every_error_is_exported() -> None:
    """A caller can catch every exception by a name from `uploader`."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    raised = [kind.__name__ for kind in kinds if issubclass(kind, Exception)]
    assert set(raised) <= set(uploader.__all__)
