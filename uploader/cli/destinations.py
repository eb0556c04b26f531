"""From the words of a command line to a destination.

Rule: knows options by name only; which of them exist, the transport's factory says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Destination, TransportFactory

DEFAULT: Final = "tiktok"

_FLAGS: Final = {
    "title": "--title",
    "privacy_level": "--privacy",
    "account": "--account",
    "chunk_size": "--chunk-size",
    "base_url": "--base-url",
}
"""Options that have a flag of their own; the others go through `--option`."""

_STAND_INS: Final = {"privacy_level": "SELF_ONLY"}
"""What a plan or a demonstration fills in for a choice that only a real post needs."""


def options(pairs: Sequence[str], *, word: str = "--option") -> dict[str, str]:
    """Read `NAME=VALUE` pairs that were given by `word`."""
    named: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"{pair!r} is no option").hint(f"write {word} NAME=VALUE")
        named[name] = value
    return named


def flag(name: str) -> str:
    """Return how an option is written on the command line."""
    return _FLAGS.get(name) or f"--option {name}=..."


def build(
    factory: TransportFactory,
    token: Secret | None,
    fields: Mapping[str, Any],
    *,
    flag: Callable[[str], str] = flag,
) -> Destination:
    """Return the destination; raise `ConfigurationError` for what is missing or not taken.

    `flag(name)` is how the command at hand writes an option.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    known = {option.name for option in factory.options}
    for name in given:
        if name not in known:
            raise ConfigurationError(f"{factory.name} has no {flag(name)}").hint(
                f"it has {', '.join(map(flag, sorted(known)))}"
            )
    for option in factory.options:
        if option.required and not given.get(option.name):
            raise ConfigurationError(f"{flag(option.name)} is missing").hint(option.help)
    return factory.destination(token, given)


def stand_in(
    factory: TransportFactory, token: Secret | None, fields: Mapping[str, Any]
) -> Destination:
    """Return a destination for a file that is not really posted."""
    return build(factory, token, {**stand_ins(factory), **fields})


def stand_ins(factory: TransportFactory) -> dict[str, str]:
    """Return a value for every choice that the transport wants and nobody has made."""
    known = {option.name for option in factory.options}
    return {name: value for name, value in _STAND_INS.items() if name in known}
