"""Plays a case: a sandbox, an uploader on a stepped clock, one upload, and what is always true."""

import asyncio
import json
import pickle
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.faults.case import CHUNK, LAST, SET, SIZE, SMALL, Case
from tests.faults.clock import SteppedClock
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import RequestRecord, Sandbox
from uploader import Outcome, RetriesExhaustedError, Timeouts, Uploader, UploadResult
from uploader.secret import Secret

RANGES = [f"bytes {n * CHUNK}-{(n + 1) * CHUNK - 1}/{SIZE}" for n in range(LAST)]
ONLY = f"bytes 0-{SMALL - 1}/{SMALL}"

TRANSPORT_LEVEL = frozenset(
    {
        "delay",
        "early_status",
        "lose_answer",
        "lose_request",
        "reset_after",
        "slow",
        "stall_after",
        "stall_answer",
    }
)
PATIENT = Timeouts(connect=20.0, stall=20.0, response=20.0)
# These run on the loop's own clock: as short as a busy machine lets an honest answer pass.
HASTY = Timeouts(connect=20.0, stall=0.3, response=0.5)


@dataclass(frozen=True)
class Films:
    """A file of three parts, and one of a single small part."""

    long: Path
    small: Path


@dataclass(frozen=True)
class Tls:
    """The server's and the client's half."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@dataclass
class Scene:
    """A sandbox, and an uploader that lives by its clock."""

    sandbox: Sandbox
    uploader: Uploader
    clock: SteppedClock
    film: Path
    post: dict[str, Any] = field(default_factory=dict)
    uncounted: int = 0
    """Requests that came before the upload."""

    def destination(self) -> DirectPost:
        fields: dict[str, Any] = {
            "privacy_level": "SELF_ONLY",
            "account": "acme",
            "access_token": Secret(self.sandbox.access_token),
            "chunk_size": 5_242_880,
            "base_url": self.sandbox.base_url,
        }
        return DirectPost(**{**fields, **self.post})

    def seen(self, operation: str) -> int:
        return sum(request.operation == operation for request in self.requests)

    @property
    def requests(self) -> list[RequestRecord]:
        return self.sandbox.requests[self.uncounted :]

    @property
    def ranges(self) -> list[str | None]:
        return [request.range for request in self.requests if request.operation == "put"]


@contextmanager
def scene(
    films: Films,
    case: Case,
    tls: Tls | None = None,
    **settings: Any,
) -> Iterator[Scene]:
    """Serve a case's sandbox and an uploader for it."""
    effects = {effect for _, effect in case.effects}
    settings.setdefault("timeouts", HASTY if effects & _STALLING else PATIENT)
    with Sandbox(
        ssl_context=tls.server if tls else None,
        switches=case.switches,
        processing_seconds=case.processing_seconds,
    ) as sandbox:
        clock = SteppedClock(sandbox.clock)
        with Uploader(
            clock=clock,
            metrics=False,
            ssl_context=tls.client if tls else None,
            retry=case.retry,
            **settings,
        ) as uploader:
            film = films.small if case.small else films.long
            playing = Scene(sandbox, uploader, clock, film, dict(case.post))
            if case.before is not None:
                case.before(playing)
                playing.uncounted = len(sandbox.requests)
                clock.waits.clear()
            sandbox.script(*case.faults)
            yield playing


_STALLING = frozenset({"stall_after", "stall_answer"})


def play(films: Films, case: Case, tls: Tls | None = None, **settings: Any) -> None:
    """Upload the film and check how it ended, and all that is true however it ended."""
    with scene(films, case, tls, **settings) as playing:
        result = playing.uploader.upload(playing.film, playing.destination(), poll=case.poll)
        check_end(playing, case, result)
        check_always(playing, result)


def check_end(playing: Scene, case: Case, result: UploadResult) -> None:
    """Check what the case's table promises."""
    ends = case.ends
    assert result.outcome is ends.outcome, result
    assert type(result.error) is (ends.error or type(None)), result.error
    failure: Any = result.error
    if isinstance(failure, RetriesExhaustedError):
        failure = failure.last
        assert type(failure) is ends.last
    for name, value in ends.facts.items():
        check_value(name, getattr(failure, name), value)
    for name, value in ends.fields.items():
        check_value(name, result.fields.get(name), value)
    asked = playing.seen("init"), playing.seen("put"), playing.seen("status")
    assert asked == (ends.inits, ends.puts, ends.statuses)
    if ends.waits is not None:
        assert playing.clock.waits == list(ends.waits)


def check_value(name: str, found: object, wanted: object) -> None:
    """Compare one fact, or see that it is there."""
    assert found is not None if wanted is SET else found == wanted, (name, found)


def check_always(playing: Scene, result: UploadResult) -> None:
    """Check what no fault may change."""
    sandbox = playing.sandbox
    assert sandbox.violations == []
    assert sandbox.pending_faults == [], "a fault was scripted that did not happen"
    assert len(sandbox.posts) <= 1
    assert playing.seen("redirected") == playing.seen("unknown") == 0
    check_ranges(playing.ranges, RANGES if playing.film.stat().st_size == SIZE else [ONLY])
    if result.outcome is Outcome.DONE:
        sandbox.assert_posted_once(playing.film)
        assert result.error is None
    if result.error is not None:
        assert result.error.upload_id == result.upload_id
        assert pickle.loads(pickle.dumps(result.error)).to_dict() == result.error.to_dict()  # noqa: S301
    json.dumps(result.to_dict())
    check_given_back(playing.uploader)


def check_ranges(ranges: list[str | None], plan: list[str]) -> None:
    """In order, without gaps, and the same bytes when one is sent again."""
    once = [found for found, _ in groupby(ranges)]
    assert once == plan[: len(once)]


def check_given_back(uploader: Uploader) -> None:
    """No window is held and no reader runs once an upload is over."""
    engine, loop = uploader._thread._engine, uploader._thread._loop
    assert engine is not None
    assert loop is not None
    assert (engine.budget.used, engine.budget.windows, engine.budget.active) == (0, 0, 0)

    async def running() -> set[str]:
        return {task.get_name() for task in asyncio.all_tasks()}

    names = asyncio.run_coroutine_threadsafe(running(), loop).result(5)
    assert "uploader-reader" not in names
