"""Collects everything that a run emits, and searches it for secrets.

Rule: what a crash reporter, a log shipper or a queue could get hold of is text here.
"""

import io
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.traceback import Traceback

from uploader import UploaderError, UploadResult
from uploader.http import Response
from uploader.secret import MaskedStr, Secret

MOST_OBJECTS = 5000


class Evidence:
    """Texts, each with the place where it was found."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def add(self, where: str, text: object) -> None:
        self.texts.append((where, str(text)))

    def leaks(self, secret: str) -> list[str]:
        """Return the places that show a secret, with what stands around it."""
        found = []
        for where, text in self.texts:
            at = text.find(secret)
            if at >= 0:
                found.append(f"{where}: …{text[max(0, at - 120) : at + 40]}…")
        return found

    def take_files(self, folder: Path) -> None:
        """Take every file of a folder: a journal, and what SQLite keeps beside it."""
        for path in folder.iterdir():
            if path.is_file():
                self.add(f"file {path.name}", path.read_bytes().decode("latin-1"))

    # -- what a caller holds ---------------------------------------------------------------------

    def take(self, thing: Any) -> None:
        """Take all that can be printed or sent of something that a caller holds."""
        kind = type(thing).__name__
        self.add(f"repr of {kind}", repr(thing))
        self.add(f"str of {kind}", thing)
        self.add(f"format of {kind}", f"{thing:}")
        self.add(f"inside of {kind}", repr(inside(thing)))
        if isinstance(thing, dict):
            return  # the drop-in's own answer is data, made to be handed over
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            try:
                self.add(f"pickle of {kind}", pickle.dumps(thing, protocol))
            except (TypeError, pickle.PicklingError, AttributeError):
                continue  # what refuses to be pickled tells nothing
        if isinstance(thing, UploadResult | UploaderError):
            self.add(f"to_dict of {kind}", json.dumps(thing.to_dict()))
        if isinstance(thing, UploadResult) and thing.error is not None:
            self.take_error(thing.error)

    def take_error(self, error: BaseException) -> None:
        """Take an exception with its chain, tracebacks and the locals of every frame."""
        for link in chain(error):
            self._take_frames(link)
            self.add("notes", getattr(link, "__notes__", ""))
            self.take(link) if not isinstance(link, UploaderError) else self._take_ours(link)
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        self.add("traceback with locals", "".join(report.format(chain=True)))

    def _take_ours(self, error: UploaderError) -> None:
        self.take(error)
        for name in ("last", "error"):
            inner = getattr(error, name, None)
            if isinstance(inner, BaseException):
                self.take_error(inner)

    def _take_frames(self, error: BaseException) -> None:
        for frame, line in traceback.walk_tb(error.__traceback__):
            place = f"{frame.f_code.co_qualname}:{line}"
            for name, value in frame.f_locals.items():
                self.add(f"local {name} of {place}", repr(value))
                self.add(f"inside of local {name} of {place}", repr(inside(value)))


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, its causes and its contexts, the suppressed ones too."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or any(link is other for other in seen):
            continue
        seen.append(link)
        yield link
        waiting += [link.__cause__, link.__context__]
        waiting += getattr(link, "exceptions", ())


def inside(thing: Any) -> Any:
    """Return the attributes of a thing, which its repr may leave out."""
    if isinstance(thing, Secret | MaskedStr | Response):
        return None  # where the text has to be, behind a repr that does not show it
    if hasattr(thing, "__dict__"):
        return dict(vars(thing))
    names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: getattr(thing, name, None) for name in names if not name.startswith("__")}


def as_rich_prints_it(error: BaseException) -> str:
    """Return the traceback as the command's library would print it on request."""
    out = io.StringIO()
    report = Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_hide_dunder=False
    )
    Console(file=out, width=400).print(report)
    return out.getvalue()


class EveryRecord(logging.Handler):
    """Keep every log record of every logger, as text and with all of its attributes."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(logging.DEBUG)
        self._evidence = evidence
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name)
        where = f"log of {record.name}"
        self._evidence.add(where, record.getMessage())
        self._evidence.add(where, repr(vars(record)))
        if record.exc_info and record.exc_info[1] is not None:
            self._evidence.take_error(record.exc_info[1])
