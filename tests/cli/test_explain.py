"""What a code means, as a person at a terminal is told."""

import json
from collections.abc import Iterator

import pytest

from tests.cli.command import run
from transports.tiktok.catalogue import MEANINGS
from uploader import errors
from uploader.cli.explain import meaning_of
from uploader.errors import RejectedError, RetriesExhaustedError, ServerError, UploaderError


def own_errors(kind: type[UploaderError] = UploaderError) -> Iterator[type[UploaderError]]:
    """Yield the exceptions of the house, without those of a destination."""
    if kind.__module__ == errors.__name__:
        yield kind
    for each in kind.__subclasses__():
        yield from own_errors(each)


NAMES = [(name, row) for row in MEANINGS for name in (row.code, *row.spellings)]


@pytest.mark.parametrize(("name", "row"), NAMES, ids=[name for name, _ in NAMES])
def test_every_code_of_tiktok_is_explained(
    capsys: pytest.CaptureFixture[str], name: str, row: object
) -> None:
    """Each code, fail reason and answer, in each spelling, with the words of the catalogue."""
    ended = run(capsys, "explain", name, "--json")
    (found,) = json.loads(ended.out)["meanings"]
    assert ended.code == 0
    assert (found["says"], found["of"]) == (getattr(row, "says", None), "tiktok")
    plain = run(capsys, "explain", name).out
    assert found["advice"][1:] in plain
    assert found["error"] in plain


def test_every_code_of_ours_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """A new exception has a row, too."""
    for kind in own_errors():
        ended = run(capsys, "explain", kind.code, "--json")
        assert ended.code == 0, kind
        assert kind.__name__ in {each["error"] for each in json.loads(ended.out)["meanings"]}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("Access_Token_Invalid ", "access_token_invalid"), ("503", "5xx"), ("429", "rate_limit_exc")],
)
def test_a_code_is_found_as_people_type_it(
    capsys: pytest.CaptureFixture[str], typed: str, meant: str
) -> None:
    """Upper case, spaces and HTTP statuses."""
    ended = run(capsys, "explain", typed)
    assert (ended.code, meant in ended.out) == (0, True)


@pytest.mark.parametrize(
    ("typed", "similar"),
    [("acess_token", "access_token_invalid"), ("frame", "frame_rate_check_failed"),
     ("zzzz", "codes are such as")],
)  # fmt: skip
def test_an_unknown_code_names_similar_ones(
    capsys: pytest.CaptureFixture[str], typed: str, similar: str
) -> None:
    """Exit code 2, one line, nothing on stdout."""
    ended = run(capsys, "explain", typed)
    assert (ended.code, ended.out) == (2, "")
    assert similar in ended.complaints[0]


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (RejectedError("no", vendor_code="spam_risk"), "spam_risk"),
        (RejectedError("no", vendor_code="invalid_param"), "invalid_params"),
        (RejectedError("no", vendor_code="word_of_tomorrow"), "rejected"),
        (
            RetriesExhaustedError(
                "3 times",
                last=ServerError("busy", vendor_code="internal_error"),
                attempts=3,
                seconds=1,
            ),
            "internal_error",
        ),
        (
            RetriesExhaustedError("3 times", last=ServerError("busy"), attempts=3, seconds=1),
            "server",
        ),
    ],
)
def test_a_recorded_error_is_explained_by_the_nearest_word(
    error: UploaderError, meant: str
) -> None:
    """The destination's own word first, then ours of what went wrong last."""
    found = meaning_of("tiktok", error.to_dict())
    assert found is not None
    assert found.code == meant
    assert all(sentence.endswith(".") for sentence in found.sentences)


def test_a_recorded_error_that_nobody_knows_is_left_to_its_own_words() -> None:
    """A transport that is gone, or a code of somebody else's."""
    assert meaning_of("gone", {"code": "of_tomorrow", "message": "?"}) is None
