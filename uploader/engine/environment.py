"""What the environment says about limits, waits and tries.

Rule: one row for each number, and nothing else reads these variables. What is given in the program
counts before the environment, the environment before the default. What cannot be is refused, with
the variable's name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from uploader.engine.settings import Settings
from uploader.errors import ConfigurationError
from uploader.quantities import parse_duration, parse_size
from uploader.source import SourceMode

PREFIX: Final = "UPLOADER_"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is written, and read."""

    words: str
    read: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """One number. `setting` is the field of `Settings`, or of one of its policies: `retry.cap`."""

    setting: str
    kind: Kind
    help: str

    @property
    def name(self) -> str:
        return PREFIX + self.setting.replace(".", "_").upper()

    @property
    def default(self) -> Any:
        value: Any = Settings()
        for name in self.setting.split("."):
            value = getattr(value, name)
        return value

    def read(self, text: str) -> Any:
        """Return the value of a text; raise `ConfigurationError` that names the variable."""
        try:
            return self.kind.read(text.strip())
        except ValueError as error:
            why = str(error)
        raise ConfigurationError(f"{self.name}={text!r}: {why}").hint(f"write {self.kind.words}")


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal():
            raise ValueError("it is no whole number")
        if int(text) < least:
            raise ValueError(f"it must be at least {least}")
        return int(text)

    return read


def _seconds(*, least: float = 0.0, above: bool = False) -> Callable[[str], float]:
    def read(text: str) -> float:
        seconds = parse_duration(text, bare="s")
        if seconds < least or (above and seconds == least):
            raise ValueError(f"it must be {'above' if above else 'at least'} {least:g} s")
        return seconds

    return read


def _factor(text: str) -> float:
    value = float(text) if text.isascii() else 0.0
    if not 1.0 <= value < 1000.0:
        raise ValueError("it must be from 1 to 1000")
    return value


COUNT: Final = Kind("a whole number, 1 or more", _whole(1))
COUNT_OR_NONE: Final = Kind("a whole number; 0 turns it off", _whole(0))
SECONDS: Final = Kind("seconds, or such as 90s, 15m, 2h", _seconds())
SOME_SECONDS: Final = Kind("seconds above 0, or such as 90s, 15m, 2h", _seconds(above=True))
SIZE: Final = Kind("a size such as 64MB, 16MiB or 10000000", parse_size)
FACTOR: Final = Kind("a number from 1 on, such as 1.6", _factor)
MODE: Final = Kind(f"one of {', '.join(SourceMode)}", SourceMode)

VARIABLES: Final = (
    Variable("max_uploads", COUNT, "uploads that are driven at once, each with one lane"),
    Variable("max_extra_lanes", COUNT_OR_NONE, "lanes beyond an upload's first, over all of them"),
    Variable("window_bytes", SIZE, "file content in memory at once, over all uploads"),
    Variable("stream_bytes", SIZE, "content of streams in memory at once"),
    Variable("part_size", SIZE, "about so much per part, where the destination is given no size"),
    Variable("bandwidth", SIZE, "bytes a second that go out, over all uploads"),
    Variable(
        "limit_wait", SECONDS, "the longest wait for an account's limit; then it is suspended"
    ),
    Variable("source_mode", MODE, "how files are read"),
    Variable("timeouts.connect", SOME_SECONDS, "name look-up, TCP and TLS"),
    Variable("timeouts.stall", SOME_SECONDS, "in which no byte of a body is taken"),
    Variable("timeouts.response", SOME_SECONDS, "from a request's last byte to its answer"),
    Variable("retry.attempts", COUNT, "tries of one operation without progress"),
    Variable("retry.base", SECONDS, "the first wait before a retry; each further one doubles"),
    Variable("retry.cap", SECONDS, "the longest wait before a retry"),
    Variable("retry.total", SECONDS, "in which an operation is tried without progress"),
    Variable("retry.rate_base", SOME_SECONDS, "the first wait after a 429 without Retry-After"),
    Variable("retry.rate_limit", SECONDS, "of waits for 429 answers in all"),
    Variable("poll.first", SECONDS, "the wait after the first question about processing"),
    Variable("poll.factor", FACTOR, "by how much each further wait is longer"),
    Variable("poll.slowest", SECONDS, "the longest wait between two questions"),
    Variable("poll.limit", SECONDS, "after which processing is no longer waited for"),
    Variable("poll.attempts", COUNT, "questions after which it is no longer waited for"),
    Variable("breaker.accounts", COUNT_OR_NONE, "accounts refused alike that pause a destination"),
    Variable("breaker.window", SOME_SECONDS, "in which these refusals count"),
    Variable("breaker.again", SOME_SECONDS, "after which one upload finds out whether it is over"),
)


def settings_of(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Return the settings: what is `given` (not `None`), else the environment's, else the default.

    A policy that is given counts as a whole.
    """
    known = {each.name for each in fields(Settings)}
    chosen = {name: value for name, value in given.items() if value is not None and name in known}
    policies: dict[str, dict[str, Any]] = {}
    for variable in VARIABLES:
        text = environ.get(variable.name)
        place, _, name = variable.setting.partition(".")
        if not text:
            continue
        value = variable.read(text)  # also where it does not count: a mistake is to be seen
        if place in given and given[place] is not None:
            continue
        if name:
            policies.setdefault(place, {})[name] = value
        else:
            chosen[place] = value
    defaults = Settings()
    for place, changes in policies.items():
        try:
            chosen[place] = replace(getattr(defaults, place), **changes)
        except ValueError as error:
            names = ", ".join(f"{PREFIX}{place}_{name}".upper() for name in changes)
            raise ConfigurationError(f"{names}: {error}") from None
    return Settings(**chosen)


def table() -> str:
    """Return the table of the documentation."""
    rows = ["| variable | setting | default | |", "|---|---|---|---|"]
    rows += [
        f"| `{each.name}` | `{each.setting}` | {_shown(each)} | {each.help} |" for each in VARIABLES
    ]
    return "\n".join(rows)


def _shown(variable: Variable) -> str:
    value = variable.default
    if value is None:
        return "none"
    if variable.kind is SIZE:
        return f"{value:,} bytes"
    return f"{value:g} s" if variable.kind in (SECONDS, SOME_SECONDS) else str(value)


BEGIN: Final = "<!-- settings: made by python -m uploader.engine.environment docs/settings.md -->"
END: Final = "<!-- end of settings -->"


def renewed(text: str) -> str:
    """Return a document with its table as it is now."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ConfigurationError("the document has no markers for the table of settings")
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text()))
