"""A transport's flows: pure, typed in what they raise, and not to be fooled.

Rule: real answers are recorded once from the peer; everything else is arithmetic on them.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from uploader.errors import TransportError, UploaderError
from uploader.http import Response
from uploader.model import Completion, Receipt, Session
from uploader.secret import Secret
from uploader.testing.faulty_proxy import Fault, LoseAnswer, Stall
from uploader.testing.transport_frame import Stage, TransportFrame
from uploader.testing.transport_replay import Played, flow_of, garbage, play, sealed
from uploader.testing.transport_tape import Take, Tape, taped

SUCCESSES = ("create", "put_part", "put", "complete")
"""Flows whose return says that the server did what was asked."""
MORE = 20
"""Requests after which a flow that is told only nonsense must have given up."""


class FlowContract(TransportFrame):
    """What is promised of each flow by itself."""

    @pytest.fixture
    def takes(self, stage: Stage) -> list[Take]:
        """Record every flow that the transport has, each against the real peer."""
        tape = Tape()
        film = stage.film()
        stage.upload(film, tape=tape)
        count = len(tape.asked)
        parts = [n for n, (take, _) in enumerate(tape.asked, 1) if take.name == "put_part"]
        stage.name = "one byte"
        stage.upload(stage.film(1), tape=tape)
        stage.name = "interrupted"
        _stopped(stage, tape, parts[-1] if parts else 1, "suspend")
        stage.upload(film, tape=tape, journal=stage.journal)
        stage.name = "dropped"
        _stopped(stage, tape, parts[0] if parts else 1, "cancel")
        stage.name = "answer lost"
        stage.proxy.clear()
        stage.proxy.script(Fault(number=count, act=LoseAnswer()))
        stage.upload(film, tape=tape)
        _ask(stage, tape)
        return [take for take in tape.takes if take.ended or take.error is not None]

    def test_are_functions_of_their_answers(self, takes: list[Take]) -> None:
        """Played twice without the world, a flow asks the same, and its arguments stay as given."""
        for take in takes:
            answers = [answer for _, answer in take.exchanges]
            before = copy.deepcopy(take.arguments)
            play(flow_of(take), answers)  # loads what is lazy
            flows = [flow_of(take), flow_of(take)]
            with sealed():
                first, second = (play(flow, answers) for flow in flows)

            assert first.requests == second.requests == [asked for asked, _ in take.exchanges]
            assert first.value == second.value == take.result
            assert told(first.error) == told(second.error) == told(take.error)
            assert take.arguments == before

    def test_hand_over_what_survives(self, takes: list[Take]) -> None:
        """Sessions, receipts and completions are JSON and `Secret`s: another process goes on."""
        for take in takes:
            check_value(take.result)

    def test_take_no_success_from_an_empty_answer(self, takes: list[Take]) -> None:
        """What a session or a receipt learnt from an answer is not made up where that says naught.

        The status alone is right.
        """
        for take in takes:
            for step, (_, real) in enumerate(take.exchanges):
                if take.name not in SUCCESSES or not learnt(take, real):
                    continue
                answers = [answer for _, answer in take.exchanges[:step]]
                for content in (b"", b"<html>busy</html>", b"{}"):
                    played = play(flow_of(take), [*answers, Response(real.status, {}, content)])
                    assert isinstance(played.error, TransportError), (take, played)

    def test_bear_garbage(self, takes: list[Take]) -> None:
        """Whatever is answered at any step: a `TransportError`, a question, or an honest value."""
        self._bear(takes, 200)

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_bear_much_garbage(self, takes: list[Take]) -> None:
        """The same for thousands of answers, others each time."""
        self._bear(takes, 3_000)

    def _bear(self, takes: list[Take], examples: int) -> None:
        shapes: dict[object, tuple[Take, int, st.SearchStrategy[Response]]] = {}
        for take in takes:
            for step, (asked, real) in enumerate(take.exchanges):
                shape = (take.name, step, asked.operation, real.status)
                shapes.setdefault(shape, (take, step, garbage(real)))
        cases = list(shapes.values())
        secrets = [secret for take in takes for secret in secrets_of(take)]

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=examples < 1000,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def bear(data: st.DataObject) -> None:
            take, step, strategy = cases[data.draw(st.integers(0, len(cases) - 1))]
            wrong = data.draw(strategy)
            answers = [answer for _, answer in take.exchanges[:step]]
            played = play(flow_of(take), [*answers, *[wrong] * MORE])
            check_played(take, wrong, take.exchanges[step][1], played)
            text = f"{played.error!r} {played.error} {getattr(played.error, 'hints', '')}"
            assert not [secret for secret in secrets if secret.reveal() in text]

        bear()


def check_played(take: Take, wrong: Response, real: Response, played: Played) -> None:
    """Check what came of a wrong answer."""
    if played.error is not None:
        assert isinstance(played.error, TransportError), (
            f"{take.name} raised {played.error!r} at {wrong!r}: {wrong.content[:80]!r}"
        )
        assert told(pickle.loads(pickle.dumps(played.error))) == told(played.error)  # noqa: S301
        json.dumps(played.error.to_dict())
        return
    assert played.returned, f"{take.name} still asks after {MORE} answers of {wrong!r}"
    check_value(played.value)
    refused = wrong.status >= 400 or (300 <= wrong.status < 400 and wrong.status != real.status)
    assert not (refused and take.name in SUCCESSES), f"{take.name} took {wrong!r} for success"


def check_value(value: Any) -> None:
    """Check that what a flow returned can be put down and taken up again."""
    if isinstance(value, Session | Receipt | Completion):
        assert json.loads(json.dumps(dict(value.fields))) == plain(value.fields)
    if isinstance(value, Session):
        assert all(isinstance(secret, Secret) for secret in value.secrets.values())
    if isinstance(value, Receipt):
        assert value.length is None or value.length >= 0


def plain(value: Any) -> Any:
    """Return a value with JSON's own containers."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def told(error: BaseException | None) -> object:
    """Return all that an error says, to be compared."""
    return (type(error), error.to_dict()) if isinstance(error, UploaderError) else type(error)


def learnt(take: Take, real: Response) -> bool:
    """Tell whether a flow's value holds something that stands in an answer, and nowhere before."""
    value = take.result
    if not isinstance(value, Session | Receipt):
        return False
    texts = [str(each) for each in value.fields.values() if isinstance(each, str | int)]
    texts += [each.reveal() for each in getattr(value, "secrets", {}).values()]
    known = repr(take.arguments)
    answer = f"{dict(real.headers)} {real.content.decode('utf-8', 'replace')}".replace("\\/", "/")
    return any(len(text) > 3 and text in answer and text not in known for text in texts)


def secrets_of(take: Take) -> list[Secret]:
    """Return the secrets of a take's sessions."""
    sessions = [each for each in (*take.arguments, take.result) if isinstance(each, Session)]
    return [secret for session in sessions for secret in session.secrets.values()]


def _stopped(stage: Stage, tape: Tape, number: int, how: str) -> None:
    """Stop an upload while a request of it stands still."""
    stage.proxy.clear()
    stage.proxy.script(Fault(number=number, act=Stall(0)))
    with stage.uploader(journal=stage.journal) as uploader:
        handle = uploader.submit(stage.film(), taped(stage.destination(), tape))
        stage.proxy.wait_for(lambda: stage.proxy.stalls == 1 or handle.done())
        getattr(handle, how)()
        handle.result(20)
    stage.proxy.clear()


def _ask(stage: Stage, tape: Tape) -> None:
    """Ask what no upload had a reason to ask, of a session that was recorded."""
    finished = next(iter(tape.of("complete")), None)
    if finished is None:
        return
    destination = taped(stage.destination(), tape)
    for name in ("query", "poll", "verify", "abort"):
        asked = getattr(destination.transport(), name, None)
        if asked is not None and not any(take.name == name for take in tape.takes):
            arguments = finished.arguments[: 2 if name == "verify" else 1]
            with stage.uploader() as uploader, contextlib.suppress(UploaderError):
                uploader.call(destination, name, functools.partial(asked, *arguments))
