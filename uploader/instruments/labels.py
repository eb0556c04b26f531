"""Keeps the values of labels few, whoever chooses them.

Rule: a value that a server, a plug-in or a caller made up never becomes a series of its own beyond
a fixed number; what is too much is counted as `other`, so that sums stay right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from uploader.errors import UploaderError
from uploader.model import Outcome

OTHER = "other"
MOST = 12
"""Values of one label beyond those that are known beforehand."""
_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,31}", re.IGNORECASE)
_STATUS = re.compile(r"[1-9][0-9][0-9]")


class Narrow:
    """Let the `known` values of a label pass, and the first few others that look like words."""

    def __init__(self, known: Iterable[str] = (), most: int = MOST) -> None:
        self._passed = set(known)
        self._room = most

    def __call__(self, value: str) -> str:
        if value in self._passed:
            return value
        if _STATUS.fullmatch(value):
            return f"{value[0]}xx"  # a status that no standard knows
        if self._room <= 0 or not _WORD.fullmatch(value):
            return OTHER
        self._room -= 1
        self._passed.add(value)
        return value


def narrow_labels() -> dict[str, Narrow]:
    """Return a guard for each label, which knows the words of this package beforehand."""
    codes = set(_codes(UploaderError))
    statuses = {str(int(status)) for status in HTTPStatus}
    return {
        "transport": Narrow(),
        "operation": Narrow(),
        "outcome": Narrow({*map(str, Outcome), *codes, *statuses}),
        "error": Narrow({*codes, "internal"}),
        "state": Narrow(),
    }


def _codes(kind: type[UploaderError]) -> Iterator[str]:
    yield kind.code
    for below in kind.__subclasses__():
        if below.__module__.startswith("uploader."):
            yield from _codes(below)
