"""Results, plans and the other frozen words."""

import json
import pickle
from typing import Any

import pytest

from uploader.errors import (
    OutcomeUnknownError,
    RejectedError,
    RetriesExhaustedError,
    ServerError,
    UploadCancelledError,
    UploaderError,
)
from uploader.model import Confirmed, Outcome, Part, Plan, Processing, Progress, UploadResult


def result(outcome: Outcome, error: UploaderError | None = None, **fields: Any) -> UploadResult:
    """Return a result with this outcome."""
    return UploadResult(outcome=outcome, upload_id="abc", transport="tiktok", error=error, **fields)


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.PROCESSING])
def test_what_went_well_raises_nothing(outcome: Outcome) -> None:
    """DONE and PROCESSING come back from `raise_for_outcome` as the result itself."""
    good = result(outcome)
    assert good.raise_for_outcome() is good
    assert good.code == str(outcome)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome.FAILED, RejectedError("refused", operation="init", status=403)),
        (
            Outcome.FAILED,
            RetriesExhaustedError("gave up", last=ServerError("x"), attempts=3, seconds=1.0),
        ),
        (Outcome.UNKNOWN, OutcomeUnknownError("who knows")),
        (Outcome.CANCELLED, UploadCancelledError("stopped")),
        (Outcome.SUSPENDED, UploadCancelledError("later")),
    ],
)
def test_what_did_not_go_well_raises_its_own_error(outcome: Outcome, error: UploaderError) -> None:
    """Every other outcome raises the very error that the result carries."""
    with pytest.raises(type(error)) as caught:
        result(outcome, error).raise_for_outcome()
    assert caught.value is error
    assert result(outcome, error).code == error.code


@pytest.mark.parametrize(
    "outcome", [Outcome.FAILED, Outcome.UNKNOWN, Outcome.CANCELLED, Outcome.SUSPENDED]
)
def test_an_outcome_without_an_error_raises_too(outcome: Outcome) -> None:
    """A bad outcome is never mistaken for a good one because nobody said why."""
    with pytest.raises(UploaderError, match=str(outcome)) as caught:
        result(outcome).raise_for_outcome()
    assert caught.value.upload_id == "abc"


def test_a_result_survives_pickle_and_becomes_json() -> None:
    """A task queue can carry a result either way, error and hints included."""
    error = RejectedError("refused", operation="init", status=403, vendor_code="spam_risk")
    error.hint("wait")
    original = result(Outcome.FAILED, error, fields={"publish_id": "v_pub_file~v2-1.7"}, size=7)
    back = pickle.loads(pickle.dumps(original))  # noqa: S301 - our own
    assert back.to_dict() == original.to_dict()
    assert back.error.hints == ["wait"]
    facts = json.loads(json.dumps(original.to_dict()))
    assert facts["fields"] == {"publish_id": "v_pub_file~v2-1.7"}
    assert facts["error"]["vendor_code"] == "spam_risk"
    assert set(facts) == set(UploadResult.__dataclass_fields__) | {"code"}


def test_outcomes_are_words() -> None:
    """An outcome compares with, and prints as, its own word."""
    assert [str(outcome) for outcome in Outcome] == [
        "done", "processing", "failed", "unknown", "suspended", "cancelled",
    ]  # fmt: skip
    assert Outcome("done") is Outcome.DONE


@pytest.mark.parametrize(
    ("size", "part_size", "count"), [(0, 1, 1), (1, 0, 1), (1, 1, 0), (10, 5, 3), (10, -5, 1)]
)
def test_a_plan_that_does_not_cover_its_file_cannot_be(
    size: int, part_size: int, count: int
) -> None:
    """No plan exists whose last part would be empty or less."""
    with pytest.raises(ValueError, match="do not cover"):
        Plan(size, part_size, count)


def test_a_plan_lists_its_parts() -> None:
    """A plan iterates, counts and indexes its parts; the last one takes the rest."""
    plan = Plan(25, 10, 2)
    assert list(plan) == [Part(0, 0, 10), Part(1, 10, 15)]
    assert (len(plan), plan.last_length) == (2, 15)
    assert [plan.is_last(part) for part in plan] == [False, True]
    assert plan.part(1).stop == 25
    for index in (-1, 2):
        with pytest.raises(IndexError):
            plan.part(index)


def test_processing_is_terminal_when_it_has_an_end() -> None:
    """Only a completion or an error ends the server's work; an unknown word does not."""
    assert not Processing("SOMETHING_NEW").is_terminal
    assert Processing("FAILED", error=RejectedError("x")).is_terminal
    assert Confirmed(None).offset is None
    assert Progress() == Progress(0, 0, 0, 0)
