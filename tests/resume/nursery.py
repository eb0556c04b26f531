"""Processes that post to TikTok, and meet dying, full disks, streams and time in between.

Rule: they are those of the kit's nursery, with a `work` that knows more ways to fail.
"""

from __future__ import annotations

import io
import os
import resource
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.resume.watched import Watched
from transports.tiktok import DirectPost
from uploader import Uploader, UploaderError
from uploader.events import Event
from uploader.journal import Journal
from uploader.journals import SqliteJournal
from uploader.testing import nursery as testing
from uploader.testing.nursery import Nursery

HERE = Path(__file__).resolve().parents[2]


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Have a nursery of such processes for a while."""
    with testing.nursery({}, "tests.resume.nursery", HERE) as made:
        yield made


# What follows runs in the processes themselves.


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """Upload `film` by `journal` to `post`, and tell how it ended.

    `dies` is (number of a record, whether after it), `full` the record from which on the disk takes
    nothing; `ca` trusts an authority; `tells` names events that are told as they happen. `stream`
    hands the film over as something without a descriptor, `room` is how many bytes any file may
    have, and `temporary` where the copy of a stream is made.
    """
    trusted = ssl.create_default_context(cadata=order["ca"]) if order.get("ca") else None
    journal: Any = order["journal"]
    if order.get("dies"):
        journal = _deadly(SqliteJournal(journal), *order["dies"])
    if order.get("full"):
        journal = _on_a_full_disk(SqliteJournal(journal), order["full"])

    def tell(event: Event) -> None:
        if type(event).__name__ in order.get("tells", ()):
            testing.tell({"event": type(event).__name__})

    source = Stream(order["film"]) if order.get("stream") else order["film"]
    tempfile.tempdir = order.get("temporary")
    if order.get("room"):
        _limit_files(order["room"])
    post = DirectPost(**order["post"])
    settings = {"journal": journal, "ssl_context": trusted, "metrics": False, "subscribers": [tell]}
    with Uploader(**settings, **order.get("settings", {})) as uploader:
        try:
            result = uploader.upload(source, post)
        except UploaderError as error:
            return {"raised": error.to_dict(), "holder": getattr(error, "holder", None)}
        return {"result": result.to_dict()}


class Stream(io.BytesIO):
    """A film without a descriptor."""

    def __init__(self, film: str) -> None:
        super().__init__(Path(film).read_bytes())
        self.name = film


def _deadly(journal: Journal, at: int, after: bool) -> Any:
    """Let the process die at a record."""

    def die(number: int) -> None:
        if number == at:
            testing.kill(os.getpid())

    return Watched(journal, after=die) if after else Watched(journal, before=die)


def _on_a_full_disk(journal: Journal, at: int) -> Any:
    """Let the kernel refuse every write to a file from a record on."""

    def fill(number: int) -> None:
        if number == at:
            _limit_files(0)

    return Watched(journal, before=fill)


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    testing.serve(work)
