"""A text column that keeps any Python string on any database.

Rule: what a database cannot keep as it is (NUL, halves of surrogate pairs, which file names may
hold, and "" where Oracle would read NULL) is written as U+001A and four hex digits.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.db import models

_MARK: Final = "\x1a"
_EMPTY: Final = _MARK + "0"
_UNFIT: Final = re.compile("[\x00\x1a\ud800-\udfff]")
_WRITTEN: Final = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def written(text: str) -> str:
    """Return a string in the form that any database keeps."""
    if not text:
        return _EMPTY
    return _UNFIT.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def read(text: str) -> str:
    """Return the string that was written."""
    if text == _EMPTY:
        return ""
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), text) if _MARK in text else text


class AnyTextField(models.TextField):  # type: ignore[type-arg]
    """Text of any length with any character in it."""

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return written(prepared) if isinstance(prepared, str) else prepared

    def from_db_value(self, value: Any, *_: Any) -> Any:
        return read(value) if isinstance(value, str) else value
