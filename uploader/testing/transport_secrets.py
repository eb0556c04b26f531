"""A transport's secrets: in nothing that an upload emits, however it ends.

Rule: what a crash reporter, a log shipper or a reader of the disk could get hold of is text here.
"""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from uploader import UploaderError, UploadResult
from uploader.events import Event
from uploader.secret import Secret
from uploader.testing.faulty_proxy import Act, Answer, Drop, Fault, Garble
from uploader.testing.transport_flows import secrets_of
from uploader.testing.transport_frame import Stage, TransportFrame
from uploader.testing.transport_tape import Tape, taped

SHORTEST = 8
"""A shorter value stands in many texts by chance."""


class Findings(logging.Handler):
    """Texts, each with the place where it was found."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[tuple[str, str]] = []

    def add(self, where: str, text: object) -> None:
        self.texts.append((where, str(text)))

    def emit(self, record: logging.LogRecord) -> None:
        self.add(f"log of {record.name}", f"{record.getMessage()} {vars(record)!r}")

    def hear(self, event: Event) -> None:
        self.add("event", f"{event!r} {event.facts()!r}")

    def take(self, thing: Any) -> None:
        """Take all that can be printed or sent of something that a caller holds."""
        kind = type(thing).__name__
        self.add(f"printed {kind}", f"{thing!r} {thing} {thing!s:>1}")
        if isinstance(thing, UploadResult | UploaderError):
            self.add(f"{kind} as JSON", json.dumps(thing.to_dict()))
            self.add(f"pickled {kind}", pickle.dumps(thing))
        if isinstance(thing, UploadResult) and thing.error is not None:
            self.take(thing.error)
        if isinstance(thing, BaseException):
            report = traceback.TracebackException.from_exception(thing, capture_locals=True)
            self.add("traceback with locals", "".join(report.format(chain=True)))

    def take_files(self, folder: Path) -> None:
        for path in folder.glob("**/*.db*"):
            self.add(f"file {path.name}", path.read_bytes().decode("latin-1"))

    def showing(self, secret: str) -> list[str]:
        """Return the places that show a secret, with what stands around it."""
        spots = ((where, text, text.find(secret)) for where, text in self.texts)
        return [
            f"{where}: …{text[max(0, at - 80) : at + 20]}…" for where, text, at in spots if at >= 0
        ]


class SecretContract(TransportFrame):
    """What nobody may read."""

    @pytest.fixture
    def findings(self) -> Iterator[Findings]:
        """Listen to every logger, at DEBUG."""
        findings = Findings()
        loggers = [logging.getLogger(name) for name in ("", "uploader", "asyncio", "aiohttp")]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
        loggers[0].addHandler(findings)
        try:
            yield findings
        finally:
            loggers[0].removeHandler(findings)
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)

    @pytest.mark.parametrize(
        "act",
        [None, Drop(), Garble(), Answer(500), Answer(403), Answer(200, b"{}")],
        ids=["well", "dropped", "no HTTP", "500", "403", "nonsense"],
    )
    def test_no_secret_is_told(self, stage: Stage, findings: Findings, act: Act | None) -> None:
        """Neither the token nor what opens a session, wherever an upload fails and goes on."""
        film, tape = stage.film(), Tape()
        found = findings.take
        for number in range(1, 1 if act is None else 6):
            stage.name = f"secret {number}"
            stage.proxy.clear()
            stage.proxy.script(Fault(number=number, act=act or Drop(), times=4))
            self._upload(stage, found, film, tape, findings.hear)
        stage.proxy.clear()
        self._upload(stage, found, film, tape, findings.hear)
        destination = stage.destination()
        for thing in (destination, destination.transport(), stage.factory, destination.fields()):
            found(thing)
        for take in tape.takes:
            found(take.result)
            if take.error is not None:
                found(take.error)
            for request, response in take.exchanges:
                found(request)
                found(response)
        findings.take_files(stage.folder)

        secrets = [Secret(each) for each in known(stage, tape)]
        assert secrets or not stage.peer.token
        leaks = [leak for secret in secrets for leak in findings.showing(secret.reveal())]
        assert not leaks, "\n".join(leaks[:5])

    def _upload(
        self,
        stage: Stage,
        found: Callable[[Any], None],
        film: Path,
        tape: Tape,
        hear: Callable[[Event], None],
    ) -> None:
        """Upload, and keep all that comes of it."""
        with stage.uploader(journal=stage.journal, subscribers=[hear]) as uploader:
            handle = uploader.submit(film, taped(stage.destination(), tape))
            found(handle)
            try:
                found(handle.result(30))
            except UploaderError as error:
                found(error)
            found(uploader)


def known(stage: Stage, tape: Tape) -> set[str]:
    """Return the token and every piece of what opens a session that is long enough to be one.

    A piece that the session, or the address of another request, tells in public is none.
    """
    token = stage.peer.token or ""
    pieces = {token, *stage.peer.secrets}
    for take in tape.takes:
        for secret in secrets_of(take):
            text = secret.reveal()
            parts = urlsplit(text)
            pieces |= {text, text.removeprefix(f"{parts.scheme}://{parts.netloc}")}
            pieces |= {value for _, value in parse_qsl(parts.query)}
            public = json.dumps([dict(s.fields) for s in take_sessions(take)])
            pieces = {piece for piece in pieces if piece not in public}
    return {piece for piece in pieces - addressed(tape) if len(piece) >= SHORTEST}


def addressed(tape: Tape) -> set[str]:
    """Return the values that stand in the queries of addresses which are no secret."""
    urls = [asked.url for take in tape.takes for asked, _ in take.exchanges]
    queries = [urlsplit(url).query for url in urls if isinstance(url, str)]
    return {value for query in queries for _, value in parse_qsl(query)}


def take_sessions(take: Any) -> list[Any]:
    """Return the sessions that a take holds."""
    return [each for each in (*take.arguments, take.result) if hasattr(each, "secrets")]
