"""The one uploader of a process, made from the settings when it is first needed.

Rule: nothing is asked of a database before the first upload; a forked child goes on with the same
object, which starts afresh there; at exit it is closed; a test that changes the settings gets
another one.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any, Final

from django.core.signals import setting_changed

from uploader.api import Uploader
from uploader.contrib.django import conf
from uploader.contrib.django.credentials import StoredCredentials
from uploader.contrib.django.journal import DjangoJournal
from uploader.contrib.django.signals import announcer
from uploader.contrib.django.store import DjangoTokenStore

GRACE: Final = 2.0
"""Seconds for uploads to record where they stand when the process ends."""
READ: Final = frozenset({"UPLOADER", "DATABASES", "SECRET_KEY", "SECRET_KEY_FALLBACKS"})
"""The settings that an uploader is made from."""
_FACE: Final = {
    "MAX_UPLOADS": "max_uploads",
    "WINDOW_BYTES": "window_bytes",
    "STREAM_BYTES": "stream_bytes",
    "BANDWIDTH": "bandwidth",
    "LIMIT_WAIT": "limit_wait",
    "PART_SIZE": "part_size",
    "BREAKER": "breaker",
    "RETRY": "retry",
    "TIMEOUTS": "timeouts",
    "POLL": "poll",
    "PREFLIGHT": "preflight",
    "SOURCE_MODE": "source_mode",
    "METRICS": "metrics",
    "SUBSCRIBERS": "subscribers",
}


class _Made:
    """An uploader, and what was opened for it."""

    def __init__(self) -> None:
        values = conf.chosen()
        keys = conf.seal_keys(values)
        using = values.get("JOURNAL", "default")
        self.journal = DjangoJournal(using, keys=keys, environment=values.get("ENVIRONMENT"))
        self.store = DjangoTokenStore(values.get("TOKENS", using), keys=keys)
        stored = StoredCredentials(self.store, values.get("APPS", {}))
        own = {name: values[key] for key, name in _FACE.items() if key in values}
        announce = announcer(lambda: self.journal)
        self.settings: dict[str, Any] = {
            **own,
            "journal": self.journal,
            "credentials": values.get("CREDENTIALS", stored),
            "limiter": _limiter(values, keys),
            "subscribers": [announce, *own.get("subscribers", ())],
        }
        self.uploader = Uploader(**self.settings)

    def close(self) -> None:
        self.uploader.close(GRACE)
        self.journal.close()
        self.store.close()


_lock = threading.Lock()
_made: _Made | None = None


def get_uploader() -> Uploader:
    """Return the uploader of this process; raise `ConfigurationError` for bad settings."""
    return _get().uploader


def get_token_store() -> DjangoTokenStore:
    """Return the token store of this process; raise `ConfigurationError` for bad settings."""
    return _get().store


def journal_alias() -> str:
    """Return the alias of the journal's database."""
    return _get().journal.alias


def get_settings() -> dict[str, Any]:
    """Return what the uploader of this process was made with, for another one beside it."""
    return dict(_get().settings)


def close() -> None:
    """Close the uploader of this process, if there is one; the next use makes another one."""
    global _made
    with _lock:
        made, _made = _made, None
    if made is not None:
        made.close()


def _get() -> _Made:
    global _made  # noqa: PLW0603 - there is one for each process
    with _lock:
        if _made is None:
            _made = _Made()
        return _made


def _limiter(values: dict[str, Any], keys: list[Any]) -> Any:
    if "LIMITS" not in values:
        return None
    from uploader.contrib.redis import RedisLimiter

    # The last key: the oldest one stays longest when keys are changed, and counts go on.
    return RedisLimiter(values["LIMITS"], key=keys[-1])


def _changed(*, setting: str, **_: Any) -> None:
    if setting in READ:
        close()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may hold it for ever
    _lock = threading.Lock()


setting_changed.connect(_changed, dispatch_uid="uploader")
atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
