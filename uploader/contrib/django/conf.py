"""The setting `UPLOADER`: what its keys mean, and what is wrong with them.

Rule: one table; what reads, checks and documents the settings goes by it. A value that is not set
is taken from the environment where a variable is named. Nothing here touches a database.
"""

from __future__ import annotations

import base64
import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string

from uploader.breaker import BreakerPolicy
from uploader.errors import ConfigurationError
from uploader.http import Timeouts
from uploader.pacing import PollPolicy
from uploader.retry import RetryPolicy
from uploader.secret import Secret
from uploader.source import SourceMode

SETTING: Final = "UPLOADER"
INFO: Final = b"mmap-uploader seal"
"""Tells keys that are derived from SECRET_KEY apart from other uses of it."""


class _Refused(ValueError):
    """What is wrong with a value, in words that follow the name of the key."""


@dataclass(frozen=True, slots=True)
class Option:
    """A key of `UPLOADER`. `read` returns the value in use; it raises `ValueError` and the like."""

    name: str
    default: str
    text: str
    read: Callable[[Any], Any]
    variable: str | None = None


def _alias(value: Any) -> str:
    if value not in settings.DATABASES:
        known = ", ".join(settings.DATABASES)
        raise _Refused(f"is {value!r}, which DATABASES does not have: it has {known}")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Refused(f"is {value!r}, a text is needed")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Refused(f"is {value!r}, True or False is needed")
    return value


def _number(*kinds: type[Any], least: float) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise _Refused(f"is {value!r}, a number is needed")
        if not float(value) >= least:
            raise _Refused(f"is {value!r}, it must be at least {least:g}")
        return value

    return read


def _policy(kind: type[Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, Mapping):
            raise _Refused(f"is {value!r}, a dict of numbers is needed")
        fields = list(kind.__dataclass_fields__)
        for name in value:
            if name not in fields:
                raise _Refused(
                    f"has {name!r}{_meant(str(name), fields)}: there are {', '.join(fields)}"
                )
        return kind(**value)

    return read


def _keys(value: Any) -> list[Secret]:
    from uploader.journals.sealing import Sealer

    given = value.split() if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not given:
        raise _Refused("is no key and no list of keys")
    keys = [Secret(key) for key in given]
    try:
        Sealer(keys)
    except ConfigurationError as error:
        raise _Refused(f"holds no Fernet key: {error.hints[0]}") from None
    return keys


def _called(value: Any) -> Callable[..., Any]:
    found = import_string(value) if isinstance(value, str) else value
    if not callable(found):
        raise _Refused(f"is {value!r}, a callable or its dotted path is needed")
    return found  # type: ignore[no-any-return]


def _subscribers(value: Any) -> list[Callable[..., Any]]:
    if not isinstance(value, (list, tuple)):
        raise _Refused(f"is {value!r}, a list of dotted paths is needed")
    return [_called(each) for each in value]


def _apps(value: Any) -> dict[str, Secret]:
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise _Refused("is no dict of names and texts")
    return {str(name): Secret(text) for name, text in value.items()}


def _limits(value: Any) -> Secret:
    try:
        import limits
        import redis
    except ImportError:
        raise _Refused("needs the extra: pip install 'mmap-uploader[redis]'") from None
    del limits, redis
    text = _text(value)
    if not text.partition("://")[0].startswith(("redis", "rediss", "unix")):
        raise _Refused("is no address of a Redis server, such as redis://localhost:6379/0")
    return Secret(text)


OPTIONS: Final = (
    Option("JOURNAL", '"default"', "Alias in `DATABASES` of the journal's tables", _alias),
    Option("TOKENS", "as `JOURNAL`", "Alias in `DATABASES` of the accounts' tables", _alias),
    Option(
        "ENVIRONMENT",
        "none",
        'What the journal belongs to, such as "production"; a copy elsewhere refuses to start',
        _text,
        "UPLOADER_ENVIRONMENT",
    ),
    Option(
        "SEAL_KEY",
        "from `SECRET_KEY`",
        "Fernet key, or a list of them, for upload URLs and tokens; the first seals, all open",
        _keys,
        "UPLOADER_SEAL_KEY",
    ),
    Option(
        "CREDENTIALS",
        "the accounts' tokens",
        "Callable, or its dotted path, that returns the token for `(transport, account)`",
        _called,
    ),
    Option(
        "APPS",
        "the environment",
        "What apps are known by, such as `TIKTOK_CLIENT_KEY` and `TIKTOK_CLIENT_SECRET`",
        _apps,
    ),
    Option("MAX_UPLOADS", "64", "Uploads that one process drives at once", _number(int, least=1)),
    Option("WINDOW_BYTES", "12 MiB", "File content in memory at once", _number(int, least=1)),
    Option("STREAM_BYTES", "96 MiB", "Content of streams in memory at once", _number(int, least=1)),
    Option(
        "BANDWIDTH", "none", "Bytes a second that one process sends", _number(int, float, least=1)
    ),
    Option(
        "LIMITS",
        "each process counts",
        "Address of the Redis server that counts accounts' limits for all machines (extra `redis`)",
        _limits,
        "UPLOADER_LIMITS",
    ),
    Option("PART_SIZE", "the destination's", "Bytes of a part, about", _number(int, least=1)),
    Option("LIMIT_WAIT", "90", "Seconds that a limit is waited for", _number(int, float, least=0)),
    Option("RETRY", "`RetryPolicy()`", "Its fields, as a dict", _policy(RetryPolicy)),
    Option("TIMEOUTS", "`Timeouts()`", "Its fields, in seconds, as a dict", _policy(Timeouts)),
    Option("POLL", "`PollPolicy()`", "Its fields, as a dict", _policy(PollPolicy)),
    Option("BREAKER", "`BreakerPolicy()`", "Its fields, as a dict", _policy(BreakerPolicy)),
    Option("PREFLIGHT", "`False`", "Ask the destination whether it would take an upload", _flag),
    Option("SOURCE_MODE", '"auto"', f"One of {', '.join(SourceMode)}", SourceMode),
    Option(
        "DISPATCH",
        "this process",
        "What drives an upload that was ordered in the admin: a task, or a callable with its id",
        _called,
    ),
    Option("METRICS", "`True`", "Count for Prometheus", _flag),
    Option("SUBSCRIBERS", "`[]`", "Callables, or dotted paths, that get every event", _subscribers),
)
NAMES: Final = tuple(option.name for option in OPTIONS)


def given() -> Mapping[str, Any]:
    """Return what `UPLOADER` says."""
    found = getattr(settings, SETTING, {})
    if not isinstance(found, Mapping):
        raise ConfigurationError(f"{SETTING} is a {type(found).__name__}, a dict is needed")
    return found


def chosen() -> dict[str, Any]:
    """Return the values in use by name, those alone that are set; raise `ConfigurationError`."""
    for sentence, hint in problems():
        raise ConfigurationError(sentence).hint(hint)
    return {option.name: option.read(raw) for option, raw in _raw()}


def problems() -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the settings, each with what to do about it."""
    try:
        names = list(given())
    except ConfigurationError as error:
        yield error.message, f'{SETTING} = {{"JOURNAL": "default"}}'
        return
    for name in names:
        if name not in NAMES:
            yield (
                f"{SETTING} has no key {name!r}{_meant(str(name), NAMES)}",
                f"there are {', '.join(NAMES)}",
            )
    for option, raw in _raw():
        try:
            option.read(raw)
        except (ValueError, TypeError, ImportError) as error:
            said = str(error) if isinstance(error, _Refused) else f"is not usable: {error}"
            yield f"{SETTING}[{option.name!r}] {said}", option.text


def seal_keys(values: Mapping[str, Any]) -> list[Secret]:
    """Return the keys: those given, then those that SECRET_KEY and its fallbacks make.

    So what was sealed before a key was given can be opened still.
    """
    derived = [_derived(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return [*values.get("SEAL_KEY", ()), *derived]


def _derived(key: str | bytes) -> Secret:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    made = HKDF(SHA256(), 32, salt=None, info=INFO)
    raw = key.encode(errors="surrogatepass") if isinstance(key, str) else key
    return Secret(base64.urlsafe_b64encode(made.derive(raw)).decode())


def _raw() -> Iterator[tuple[Option, Any]]:
    values = given()
    for option in OPTIONS:
        found = values.get(option.name)
        if found is None and option.variable is not None:
            found = os.environ.get(option.variable) or None
        if found is not None:
            yield option, found


def _meant(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name.upper(), [each.upper() for each in names], 1, 0.6)
    meant = next((each for each in names if close and each.upper() == close[0]), None)
    return f": did you mean {meant!r}?" if meant is not None else ""
