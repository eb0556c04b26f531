"""The file changes while it is sent: a typed error before anything is published, never a crash."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.resume.stage import PART, SIZE, Stage
from transports.tiktok.sandbox import Fault
from uploader import Outcome, SourceChangedError, SourceError
from uploader.events import Event, SourceFallback
from uploader.testing.nursery import Nursery

HELD_AT = 1_000_000
"""Bytes of the second part after which the sandbox reads no more."""
MODES = ("auto", "mmap", "mmap", "mmap", "mmap", "buffered", "buffered")
"""Mostly mapped without a lease: breaking one takes half a second and leaves little to chance."""


def truncate(film: Path) -> None:
    """Cut off the last part, without waiting for whoever reads."""
    os.truncate(film, SIZE - PART)


def grow(film: Path) -> None:
    """Append to it."""
    with film.open("ab") as file:
        file.write(b"more")


def write(film: Path) -> None:
    """Change a byte and nothing else, with a time stamp that any file system tells apart."""
    with film.open("r+b") as file:
        file.write(b"x")
    os.utime(film, ns=(1, 1))


def replace(film: Path) -> None:
    """Put a copy in its place."""
    other = film.with_suffix(".new")
    other.write_bytes(film.read_bytes())
    other.replace(film)


def delete(film: Path) -> None:
    """Remove its name."""
    film.unlink()


CHANGES = [truncate, grow, write, replace, delete]


@pytest.fixture(params=["plain", "tls"])
def guarded(request: pytest.FixtureRequest, own_film: Path) -> Stage:
    """Serve with and without TLS, for a film that changes."""
    stage: Stage = request.getfixturevalue("stage" if request.param == "plain" else "tls_stage")
    stage.film = own_film
    return stage


@pytest.fixture(autouse=True)
def _eager_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file more often than twice a second: what is promised is that somebody looks."""
    monkeypatch.setattr("uploader.engine.stopping.GUARD_EVERY", 0.05)


@contextmanager
def in_the_background(change: Callable[[Path], None], film: Path) -> Iterator[None]:
    """Change a file on a thread: where the kernel gave us a lease, it waits until we let go."""
    thread = threading.Thread(target=change, args=(film,))
    thread.start()
    try:
        yield
    finally:
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize("mode", ["auto", "mmap", "buffered"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_stops_its_upload(
    guarded: Stage, mode: str, change: Callable[[Path], None]
) -> None:
    """Nothing is published of it, and the writer does not wait for long."""
    guarded.sandbox.script(Fault("put", nth=2, stall_after=HELD_AT))
    with guarded.uploader(source_mode=mode) as up, ExitStack() as stack:
        handle = up.submit(guarded.film, guarded.post())
        guarded.sandbox.wait_for(lambda: guarded.sandbox.uploads[0].chunks[1].received)
        stack.enter_context(in_the_background(change, guarded.film))
        with pytest.raises(SourceChangedError) as stopped:
            handle.result(20)

    assert stopped.value.upload_id == handle.upload_id
    assert guarded.sandbox.posts == []
    assert guarded.seen("put") == 2


def test_a_file_that_is_still_being_written_is_read_through_buffers(
    stage: Stage, own_film: Path
) -> None:
    """Mapping it would be unsafe: the upload says so, and goes on."""
    seen: list[Event] = []
    with own_film.open("ab"), stage.uploader(subscribers=[seen.append]) as up:
        result = up.upload(own_film, stage.post())

    assert result.outcome is Outcome.DONE
    (fallback,) = [event for event in seen if isinstance(event, SourceFallback)]
    assert "writing" in fallback.reason


def test_a_file_that_is_being_written_and_grows_is_refused_before_the_commit(
    stage: Stage, own_film: Path
) -> None:
    """A recording that goes on is no video yet."""
    stage.sandbox.script(Fault("put", nth=2, stall_after=HELD_AT))
    with own_film.open("ab") as recording, stage.uploader() as up:
        handle = up.submit(own_film, stage.post())
        stage.sandbox.wait_for(lambda: stage.sandbox.uploads[0].chunks[1].received)
        recording.write(b"the next frame")
        recording.flush()
        with pytest.raises(SourceChangedError, match="grew"):
            handle.result(20)

    assert stage.sandbox.posts == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_between_two_runs_is_not_gone_on_with(
    stage: Stage, own_film: Path, change: Callable[[Path], None]
) -> None:
    """A resumed upload never mixes two contents; a copy of the same content is as good."""
    stage.film = own_film
    stage.sandbox.script(Fault("put", nth=2, stall_after=HELD_AT))
    with stage.uploader() as up:
        handle = up.submit(own_film, stage.post())
        stage.sandbox.wait_for(lambda: stage.sandbox.uploads[0].chunks[1].received)
        handle.suspend()
        assert handle.result(10).outcome is Outcome.SUSPENDED
        change(own_film)
        if change is replace:
            stage.check_posted_once(up.resume(handle.upload_id))
            return
        with pytest.raises(SourceError):
            up.resume(handle.upload_id)

    assert stage.sandbox.posts == []


def test_truncated_at_random_moments(guarded: Stage, children: Nursery) -> None:
    """Twenty times over plain and twenty over TLS, mapped and buffered: a typed error, or done."""
    cut_at_random(guarded, children, random.Random(7), 20)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("hundred", range(5))
def test_truncated_at_a_thousand_random_moments(
    guarded: Stage, children: Nursery, hundred: int
) -> None:
    """Five hundred times over plain and as often over TLS."""
    cut_at_random(guarded, children, random.Random(f"chaos {hundred}"), 100)


def cut_at_random(stage: Stage, children: Nursery, chance: random.Random, times: int) -> None:
    """Truncate the film while a process uploads it, again and again; none may crash."""
    content = stage.film.read_bytes()
    stopped = 0
    for number in range(times):
        film = stage.film.with_name(f"{number}.mp4")
        film.write_bytes(content)
        mode = chance.choice(MODES)
        post = {**stage.fields, "title": f"number {number}"}
        order = stage.order(film=str(film), post=post, settings={"source_mode": mode})
        children.start(order)
        puts = stage.seen("put")
        wanted = chance.randrange(SIZE)

        def arrived(puts: int = puts, wanted: int = wanted) -> bool:
            uploads = stage.sandbox.uploads
            sent = sum(c.received for c in uploads[-1].chunks) if uploads else 0
            return stage.seen("put") > puts and sent >= wanted

        stage.sandbox.wait_for(lambda: arrived() or children.ends_within(0), 20)
        os.truncate(film, chance.randrange(SIZE))
        said = children.wait()
        assert said["exit"] == 0, (number, mode, said)
        posted = [post for post in stage.sandbox.posts if post.title == f"number {number}"]
        if "raised" in said:
            stopped += 1
            assert said["raised"]["code"].startswith("source")
            assert posted == []
        else:
            assert said["result"]["outcome"] == "done"
            assert len(posted) == 1
        film.unlink()
    assert stopped > times // 5
