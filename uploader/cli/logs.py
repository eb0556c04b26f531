"""How the command logs.

Rule: log lines go to stderr above the progress bars; by default they leave out what the command
says itself.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, cast

LogFormat = Literal["console", "json"]

SAID_BY_THE_COMMAND = ("upload_failed", "outcome_unknown", "no account is named")


class _Stderr:
    """Whatever `sys.stderr` is at the moment of writing: live progress puts a stand-in there."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def configure(fmt: LogFormat, level: str | None) -> None:
    """Send the logger `uploader` to stderr; by default warnings on a console, `info` as JSON."""
    from uploader.instruments.logs import NAME
    from uploader.instruments.logs import configure as send

    send(fmt, level or ("info" if fmt == "json" else "warning"), cast(Any, _Stderr()))
    if level is None and fmt == "console":
        logging.getLogger(NAME).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(SAID_BY_THE_COMMAND)
