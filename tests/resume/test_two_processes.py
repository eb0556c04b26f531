"""Two processes on one upload: one drives, and the other one says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.resume.stage import Stage
from transports.tiktok.sandbox import Fault
from uploader import LeaseHeldError
from uploader.testing.nursery import Nursery, kill


def begin(stage: Stage, children: Nursery) -> int:
    """Start a process that uploads, and wait until it is in the middle of its second part."""
    stage.sandbox.script(Fault("put", nth=2, stall_after=1_000_000))
    pid = children.start(stage.order())
    stage.sandbox.wait_for(lambda: stage.sandbox.uploads[0].chunks[1].received, 20)
    return pid


def upload_id(stage: Stage) -> str:
    """Return the id of the one upload in the journal."""
    entry = stage.entry()
    assert entry is not None
    return entry.upload_id


@pytest.mark.parametrize("verb", ["upload", "resume", "resolve"])
def test_who_comes_second_is_told_who_drives(stage: Stage, children: Nursery, verb: str) -> None:
    """The second process sends nothing, and names the first; killed, that one is followed."""
    pid = begin(stage, children)
    asked = len(stage.sandbox.requests)
    with stage.uploader() as up:
        verbs: dict[str, Callable[[], object]] = {
            "upload": lambda: up.upload(stage.film, stage.post()),
            "resume": lambda: up.resume(upload_id(stage)),
            "resolve": lambda: up.resolve(upload_id(stage)),
        }
        with pytest.raises(LeaseHeldError) as refused:
            verbs[verb]()
        assert str(pid) in str(refused.value.holder)
        assert refused.value.upload_id == upload_id(stage)
        assert len(stage.sandbox.requests) == asked
        assert up.resume_all() == []

        kill(pid)
        assert children.wait()["exit"] < 0
        # At once: the kernel dropped the lock, and no lease has to lapse.
        result = up.upload(stage.film, stage.post())

    assert result.upload_id == upload_id(stage)
    stage.check_posted_once(result)


def test_resume_all_takes_up_what_a_killed_process_left(stage: Stage, children: Nursery) -> None:
    """As soon as the driver is dead, its upload is due."""
    pid = begin(stage, children)
    kill(pid)
    children.wait()
    with stage.uploader() as up:
        (result,) = up.resume_all()

    stage.check_posted_once(result)


def test_two_uploaders_of_one_process_are_two_as_well(stage: Stage) -> None:
    """A lease belongs to an open journal, not to a process."""
    stage.sandbox.script(Fault("put", nth=2, stall_after=1_000_000))
    with stage.uploader() as first, stage.uploader() as second:
        handle = first.submit(stage.film, stage.post())
        stage.sandbox.wait_for(lambda: stage.sandbox.uploads[0].chunks[1].received)
        with pytest.raises(LeaseHeldError):
            second.upload(stage.film, stage.post())
        with pytest.raises(LeaseHeldError):
            first.upload(stage.film, stage.post())
        handle.suspend()
        handle.result(10)
        result = second.upload(stage.film, stage.post())

    stage.check_posted_once(result)
