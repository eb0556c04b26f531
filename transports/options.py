"""What a command line gives, as values; and the token, as it may go into a header.

Rule: pure; what is not understood is a `ConfigurationError` that names the option.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from uploader.errors import ConfigurationError
from uploader.secret import Secret

_SWITCHES: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def given(transport: str, fields: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return the fields that are not `None`; refuse one that nobody knows."""
    found = {name: value for name, value in fields.items() if value is not None}
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise ConfigurationError(f"{transport} has no options {', '.join(unknown)}")
    return found


def number(name: str, value: Any) -> int:
    """Return an option as a whole number."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} is no number") from None


def switch(name: str, value: Any) -> bool:
    """Return an option as true or false."""
    found = value if isinstance(value, bool) else _SWITCHES.get(str(value).lower())
    if found is None:
        raise ConfigurationError(f"{name} is neither true nor false")
    return found


def check_token(token: Secret | str | None) -> None:
    """Raise `ConfigurationError` for a token that no header can carry."""
    if token is not None and not token:
        raise ConfigurationError("the access token is empty")
    if token is not None and not Secret(token).fits_a_header():
        raise ConfigurationError(
            "the access token holds a line end, a space or another character that no header takes"
        ).hint("look for a line end or a space around it")
