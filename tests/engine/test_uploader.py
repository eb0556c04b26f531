"""The synchronous face: verbs, handles, limits, and what is left when it is closed."""

import gc
import io
import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clock import FakeClock
from tests.engine.conftest import Make
from tests.engine.files import make_clip, sha256
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import Uploader
from uploader.engine.run import UploadRun
from uploader.errors import (
    ConfigurationError,
    PlanError,
    RejectedError,
    SourceChangedError,
    SourceError,
    UploadCancelledError,
    UploaderError,
)
from uploader.events import Event, LimitWaited
from uploader.model import Outcome, Progress
from uploader.pacing import PollPolicy
from uploader.retry import RetryPolicy
from uploader.source import SourceMode
from uploader.source.mapped import MappedSource

OURS = ("uploader-engine", "uploader-events", "uploader-io", "asyncio_")


def our_threads() -> list[threading.Thread]:
    """Return the threads that an uploader has started."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(OURS)]


def descriptors() -> int:
    """Count the open descriptors of this process."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the number is the point


def open_for(path: Path) -> int:
    """Count this process's descriptors of a file."""
    gc.collect()
    links = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - they are links
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115 - names may vanish
        except OSError:
            continue
    return links.count(str(path))


# -- upload -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(SourceMode))
@pytest.mark.parametrize("size", [1, 4096, 5_242_881, 11_000_003])
def test_what_arrives_is_what_was_sent(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, mode: str, size: int
) -> None:
    """Every byte, in order, however the file is read; the result tells what was done."""
    clip = make_clip(tmp_path / "clip.mp4", size)
    result = make_uploader(source_mode=mode).upload(clip, post(title="Hi", chunk_size=5_242_880))
    made = sandbox.assert_posted_once(clip, title="Hi")
    assert result.outcome is Outcome.DONE
    assert (result.account, result.transport, result.error) == ("acme", "tiktok", None)
    assert (result.size, result.bytes_sent, result.retries) == (size, size, 0)
    assert result.parts == len(made.ranges) == max(1, size // 5_242_880)
    assert result.fields["publish_id"] == made.publish_id
    assert result.raise_for_outcome() is result


def test_streams_files_and_bytes_are_uploaded(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """What a web framework has in its hands is uploaded as it is."""
    head = b"\0\0\0\x20ftypisom"
    contents = [head + bytes([number]) * 100_000 for number in range(3)]
    path = tmp_path / "clip.mp4"
    path.write_bytes(contents[0])
    with path.open("rb") as file:
        assert uploader.upload(file, post()).outcome is Outcome.DONE
    assert uploader.upload(io.BytesIO(contents[1]), post()).outcome is Outcome.DONE
    assert uploader.upload(contents[2], post()).outcome is Outcome.DONE
    assert [made.sha256 for made in sandbox.posts] == [sha256(content) for content in contents]


def test_check_sends_nothing(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """`check` tells size, type and cut as `upload` would send them."""
    spec = uploader.check(make_clip(tmp_path / "clip.mov", 12_000_000), post(chunk_size=6_000_000))
    assert (spec.size, spec.content_type, spec.plan.count) == (12_000_000, "video/quicktime", 2)
    assert sandbox.requests == []
    assert not our_threads()


def test_what_is_the_callers_fault_is_raised_before_a_request(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Bad input raises its own type from `upload`, `submit` and `check` alike."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    text = make_clip(tmp_path / "notes.txt", 1000)
    bad: list[tuple[Any, Any, type[UploaderError]]] = [
        (tmp_path / "gone.mp4", post(), SourceError),
        (tmp_path, post(), SourceError),
        (text, post(), ConfigurationError),
        (clip, post(access_token=None), ConfigurationError),
        (None, post(), ConfigurationError),
    ]
    for source, destination, kind in bad:
        for verb in (uploader.upload, uploader.submit, uploader.check):
            with pytest.raises(kind):
                verb(source, destination)
    with pytest.raises(PlanError):
        uploader.submit(clip, post(), part_size=-1)
    assert sandbox.requests == []


def test_without_waiting_it_is_processing_once_every_byte_is_confirmed(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """`wait=False` asks no status and says PROCESSING, with the id to ask on with."""
    clip = make_clip(tmp_path / "clip.mp4", 11_000_000)
    handle = uploader.submit(clip, post(chunk_size=5_242_880), wait=False)
    result = handle.result(10)
    assert result.outcome is Outcome.PROCESSING
    assert result.raise_for_outcome() is result
    assert result.fields["publish_id"] == sandbox.assert_posted_once(clip).publish_id
    assert handle.progress == Progress(11_000_000, 11_000_000, 11_000_000, 0)
    assert [request.operation for request in sandbox.requests] == ["init", "put", "put"]


def test_patience_has_an_end(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """A server that never comes to an end leaves the upload PROCESSING, not failed."""
    sandbox.script(*(Fault("status", status=200, body=STUCK) for _ in range(5)))
    poll = PollPolicy(first=1, factor=2, slowest=4, limit=1000, attempts=5)
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    result = make_uploader(poll=poll).upload(clip, post())
    assert result.outcome is Outcome.PROCESSING
    assert result.fields["status"] == "PROCESSING_UPLOAD"
    assert still.waits == [1, 2, 4, 4]


STUCK = '{"data": {"status": "PROCESSING_UPLOAD"}, "error": {"code": "ok", "message": ""}}'


def test_a_status_that_cannot_be_had_is_no_failure(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Every byte is confirmed: when the credential fails only then, the upload has not."""
    tokens = iter([sandbox.access_token])
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    poll = PollPolicy(attempts=2)
    destination = post(access_token=None, credentials=lambda transport, account: next(tokens, ""))
    result = uploader.upload(clip, destination, poll=poll)
    assert result.outcome is Outcome.PROCESSING
    assert "access token" in result.fields["status_error"]
    sandbox.assert_posted_once(clip)


def test_a_file_that_changes_on_the_way_is_told_as_that(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """A file that is replaced between two parts is a SourceChangedError with the upload's id."""
    clip = make_clip(tmp_path / "clip.mp4", 11_000_000)
    other = make_clip(tmp_path / "other.mp4", 11_000_000, seed=2)

    def replace(event: Event) -> None:
        if type(event).__name__ == "PartStarted" and other.exists():
            other.replace(clip)

    sandbox.script(Fault("put", delay=0.2))
    handle = make_uploader(subscribers=[replace]).submit(clip, post(chunk_size=5_242_880))
    with pytest.raises(SourceChangedError, match="replaced") as caught:
        handle.result(10)
    assert caught.value.upload_id == handle.upload_id
    assert not sandbox.posts


# -- many ---------------------------------------------------------------------------------------


def test_upload_many_answers_in_order_errors_included(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """One result for each input, in its place: done, refused by us, refused by TikTok."""
    clips = [make_clip(tmp_path / f"{n}.mp4", 1000 + n, seed=n) for n in range(6)]
    pairs: list[tuple[Any, Any]] = [(clip, post(title=clip.name)) for clip in clips]
    pairs[1] = (tmp_path / "gone.mp4", post())
    pairs[3] = (clips[3], post(access_token="act.wrong"))
    pairs[4] = (tmp_path, post())
    results = uploader.upload_many(iter(pairs), concurrency=2)
    assert [str(result.outcome) for result in results] == [
        "done", "failed", "done", "failed", "failed", "done",
    ]  # fmt: skip
    assert isinstance(results[1].error, SourceError)
    assert results[3].error is not None
    assert results[3].error.code == "authentication"
    assert [result.account for result in results] == ["acme"] * 6
    for index in (0, 2, 5):
        sandbox.assert_posted_once(clips[index], title=f"{index}.mp4")


@pytest.mark.parametrize("concurrency", [0, -1])
def test_no_concurrency_at_all_is_refused(uploader: Uploader, concurrency: int) -> None:
    """Nothing would ever be sent."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        uploader.upload_many([], concurrency=concurrency)


def test_nothing_to_upload_is_no_result(uploader: Uploader) -> None:
    """An empty list is answered with an empty one."""
    assert uploader.upload_many([]) == []


def test_a_bug_in_one_of_many_stops_the_others(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """An exception that is nobody's result cancels what runs and is passed on."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("put", delay=30))
    with pytest.raises(AttributeError):
        uploader.upload_many([(clip, post()), (clip, None)])  # type: ignore[list-item]
    sandbox.clock.advance(30)


def test_32_uploads_at_once_each_arrive_whole(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """Many uploads under one budget are each byte-equal, with one PUT at a time."""
    clips = [make_clip(tmp_path / f"{n}.mp4", 600_000 + n * 7919, seed=n) for n in range(32)]
    uploader = make_uploader(window_bytes=4 << 20)
    results = uploader.upload_many([(clip, post()) for clip in clips], concurrency=32)
    assert {str(result.outcome) for result in results} == {"done"}
    for clip in clips:
        sandbox.assert_posted_once(clip)


def test_no_more_than_the_allowed_uploads_are_driven_at_once(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """`max_uploads=2` never has a third PUT open, and who waits holds no descriptor."""
    clips = [make_clip(tmp_path / f"{n}.mp4", 11_000_000, seed=n) for n in range(6)]
    sandbox.script(Fault("put", times=2, delay=60), Fault("put", nth=3, times=10, delay=0.01))
    uploader = make_uploader(max_uploads=2)
    handles = [uploader.submit(clip, post(chunk_size=5_242_880)) for clip in clips]
    sandbox.wait_for(lambda: len(puts(sandbox)) == 2)
    assert [open_for(clip) > 0 for clip in clips] == [True, True, False, False, False, False]
    asked = sorted(request.operation for request in sandbox.requests)
    assert asked == ["init", "init", "put", "put"]
    sandbox.clock.advance(60)
    assert {str(handle.result(20).outcome) for handle in handles} == {"done"}
    marks = [(chunk.started, 1) for chunk in chunks(sandbox)]
    marks += [(chunk.ended, -1) for chunk in chunks(sandbox)]
    running = 0
    for _, step in sorted(marks):
        running += step
        assert running <= 2
    assert {open_for(clip) for clip in clips} == {0}
    for clip in clips:
        sandbox.assert_posted_once(clip)


def puts(sandbox: Sandbox) -> list[Any]:
    """Return the PUTs that have arrived."""
    return [request for request in sandbox.requests if request.operation == "put"]


def chunks(sandbox: Sandbox) -> list[Any]:
    """Return every chunk of every post."""
    return [chunk for made in sandbox.uploads for chunk in made.chunks]


def test_one_uploader_serves_many_threads(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Threads that start at once share one engine, and each gets its own result."""
    clips = [make_clip(tmp_path / f"{n}.mp4", 300_000 + n, seed=n) for n in range(8)]
    results: dict[int, str] = {}
    start = threading.Barrier(len(clips))

    def work(number: int) -> None:
        start.wait()
        results[number] = uploader.upload(clips[number], post()).fields["publish_id"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, clip in enumerate(clips):
        assert sandbox.assert_posted_once(clip).publish_id == results[number]
    assert len([t for t in our_threads() if t.name == "uploader-engine"]) == 1


# -- progress -----------------------------------------------------------------------------------


def test_progress_never_falls_and_never_passes_the_total(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """confirmed <= sent <= total at every moment, with retries too, and done only at the end."""
    clip = make_clip(tmp_path / "clip.mp4", 21_000_000)
    handles: list[Any] = []
    readings: list[Progress] = []

    def read(event: Event) -> None:
        if handles:
            readings.append(handles[0].progress)

    sandbox.script(
        Fault("put", delay=0.2),
        Fault("put", nth=2, status=503),
        Fault("put", nth=3, reset_after=1_000_000),
    )
    uploader = make_uploader(subscribers=[read])
    uploader.start()
    handles.append(uploader.submit(clip, post(chunk_size=5_242_880)))
    assert handles[0].result(20).outcome is Outcome.DONE
    total = 21_000_000
    assert len(readings) > 5
    for before, after in itertools.pairwise(readings):
        assert before.sent <= after.sent
        assert before.confirmed <= after.confirmed
    for reading in readings:
        assert 0 <= reading.done <= reading.confirmed <= reading.sent <= reading.total == total
        assert reading.done in (0, total)
    assert handles[0].progress == Progress(total, total, total, total)
    assert handles[0].result().bytes_sent > total


def test_a_handle_shows_progress_before_its_upload_began(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Who waits for a place has its total and nothing sent, and is not done."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("put", delay=60))
    uploader = make_uploader(max_uploads=1)
    first, second = uploader.submit(clip, post()), uploader.submit(clip, post(title="second"))
    sandbox.wait_for(lambda: puts(sandbox))
    assert second.progress == Progress(1000, 0, 0, 0)
    assert not second.done()
    with pytest.raises(TimeoutError):
        second.result(0)
    sandbox.clock.advance(60)
    assert {first.result(10).outcome, second.result(10).outcome} == {Outcome.DONE}


# -- cancel -------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
def test_a_cancellation_at_any_moment_ends_the_upload(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Cancelled before it began, it ends all the same: no handle waits for ever."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(*(Fault("init", delay=60) for _ in range(30)))
    uploader.start()
    handles = []
    for number in range(30):
        handles.append(uploader.submit(clip, post(title=str(number))))
        handles[-1].cancel()
        handles[-1].cancel()
    for handle in handles:
        assert handle.result(10).outcome in (Outcome.CANCELLED, Outcome.UNKNOWN)
    sandbox.clock.advance(60)
    assert not sandbox.posts


def test_a_cancelled_upload_says_how_it_stands(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Between two parts nothing can have been posted: CANCELLED, with its own error."""
    clip = make_clip(tmp_path / "clip.mp4", 11_000_000)
    sandbox.script(Fault("put", delay=60))
    handle = uploader.submit(clip, post(chunk_size=5_242_880))
    sandbox.wait_for(lambda: puts(sandbox))
    handle.cancel()
    result = handle.result(10)
    assert result.outcome is Outcome.CANCELLED
    assert isinstance(result.error, UploadCancelledError)
    assert result.error.upload_id == handle.upload_id == result.upload_id
    with pytest.raises(UploadCancelledError):
        result.raise_for_outcome()
    # A connection that was dropped may hold its last slice until the loop's next turns.
    uploader.close()
    assert open_for(clip) == 0
    sandbox.clock.advance(60)


def test_a_handle_that_is_kept_does_not_keep_the_file(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """When the run is over nothing of it is left but its numbers and its result."""
    handle = uploader.submit(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert handle.result(10).outcome is Outcome.DONE
    uploader.close()
    gc.collect()
    # By type, which wakes nothing: `isinstance` asks an object, and a lazy one may be foreign.
    left = [kind for kind in map(type, gc.get_objects()) if kind in (MappedSource, UploadRun)]
    assert left == []
    assert handle.progress == Progress(1000, 1000, 1000, 1000)


def test_who_waits_for_a_place_can_be_cancelled(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """A waiting upload is cancelled without a request, and the place stays free for the next."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("put", delay=60))
    uploader = make_uploader(max_uploads=1)
    first, second, third = (uploader.submit(clip, post(title=t)) for t in ("1", "2", "3"))
    sandbox.wait_for(lambda: puts(sandbox))
    second.cancel()
    assert second.result(10).outcome is Outcome.CANCELLED
    sandbox.clock.advance(60)
    assert first.result(10).outcome is third.result(10).outcome is Outcome.DONE
    assert [made.title for made in sandbox.uploads] == ["1", "3"]


def test_a_cancelled_upload_that_is_over_stays_as_it_was(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """A late cancellation changes nothing."""
    handle = uploader.submit(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert handle.wait().outcome is Outcome.DONE
    handle.cancel()
    assert handle.result(1).outcome is Outcome.DONE


def test_an_exception_in_the_waiting_thread_stops_the_upload(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A task's soft time limit, thrown into `upload`, is passed on and suspends the upload."""

    class SoftTimeLimit(Exception):
        pass

    clip = make_clip(tmp_path / "clip.mp4", 11_000_000)
    sandbox.script(Fault("put", delay=60))
    uploader = make_uploader()
    handle = uploader.submit(clip, post(chunk_size=5_242_880))
    sandbox.wait_for(lambda: puts(sandbox))
    original, thrown = handle.future.result, list[bool]()

    def interrupted(timeout: float | None = None) -> Any:
        if not thrown:
            thrown.append(True)
            raise SoftTimeLimit
        return original(timeout)

    monkeypatch.setattr(handle.future, "result", interrupted)
    with pytest.raises(SoftTimeLimit):
        handle.wait()
    assert handle.result(10).outcome is Outcome.SUSPENDED
    sandbox.clock.advance(60)


# -- close --------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
@pytest.mark.parametrize("grace", [0, 2])
def test_closing_in_the_middle_leaves_nothing(
    sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock, grace: float
) -> None:
    """After `close` there is no thread, no descriptor, and no handle that waits for ever."""
    clips = [make_clip(tmp_path / f"{n}.mp4", 11_000_000, seed=n) for n in range(4)]
    sandbox.script(Fault("put", times=2, delay=60))
    before = descriptors()
    uploader = Uploader(clock=still, metrics=False, max_uploads=2)
    handles = [uploader.submit(clip, post(chunk_size=5_242_880)) for clip in clips]
    sandbox.wait_for(lambda: len(puts(sandbox)) == 2)
    uploader.close(grace=grace)
    assert {end_of(handle) for handle in handles} <= {"suspended", "closed"}
    for thread in our_threads():
        thread.join(5)
    assert not our_threads()
    sandbox.clock.advance(60)
    sandbox.stop()
    assert descriptors() <= before
    uploader.close()


@pytest.mark.timeout(20)
def test_closing_before_an_upload_has_begun_ends_it(
    sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock
) -> None:
    """An upload that was submitted a moment before `close` is told, not forgotten."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    for _ in range(5):
        uploader = Uploader(clock=still, metrics=False)
        uploader.start()
        handles = [uploader.submit(clip, post(title=title)) for title in "abcde"]
        uploader.close()
        assert all(end_of(handle) for handle in handles)


def end_of(handle: Any) -> str:
    """Return how an upload ended while its uploader was closed."""
    try:
        return str(handle.result(5).outcome)
    except UploaderError as error:
        return "closed" if "closed" in str(error) else ""


def test_a_closed_uploader_says_so(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Every verb of a closed uploader raises, and closing again does nothing."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    uploader.close()
    uploader.close()
    for verb in (uploader.upload, uploader.submit):
        with pytest.raises(UploaderError, match="closed"):
            verb(clip, post())
    assert sandbox.requests == []


def test_an_uploader_that_nobody_holds_ends_by_itself(
    sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """Dropped without a close, its threads end; a handle that is still held keeps them."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    sandbox.script(Fault("put", delay=60))
    handle = Uploader(metrics=False).submit(clip, post(), wait=False)
    gc.collect()
    sandbox.wait_for(lambda: puts(sandbox))
    sandbox.clock.advance(60)
    assert handle.result(10).outcome is Outcome.PROCESSING
    assert our_threads()
    del handle
    gc.collect()
    for thread in our_threads():
        thread.join(5)
    assert not our_threads()


def test_an_uploader_that_was_never_used_starts_no_thread() -> None:
    """The engine starts with the first upload, and closing without one is nothing."""
    with Uploader():
        assert not our_threads()


def test_many_uploads_leak_no_descriptor(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """After the first ones, further uploads leave the number of descriptors as it is."""
    clip = make_clip(tmp_path / "clip.mp4", 5_500_000)
    for number in range(3):
        uploader.upload(clip, post(title=f"before {number}"))
    before = descriptors()
    for number in range(10):
        source: Any = clip if number % 2 else io.BytesIO(b"\0\0\0\x20ftypisom" + bytes(100))
        assert uploader.upload(source, post(title=str(number))).bytes_sent > 0
    del source
    # A fresh connection for init may still be on its way out.
    assert descriptors() <= before + 1


# -- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max_uploads", "window_bytes", "bandwidth"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_that_lets_nothing_through_is_refused(name: str, value: int) -> None:
    """Zero and less are told by name."""
    with pytest.raises(ConfigurationError, match=name):
        Uploader(**{name: value})  # type: ignore[arg-type]


def test_a_source_mode_that_does_not_exist_is_refused() -> None:
    """The modes that exist are listed."""
    with pytest.raises(ConfigurationError, match="auto, mmap, buffered"):
        Uploader(source_mode="fast")


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_number_of_attempts_can_be_set(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, attempts: int
) -> None:
    """A PUT that is answered 5xx is sent so many times, no more and no less."""
    sandbox.script(Fault("put", times=20, status=500))
    uploader = make_uploader(retry=RetryPolicy(attempts=attempts))
    result = uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert result.outcome is not Outcome.DONE
    assert len(puts(sandbox)) == attempts
    assert result.retries >= attempts - 1


def test_a_bandwidth_is_held_over_all_uploads(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path, still: FakeClock,
    seen: list[Event],
) -> None:  # fmt: skip
    """On a clock that moves by the waits alone, all bytes take the time that the rate says."""
    rate, clips = (
        1_000_000.0,
        [make_clip(tmp_path / f"{n}.mp4", 3_000_000, seed=n) for n in range(3)],
    )
    uploader = make_uploader(bandwidth=rate, subscribers=[seen.append])
    began = still.now
    results = uploader.upload_many([(clip, post()) for clip in clips])
    assert {str(result.outcome) for result in results} == {"done"}
    # The last windows go out at the end of their wait, not of their time.
    assert still.now - began >= 9_000_000 / rate - 3 * 2 * (1 << 20) / rate
    waited = sum(event.seconds for event in seen if isinstance(event, LimitWaited))
    assert waited > 0
    assert {event.operation for event in seen if isinstance(event, LimitWaited)} <= {
        "bandwidth", "lane",
    }  # fmt: skip


# -- credentials --------------------------------------------------------------------------------


def test_the_uploaders_credentials_serve_destinations_that_bring_none(
    make_uploader: Make, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """It is asked for each signed request, off the loop, with transport and account."""
    asked: list[tuple[str, str | None, str]] = []

    def credentials(transport: str, account: str | None) -> str:
        asked.append((transport, account, threading.current_thread().name.split("_")[0]))
        return sandbox.access_token

    clip = make_clip(tmp_path / "clip.mp4", 1000)
    uploader = make_uploader(credentials=credentials)
    assert uploader.upload(clip, post(access_token=None)).outcome is Outcome.DONE
    assert asked == [("tiktok", "acme", "uploader-token")] * 2


@pytest.mark.parametrize("failure", [RuntimeError("token act.secret"), KeyError("act.secret")])
def test_a_credentials_callable_that_fails_is_told_without_its_words(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path, failure: Exception
) -> None:
    """What a token store says may name the token: only the kind of failure is kept."""

    def credentials(transport: str, account: str | None) -> str:
        raise failure

    destination = post(access_token=None, credentials=credentials)
    result = uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), destination)
    assert result.outcome is Outcome.FAILED
    assert result.error is not None
    assert type(failure).__name__ in result.error.message
    assert "secret" not in str(result.error.to_dict())
    assert sandbox.requests == []


def test_what_tiktok_refuses_is_in_the_result(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path
) -> None:
    """A refusal is no exception until the caller asks for one."""
    sandbox.script(Fault("init", vendor_code="spam_risk_too_many_posts"))
    result = uploader.upload(make_clip(tmp_path / "clip.mp4", 1000), post())
    assert result.outcome is Outcome.FAILED
    with pytest.raises(RejectedError, match="spam_risk_too_many_posts") as caught:
        result.raise_for_outcome()
    assert caught.value.upload_id == result.upload_id


def test_the_first_use_of_green_threads_is_refused(
    uploader: Uploader, sandbox: Sandbox, post: Make, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, fake_patcher: Callable[[str], None],
) -> None:  # fmt: skip
    """gevent and eventlet, once they have patched threads, are told in one sentence."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    for name in ("gevent", "eventlet"):
        with monkeypatch.context() as patched:
            fake_patcher(name)
            with pytest.raises(ConfigurationError, match=f"{name} has patched") as caught:
                uploader.upload(clip, post())
            assert caught.value.hints
            patched.undo()
        unpatch(name)
    assert uploader.upload(clip, post()).outcome is Outcome.DONE


@pytest.fixture
def fake_patcher(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a module into `sys.modules` that says it has patched threads."""
    import sys
    import types

    def fake(name: str) -> None:
        module, patcher = types.ModuleType(name), types.ModuleType("patcher")
        check, kind, home = (
            ("is_module_patched", "threading", "gevent.monkey")
            if name == "gevent"
            else ("is_monkey_patched", "thread", "eventlet.patcher")
        )
        setattr(patcher, check, lambda asked: asked == kind)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(sys.modules, home, patcher)

    return fake


def unpatch(name: str) -> None:
    """Forget the module that pretended."""
    import sys

    for found in [n for n in sys.modules if n.split(".")[0] == name]:
        del sys.modules[found]
