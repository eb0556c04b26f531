"""Logs for applications that have no logging of their own.

Rule: nothing happens on import, and the library never calls this. Without it, events go to the
standard logger `uploader`, which is silent until its host gives it, or the root logger, a handler.
"""

from __future__ import annotations

from typing import Literal, TextIO


def configure(
    *,
    format: Literal["console", "json"] = "console",  # noqa: A002 - the word that users look for
    level: str = "INFO",
    stream: TextIO | None = None,
) -> None:
    """Write the events of uploads to `stream` (stderr), one a line, from `level` on.

    Calling it again replaces what it did before. Only the logger `uploader` is touched: the root
    logger's handlers do not get these lines as well, and structlog's own configuration stays.
    Raises `ConfigurationError` for a format or level that there is not.
    """
    from uploader.instruments.logs import configure as send

    send(format, level, stream)
