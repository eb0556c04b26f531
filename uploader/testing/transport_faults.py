"""A transport among faults: every kind of request meets every kind of fault.

Rule: what must be survived is survived in the same call; whatever else comes of it, the peer never
holds anything but the film, and never twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from uploader import Outcome, UploadResult
from uploader.model import KIB
from uploader.testing.faulty_proxy import (
    Act,
    Answer,
    Drop,
    Fault,
    Garble,
    LoseAnswer,
    ResetAfter,
    Slow,
    Stall,
    Truncate,
)
from uploader.testing.transport_frame import HASTY, PATIENT, Stage, TransportFrame
from uploader.testing.transport_tape import Take, Tape
from uploader.transport import Moment

ELSEWHERE: Final = "/elsewhere-nobody-goes"


@dataclass(frozen=True)
class Kind:
    """One kind of fault, made for a body of so many bytes."""

    name: str
    make: Callable[[int], Act]
    gentle: bool = False
    """It harms nothing: an upload that meets it is done, whatever the request."""
    passing: bool = False
    """It says nothing against the upload: a request that can be sent again, or asked about, is."""
    brief: bool = False
    """It is tried in the short form too."""


LIMITED: Final = {"Retry-After": "0"}
KINDS: Final = (
    Kind("dropped", lambda size: Drop(), passing=True, brief=True),
    Kind("answer lost", lambda size: LoseAnswer(), passing=True, brief=True),
    Kind("reset in mid-body", lambda size: ResetAfter(size // 2), passing=True, brief=True),
    Kind("500", lambda size: Answer(500), passing=True),
    Kind("503 in mid-body", lambda size: Answer(503, after=size // 2), passing=True),
    Kind("503 after it acted", lambda size: Answer(503, forward=True), passing=True, brief=True),
    Kind("429", lambda size: Answer(429, headers=LIMITED), gentle=True),
    Kind("416", lambda size: Answer(416)),
    Kind("404", lambda size: Answer(404)),
    Kind("403", lambda size: Answer(403)),
    Kind("redirect", lambda size: Answer(307, headers={"Location": ELSEWHERE})),
    Kind("no HTTP", lambda size: Garble(), brief=True),
    Kind("no HTTP after it acted", lambda size: Garble(forward=True)),
    Kind("an empty 200", lambda size: Answer(200)),
    Kind("a page", lambda size: Answer(200, b"<html>busy</html>", {"Content-Type": "text/html"})),
    Kind("answer cut off", lambda size: Truncate(0)),
    Kind("slow", lambda size: Slow(max(1, min(64 * KIB, size // 2))), gentle=True),
    Kind("stall before", lambda size: Stall(0), passing=True),
    Kind("stall in mid-body", lambda size: Stall(size // 2), passing=True),
    Kind("stall after", lambda size: Stall(), passing=True),
)


class FaultContract(TransportFrame):
    """What a fault comes to."""

    def test_survives_faults(self, stage: Stage) -> None:
        """The kinds that harm most, at each kind of request."""
        self._meet(stage, [kind for kind in KINDS if kind.brief], every=False)

    @pytest.mark.slow
    @pytest.mark.timeout(900)
    @pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
    def test_survives_every_fault(self, stage: Stage, kind: Kind) -> None:
        """At every single request of an upload."""
        self._meet(stage, [kind], every=True)

    def _meet(self, stage: Stage, kinds: list[Kind], *, every: bool) -> None:
        for size in (stage.long, 1):
            stage.name, tape = f"plain {size}", Tape()
            stage.proxy.clear()
            film = stage.film(size)
            stage.check_done(film, stage.upload(film, tape=tape))
            for number in chosen(tape, every=every):
                for kind in kinds:
                    stage.name = f"{kind.name} {number} {size}"
                    self._one(stage, size, tape, number, kind)

    def _one(self, stage: Stage, size: int, tape: Tape, number: int, kind: Kind) -> None:
        """Let one request of one upload meet a fault."""
        film = stage.film(size)
        take, request = tape.asked[number - 1]
        bulk = request.body if request.body is not None else request.content
        stage.proxy.clear()
        stage.proxy.script(Fault(number=number, act=kind.make(len(bulk or b""))))
        stalls = kind.name.startswith("stall")
        journal = stage.folder / f"{stage.name}.db"
        timeouts = HASTY if stalls else PATIENT
        result = stage.upload(film, journal=journal, timeouts=timeouts)
        met = f"{take.name} ({request.operation}, request {number}) met {kind.name!r}: {result}"

        assert not [each for each in stage.proxy.exchanges if ELSEWHERE in each.path], met
        stage.check_held(film, result)
        if kind.gentle or (kind.passing and survivable(stage, take)):
            assert result.outcome is Outcome.DONE, met
        check_again(stage, result, met, lambda: stage.upload(film, journal=journal))


def chosen(tape: Tape, *, every: bool) -> list[int]:
    """Return the numbers of the requests that meet faults: all, or one of each kind."""
    if every:
        return list(range(1, len(tape.asked) + 1))
    kinds: dict[object, int] = {}
    for number, (take, request) in enumerate(tape.asked, 1):
        last = take.part is not None and take.part.index == last_part(tape)
        kinds[take.name, request.operation, last] = number
    return sorted(kinds.values())


def last_part(tape: Tape) -> int:
    """Return the greatest index of a part."""
    return max(take.part.index for take in tape.takes if take.part is not None)


def survivable(stage: Stage, take: Take) -> bool:
    """Tell whether an upload must get over a passing fault of this flow by itself.

    Not where a request can neither be repeated nor asked about: there nobody knows.
    """
    destination = stage.destination().transport()
    moment = destination.capabilities.irreversible
    match take.name:
        case "create":
            return destination.capabilities.opens_again
        case "complete":
            return moment is not Moment.COMPLETE or hasattr(destination, "verify")
        case "put_part":
            return moment is not Moment.LAST_PART or hasattr(destination, "query")
    return True


def check_again(
    stage: Stage, result: UploadResult, met: str, again: Callable[[], UploadResult]
) -> None:
    """Check that the same call, without a fault, leaves one object, or none and says so."""
    stage.proxy.clear()
    film = stage.film(result.size or None)
    second = again()
    stage.check_held(film, second)
    if result.outcome is not Outcome.UNKNOWN:
        assert second.outcome is Outcome.DONE, f"{met}, and then {second}"
