"""kill -9 at every record of the journal and at random moments, then the same call again."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable

import pytest

from tests.resume.records import FIRST, OPENING, RECORDS, SESSION
from tests.resume.stage import Stage
from uploader import Outcome
from uploader.journal import State
from uploader.testing.nursery import KILLED, Nursery, kill

BEFORE, AFTER = False, True
LOST_INIT = {(OPENING, AFTER), (SESSION, BEFORE)}
"""Between sending `init` and recording its answer."""
MOMENTS = [
    pytest.param(number, after, id=f"{'after' if after else 'before'} {name}")
    for number, name in enumerate(RECORDS, 1)
    for after in (BEFORE, AFTER)
]


@pytest.fixture(params=["plain", "tls"])
def killed_on(request: pytest.FixtureRequest) -> Stage:
    """Serve with and without TLS."""
    stage: Stage = request.getfixturevalue("stage" if request.param == "plain" else "tls_stage")
    return stage


@pytest.mark.parametrize(("number", "after"), MOMENTS)
def test_killed_at_a_record(killed_on: Stage, children: Nursery, number: int, after: bool) -> None:
    """Killed at any record, the same call ends with one post, or as UNKNOWN after a lost init."""
    stage = killed_on
    assert children.run(stage.order(dies=(number, after)))["exit"] == KILLED

    result = stage.upload()

    if (number, after) in LOST_INIT:
        check_lost_init(stage, result.outcome)
    else:
        stage.check_posted_once(result)


@pytest.mark.parametrize("number", range(1, len(RECORDS) + 1))
def test_killed_at_every_record_of_a_resumed_run(
    stage: Stage, children: Nursery, number: int
) -> None:
    """A run that goes on after a kill may be killed at any of its records, too."""
    assert children.run(stage.order(dies=(FIRST, AFTER)))["exit"] == KILLED
    ended = children.run(stage.order(dies=(number, BEFORE)))

    result = stage.upload()

    stage.check_posted_once(result, kills=2 if ended["exit"] == KILLED else 1)


def test_the_whole_run_has_no_other_records(stage: Stage, children: Nursery) -> None:
    """The matrix above kills at every record that there is."""
    ended = children.run(stage.order(dies=(len(RECORDS) + 1, BEFORE)))

    assert ended["exit"] == 0
    assert ended["result"]["outcome"] == "done"


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_moments(killed_on: Stage, children: Nursery, seed: int) -> None:
    """Killed at any moment, the same call ends with one post, or as UNKNOWN after a lost init."""
    die_and_go_on(killed_on, children, random.Random(seed))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fifty", range(3))
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_killed_at_300_random_moments(
    set_stage: Callable[..., Stage],
    children: Nursery,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
    secure: bool,
    fifty: int,
) -> None:
    """150 uploads over plain and 150 over TLS, each killed up to three times."""
    chance = random.Random(f"chaos {secure} {fifty}")
    for _ in range(50):
        stage = set_stage(*(tls_server_context, tls_client_context) if secure else ())
        die_and_go_on(stage, children, chance)
        stage.sandbox.stop()


def die_and_go_on(stage: Stage, children: Nursery, chance: random.Random) -> None:
    """Kill an upload once to three times, end it, and check what came of it."""
    kills = 0
    for _ in range(chance.choice((1, 1, 2, 3))):
        pid = children.start(stage.order())
        # A whole run takes about a seventh of a second; a part of it is where the time goes.
        children.ends_within(chance.uniform(0.0, 0.15))
        kill(pid)
        kills += children.wait()["exit"] == KILLED
    entry = stage.entry()
    lost = entry is not None and entry.state in (State.OPENING, State.UNKNOWN)
    result = stage.upload()
    if lost and entry is not None and entry.session is None:
        check_lost_init(stage, result.outcome)
    else:
        stage.check_posted_once(result, kills=kills)


def check_lost_init(stage: Stage, outcome: Outcome) -> None:
    """Check that nobody knows, and that nothing was sent on that ground."""
    assert outcome is Outcome.UNKNOWN
    assert stage.seen("init") <= 1
    assert stage.seen("put") == 0
    assert stage.sandbox.posts == []
