"""What people order goes through the journal, and posts no more than they say."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.django.test_signals import clip, heard, post, sandbox
from tests.django.uploads import entry, leased
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import Outcome
from uploader.contrib.django import get_uploader, orders, signals
from uploader.contrib.django.models import Upload
from uploader.errors import ConfigurationError, JournalError, LeaseHeldError
from uploader.journal import Entry, State

__all__ = ["clip", "post", "sandbox"]


def nobody(upload_id: str) -> None:
    """Hand an upload to nobody."""


def stands(state: State, **facts: Any) -> Entry:
    """Record an upload in a state."""
    journal = get_uploader().journal
    claim = journal.claim(entry(**facts), 60.0)
    assert claim.lease is not None
    journal.save(claim.lease, {"state": state})
    journal.release(claim.lease)
    found = journal.get(claim.entry.upload_id)
    assert found is not None
    return found


def test_what_goes_on_waits_for_nothing_any_more(clip: Path, post: DirectPost) -> None:
    """A time that was still to come is dropped, and the upload handed out."""
    up, handed = get_uploader(), list[str]()
    later = up.enqueue(clip, post, not_before=up.now() + 3600)

    orders.resume(up, later, handed.append)

    assert handed == [later]
    assert orders.found(up, later).not_before is None
    assert up.resume(later).outcome is Outcome.DONE


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.CANCELLED])
def test_what_has_ended_does_not_go_on(state: State, sandbox: Sandbox) -> None:
    """Nor is it cancelled, nor settled."""
    up, known = get_uploader(), stands(state)
    for order in (
        lambda: orders.resume(up, known.upload_id, nobody),
        lambda: orders.cancel(up, known.upload_id, by="dana"),
        lambda: orders.settle(up, known.upload_id, posted=True, by="dana"),
    ):
        with pytest.raises(ConfigurationError, match=f"it is {state}"):
            order()


def test_nothing_is_ordered_past_a_run(sandbox: Sandbox) -> None:
    """Who drives an upload is not interrupted, whatever is ordered."""
    up = get_uploader()
    known, _ = leased(up.journal)  # type: ignore[arg-type]
    with pytest.raises(LeaseHeldError):
        orders.cancel(up, known.upload_id, by="dana")
    with pytest.raises(LeaseHeldError):
        orders.settle(up, known.upload_id, posted=True, by="dana")


def test_only_the_unknown_is_settled(sandbox: Sandbox) -> None:
    """It is then done, or failed with who has looked."""
    up = get_uploader()
    there, not_there = stands(State.UNKNOWN), stands(State.UNKNOWN)

    orders.settle(up, there.upload_id, posted=True, by="dana")
    orders.settle(up, not_there.upload_id, posted=False, by="dana")

    assert orders.found(up, there.upload_id).state is State.DONE
    failed = orders.found(up, not_there.upload_id)
    assert failed.state is State.FAILED
    assert failed.error == {"code": "said", "message": "dana has looked, and it is not there"}
    with pytest.raises(ConfigurationError, match="only what is unknown"):
        orders.settle(up, stands(State.SENDING).upload_id, posted=False, by="dana")


def test_a_begun_upload_is_cancelled_and_never_sent(
    clip: Path, post: DirectPost, sandbox: Sandbox
) -> None:
    """The destination is asked where that is needed; nothing is posted."""
    up = get_uploader()
    sandbox.script(Fault("put", status=503, times=50))
    begun = up.submit(clip, post, time_limit=0.5).result()
    assert begun.outcome is Outcome.SUSPENDED

    cancelled = heard(signals.upload_cancelled)
    result = orders.cancel(up, begun.upload_id, by="dana")

    assert [told["upload_id"] for told in cancelled.told] == [begun.upload_id]
    assert result.outcome is Outcome.CANCELLED
    assert orders.found(up, begun.upload_id).state is State.CANCELLED
    assert sandbox.posts == []


def test_a_second_post_is_made_once_for_each_id(
    clip: Path, post: DirectPost, sandbox: Sandbox
) -> None:
    """However often the page is sent; the first post stays as it is."""
    up = get_uploader()
    first = up.upload(clip, post, key="film:7")
    new_id = orders.new_id(orders.found(up, first.upload_id))

    for _ in range(3):
        made = orders.post_again(up, first.upload_id, new_id, nobody)
        assert (made.upload_id, made.key) == (new_id, "film:7")
    assert up.resume(new_id).outcome is Outcome.DONE
    orders.post_again(up, first.upload_id, new_id, nobody)

    assert len(sandbox.posts) == 2
    assert orders.found(up, first.upload_id).state is State.DONE
    assert up.upload(clip, post, key="film:7").upload_id == new_id


def test_what_is_withdrawn_before_it_began_is_told_once(clip: Path, post: DirectPost) -> None:
    """With the name of who did so; what a run cancels, the run tells."""
    up = get_uploader()
    cancelled = heard(signals.upload_cancelled)
    waiting = up.enqueue(clip, post)

    orders.cancel(up, waiting, by="dana")

    assert [(told["upload_id"], told["by"]) for told in cancelled.told] == [(waiting, "dana")]
    assert cancelled.states == ["cancelled"]


@pytest.mark.parametrize("state", sorted(set(State) - {State.DONE, State.FAILED, State.CANCELLED}))
def test_what_is_on_its_way_is_not_posted_again(state: State, sandbox: Sandbox) -> None:
    """It goes on instead; only what nobody can tell of may be posted anew by whoever has looked."""
    up = get_uploader()
    known = stands(state, source="/srv/clip.mp4", destination={"title": "Hi"})
    new_id = orders.new_id(known)
    if state is State.UNKNOWN:
        made = orders.post_again(up, known.upload_id, new_id, nobody)
        assert made.state is State.QUEUED
        return
    with pytest.raises(ConfigurationError, match="let it go on instead"):
        orders.post_again(up, known.upload_id, new_id, nobody)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_people_who_were_asked_at_the_same_time_make_one_post(state: State) -> None:
    """Each pressed the button of a page of their own; who is asked later may make another one."""
    up, handed = get_uploader(), list[str]()
    known = stands(state, source="/srv/clip.mp4", destination={"title": "Hi"})
    pages = [orders.new_id(known) for _ in range(4)]
    together = threading.Barrier(len(pages))

    def press(new_id: str) -> str:
        together.wait(10)
        return orders.post_again(up, known.upload_id, new_id, handed.append).upload_id

    with ThreadPoolExecutor(len(pages)) as pool:
        (made,) = set(pool.map(press, pages))
    assert handed == [made]
    assert Upload.objects.filter(identity=known.identity).count() == 2

    later = orders.new_id(known)
    assert later not in (made, known.upload_id)
    anew = orders.found(up, made)
    _, lease = up.journal.take(made, 60.0)
    up.journal.save(lease, {"state": State.FAILED})
    up.journal.release(lease)
    assert orders.new_id(known) == orders.new_id(anew) == later
    assert orders.post_again(up, made, later, nobody).upload_id == later


@pytest.mark.parametrize("new_id", ["", "x", "../../login", "0" * 15, "F" * 16, "0" * 17])
def test_what_no_page_has_offered_is_not_posted(new_id: str, sandbox: Sandbox) -> None:
    """Nor is another upload's id."""
    up = get_uploader()
    known = stands(State.DONE, source="/srv/clip.mp4")
    other = stands(State.QUEUED)
    for told in (new_id, other.upload_id):
        with pytest.raises(ConfigurationError, match="not on the page that asked"):
            orders.post_again(up, known.upload_id, told, nobody)


def test_a_queue_that_is_down_is_said_to_be(sandbox: Sandbox) -> None:
    """What was ordered is recorded, and told; no order ends in a page that says nothing."""
    up = get_uploader()

    def fails(upload_id: str) -> None:
        raise ConnectionRefusedError("redis://:password@broker")

    waits = stands(State.SENDING)
    with pytest.raises(ConfigurationError, match=r"DISPATCH.*ConnectionRefusedError") as told:
        orders.resume(up, waits.upload_id, fails)
    assert "password" not in str(told.value)
    done = stands(State.DONE, source="/srv/clip.mp4", destination={"title": "Hi"})
    new_id = orders.new_id(done)
    with pytest.raises(ConfigurationError, match=f"{new_id} is recorded"):
        orders.post_again(up, done.upload_id, new_id, fails)
    assert up.journal.due(states=[State.QUEUED]) == [new_id]


def test_an_upload_that_is_gone_is_said_to_be(sandbox: Sandbox) -> None:
    with pytest.raises(JournalError, match="the journal has no upload 00ff"):
        orders.resume(get_uploader(), "00ff", nobody)
