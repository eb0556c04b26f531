"""A transport's uploads under kill -9: at every record of the journal, and at any moment.

Rule: the process that dies is a real one, the journal a file; the same call, by another process,
ends with one object or knows that it does not know.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from uploader import Outcome
from uploader.testing.nursery import KILLED, Nursery, kill, nursery
from uploader.testing.transport_frame import Peer, Stage, TransportFrame
from uploader.transport import Moment


class KillContract(TransportFrame):
    """What a dead process leaves behind."""

    @pytest.fixture
    def children(self, peer: Peer) -> Iterator[Nursery]:
        """Start processes from a warm interpreter."""
        with nursery(peer.environment) as started:
            yield started

    def test_killed_at_some_records(self, stage: Stage, children: Nursery) -> None:
        """Right after a record of the journal: opened, a part, the last word."""
        self._die_at_each(stage, children, after=True, most=6)

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_killed_at_each_record(self, stage: Stage, children: Nursery, after: bool) -> None:  # noqa: FBT001
        """Before each the peer has acted, and nobody has put it down; after it, the next is due."""
        self._die_at_each(stage, children, after=after, most=1000)

    def test_killed_at_some_moments(self, stage: Stage, children: Nursery) -> None:
        """Wherever the process is, once or twice in a row."""
        self._die_often(stage, children, 3)

    @pytest.mark.slow
    @pytest.mark.timeout(900)
    def test_killed_at_many_moments(self, stage: Stage, children: Nursery) -> None:
        """Sixty uploads, each killed once to three times."""
        self._die_often(stage, children, 60)

    def _records(self, stage: Stage, children: Nursery) -> int:
        """Return how many records an upload makes that nobody kills."""
        stage.name = "whole"
        ended = children.run(order(stage))
        assert ended["exit"] == 0
        assert ended["told"].get("outcome") == Outcome.DONE, ended
        stage.check_held(stage.film())
        records: int = ended["records"]
        return records

    def _die_at_each(self, stage: Stage, children: Nursery, *, after: bool, most: int) -> None:
        """Die at the records, or at so many of them from the first to the last."""
        count, unknown = self._records(stage, children), []
        most = min(most, count)
        for number in {1 + (count - 1) * step // max(1, most - 1) for step in range(most)}:
            stage.name = f"killed {'after' if after else 'before'} {number}"
            ended = children.run(order(stage, dies=number, after=after))
            assert ended["exit"] == KILLED, ended
            if self._go_on(stage) is Outcome.UNKNOWN:
                unknown.append(number)
        assert len(unknown) <= doubtful(stage), unknown

    def _die_often(self, stage: Stage, children: Nursery, times: int) -> None:
        stage.name = "whole"
        children.run(order(stage))  # the first one is slower
        stage.name, began = "measured", time.monotonic()
        children.run(order(stage))
        whole = time.monotonic() - began
        chance = random.Random(self.transport)  # noqa: S311 - moments, not secrets
        for number in range(times):
            stage.name = f"killed at some moment {number}"
            for _ in range(chance.choice((1, 1, 2, 3))):
                pid = children.start(order(stage))
                children.ends_within(chance.uniform(0.0, whole))
                kill(pid)
                children.wait()
            self._go_on(stage)

    def _go_on(self, stage: Stage) -> Outcome:
        """Make the same call in this process, and check what came of it."""
        result = stage.upload(stage.film(), journal=place(stage), clock=None)
        stage.check_held(stage.film(), result)
        allowed = {Outcome.DONE, Outcome.UNKNOWN} if doubtful(stage) else {Outcome.DONE}
        assert result.outcome in allowed, (stage.name, result)
        return result.outcome


def doubtful(stage: Stage) -> int:
    """Return how many requests of an upload can neither be repeated nor asked about."""
    transport = stage.destination().transport()
    limits = transport.capabilities
    opening = 0 if limits.opens_again else 1
    match limits.irreversible:
        case Moment.COMPLETE:
            return opening + (0 if hasattr(transport, "verify") else 1)
        case Moment.LAST_PART:
            return opening + (0 if hasattr(transport, "query") else 1)
    return 1


def place(stage: Stage) -> str:
    """Return the path of the journal of an upload's name."""
    return str(stage.folder / f"{stage.name}.db")


def order(stage: Stage, *, dies: int = 0, after: bool = False) -> dict[str, Any]:
    """Return what a process is told: the film, by its journal, to its name."""
    fields = dict(stage.destination().fields())  # first: a peer's token may belong to the name
    return {
        "transport": stage.factory.name,
        "token": stage.peer.token,
        "fields": fields,
        "film": str(stage.film()),
        "journal": place(stage),
        "dies": dies,
        "after": after,
    }
