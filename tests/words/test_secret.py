"""What must never be printed is not printed, however one tries."""

import copy
import io
import json
import logging
import pickle
import pprint
import string
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from uploader.http import Request, origin
from uploader.model import Session
from uploader.secret import MASK, MaskedStr, Secret, masks

TEXT = "act.very-secret-0123456789"

PRINTED: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "f-string": lambda value: f"{value}",
    "f-string-repr": lambda value: f"{value!r:>40}",
    "f-string-padded": lambda value: f"{value:>40}",
    "percent-s": lambda value: "%s" % value,  # noqa: UP031 - the old way prints too
    "percent-r": lambda value: "%r" % value,  # noqa: UP031
    "str.format": "{}".format,
    "template": lambda value: string.Template("$v").substitute(v=value),
    "in-a-list": lambda value: repr([value]),
    "in-a-dict": lambda value: repr({"token": value}),
    "str-of-exception": lambda value: str(ValueError(value)),
    "repr-of-exception": lambda value: repr(ValueError(value)),
    "pprint": pprint.pformat,
    "pprint-nested": lambda value: pprint.pformat({"token": [value]}),
}


@pytest.mark.parametrize("kind", [Secret, MaskedStr])
@pytest.mark.parametrize("printed", PRINTED.values(), ids=PRINTED)
def test_no_way_of_printing_shows_it(kind: type[Any], printed: Callable[[Any], str]) -> None:
    """Each way of turning a value into text gives the mask."""
    shown = printed(kind(TEXT))
    assert "secret" not in shown
    assert MASK in shown


@pytest.mark.parametrize("kind", [Secret, MaskedStr])
def test_logging_and_tracebacks_do_not_show_it(kind: type[Any]) -> None:
    """A log line's argument and a traceback with its locals are masked."""
    token = kind(TEXT)
    stream = io.StringIO()
    logger = logging.getLogger("probe")
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("the token is %s, %r", token, token)
    try:
        raise ValueError(token)
    except ValueError as error:
        captured = traceback.TracebackException.from_exception(error, capture_locals=True)
        stream.write("".join(captured.format()))
    assert TEXT not in stream.getvalue()
    assert stream.getvalue().count(MASK) >= 4


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    """A secret does not leave the process by accident, not inside of something else either."""
    for value in (Secret(TEXT), [Secret(TEXT)], Session({}, {"upload_url": Secret(TEXT)})):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(value, protocol)


def test_a_secret_is_no_json_and_has_no_dict() -> None:
    """Neither `json` nor `vars` finds a way in."""
    with pytest.raises(TypeError):
        json.dumps(Secret(TEXT))
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


def test_secrets_compare_by_their_text() -> None:
    """Equal texts are equal secrets with equal hashes; a plain string never equals one."""
    assert Secret(TEXT) == Secret(TEXT)
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert Secret(TEXT) != Secret(TEXT + "x")
    assert Secret(TEXT) != TEXT
    assert {Secret(TEXT): 1}[Secret(MaskedStr(TEXT))] == 1


def test_any_text_can_be_compared() -> None:
    """A variable of the environment may hold bytes that are no UTF-8."""
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret("\udcff") != Secret("\udcfe")


def test_reveal_is_the_way_to_the_text() -> None:
    """The text comes back as it went in, from a secret of a secret and of a masked string too."""
    for value in (TEXT, Secret(TEXT), MaskedStr(TEXT)):
        assert Secret(value).reveal() == TEXT
        assert type(Secret(value).reveal()) is str
    assert copy.deepcopy(Secret(TEXT)) == copy.copy(Secret(TEXT)) == Secret(TEXT)
    assert not Secret("")
    assert Secret(TEXT)


def test_a_masked_string_is_a_string_to_programs() -> None:
    """Comparison, JSON and slicing see the text: the drop-in's callers hand it back to us."""
    masked = MaskedStr(TEXT)
    assert masked == TEXT
    assert hash(masked) == hash(TEXT)
    assert json.loads(json.dumps({"upload_url": masked})) == {"upload_url": TEXT}
    assert masked.startswith("act.")


def test_the_fields_of_a_masked_dataclass_are_secrets_before_anything_fails() -> None:
    """`masks` hides a field also from the frame of an `__init__` that raises."""

    @masks("token")
    @dataclass(frozen=True, kw_only=True)
    class Thing:
        token: Secret | str | None = None

        def __post_init__(self) -> None:
            raise ValueError("never made")

    raised: ValueError | None = None
    try:
        Thing(token=TEXT)
    except ValueError as error:
        raised = error
    assert raised is not None
    frame = raised.__traceback__
    shown = []
    # The first frame is this one, the second is handed the text and drops it.
    while (frame := frame.tb_next if frame else None) is not None:
        shown.append(repr(frame.tb_frame.f_locals))
    assert len(shown) == 3
    assert TEXT not in "".join(shown)


def test_requests_and_origins_do_not_show_an_upload_url() -> None:
    """The printed form of a request names scheme, host and port of its URL, and no more."""
    url = Secret("https://user:pass@open-upload.tiktokapis.com:443/video/?upload_token=secret")
    request = Request("put", "PUT", url, headers={"Authorization": Secret(TEXT)}, content=b"x")
    assert repr(request) == "<Request put PUT https://open-upload.tiktokapis.com:443>"
    assert origin("https://[broken/secret") == MASK


class Empty:
    """A body without a byte."""

    def __init__(self) -> None:
        self.digests: dict[str, bytes] = {}

    def __len__(self) -> int:
        return 0


def test_a_request_has_one_body() -> None:
    """Content and a streamed body at once are a mistake of the flow."""
    with pytest.raises(ValueError, match="not both"):
        Request("put", "PUT", "https://x", content=b"a", body=Empty())
