"""Events as log lines.

Rule: the library never configures anybody's logging: it speaks to the standard logger `uploader`,
which is silent until an application gives it, or the root logger, a handler. `configure` is for
applications and the command.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import Any, Literal, TextIO

import structlog

from uploader import events
from uploader.errors import ConfigurationError

NAME = "uploader"

_LEVELS: dict[type[events.Event], int] = {
    events.BytesSent: logging.DEBUG,
    events.PartStarted: logging.DEBUG,
    events.RequestFinished: logging.DEBUG,
    events.LimitReached: logging.INFO,
    events.LimitWaited: logging.DEBUG,
    events.PartConfirmed: logging.DEBUG,
    events.PartFailed: logging.WARNING,
    events.RetryScheduled: logging.WARNING,
    events.Resynced: logging.WARNING,
    events.SourceFallback: logging.WARNING,
    events.SessionRestarted: logging.WARNING,
    events.PauseSet: logging.WARNING,
    events.PauseTried: logging.WARNING,
    events.BreakerOpened: logging.ERROR,
    events.UploadFailed: logging.ERROR,
    events.OutcomeUnknown: logging.ERROR,
}


# A LogRecord has attributes of these names, and refuses fields that would overwrite them.
RENAMED = {"name": "source", "message": "detail"}


class LogSubscriber:
    """Write one line per event, named after it in snake case, with its facts as fields."""

    def __init__(self) -> None:
        logger = logging.getLogger(NAME)
        self._stdlib = logger
        # Wrapped here with processors of its own: an unconfigured structlog would print to the
        # host's stdout, and a configured one may not expect us.
        self._log = structlog.wrap_logger(
            logger,
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.render_to_log_kwargs,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        ).bind()  # once, not with every line

    def __call__(self, event: events.Event) -> None:
        level = level_of(type(event))
        if not self._stdlib.isEnabledFor(level):
            return
        facts = {RENAMED.get(name, name): value for name, value in event.facts().items()}
        if not event.upload_id:  # an event of no upload in particular
            del facts["upload_id"]
        self._log.log(level, event_name(type(event)), **facts)


def level_of(kind: type[events.Event]) -> int:
    """Return the level that an event is logged at."""
    return _LEVELS.get(kind, logging.INFO)


def event_name(kind: type[events.Event]) -> str:
    """Return an event's stable name in logs: `PartConfirmed` is `part_confirmed`."""
    return _in_snake_case(kind.__name__)


@cache
def _in_snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def configure(
    fmt: Literal["console", "json"] = "console", level: str = "INFO", stream: TextIO | None = None
) -> None:
    """Send the logger `uploader` to `stream` (stderr), as console lines or one JSON object each.

    `uploader.logging.configure` is the public way here.
    """
    if fmt not in ("console", "json"):
        raise ConfigurationError(f"there is no log format {fmt!r}: use console or json")
    if level.upper() not in logging.getLevelNamesMapping():
        raise ConfigurationError(f"there is no log level {level!r}: use debug, info or warning")
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(fmt, colours=(stream or sys.stderr).isatty()),
        ],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    handler.set_name("uploader-configured")
    logger = logging.getLogger(NAME)
    for old in [h for h in logger.handlers if h.get_name() == "uploader-configured"]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


def _renderers(fmt: Literal["console", "json"], *, colours: bool) -> list[Any]:
    if fmt == "json":
        return [structlog.processors.JSONRenderer()]
    # Frames' locals are never printed: they may belong to somebody who holds a token.
    console = structlog.dev.ConsoleRenderer(
        exception_formatter=structlog.dev.plain_traceback, colors=colours
    )
    return [_on_one_line, console]


def _on_one_line(_logger: Any, _name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Escape what would end a line or move a terminal's cursor: names and messages are others'."""
    return {
        name: value if name == "exception" or not isinstance(value, str) else _printable(value)
        for name, value in facts.items()
    }


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
