"""How an application's uploads are worked on, as `install` was told.

Rule: data; the guard and the tasks read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from uploader.api import Uploader
from uploader.contrib import shifts
from uploader.errors import ConfigurationError

CONSUMER_TIMEOUT = 1800.0
"""RabbitMQ closes the channel of a consumer that has not acknowledged for so many seconds, "30
minutes by default". No client can ask what a server has.
https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout"""
MARGIN = 60.0
"""Between the longest shift and a broker's patience: for clocks, and for a process to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in seconds. See `install`."""

    uploader: Callable[[], Uploader] | None = None
    seconds: float = shifts.SECONDS
    overtime: float = shifts.OVERTIME
    grace: float = shifts.GRACE
    margin: float = MARGIN
    consumer_timeout: float = CONSUMER_TIMEOUT
    sweep_every: float = 30.0
    watch_every: float = 15.0
    sweep_limit: int = shifts.SWEPT

    def __post_init__(self) -> None:
        for name in ("seconds", "sweep_every", "watch_every", "sweep_limit"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}, it must be above 0")
        for name in ("overtime", "grace", "margin"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}, it must not be below 0")

    @property
    def longest(self) -> float:
        """How long one message may be worked on."""
        return shifts.longest(self.seconds, self.overtime)


_installed: WeakKeyDictionary[Any, Settings] = WeakKeyDictionary()


def keep(app: Any, settings: Settings) -> None:
    """Remember what an application was told."""
    _installed[app] = settings


def settings_of(app: Any) -> Settings:
    """Return what `install` was told; raise `ConfigurationError` when it was not called."""
    # Tasks hold the current application by a proxy.
    real = app._get_current_object() if hasattr(app, "_get_current_object") else app
    found = _installed.get(real)
    if found is None:
        raise ConfigurationError(
            f"the Celery application {real.main!r} has not been prepared for uploads"
        ).hint("call uploader.contrib.celery.install(app) where it is made")
    return found
