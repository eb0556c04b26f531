"""The caller stops an upload: at every moment, the result says what is known of the post."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.case import CHUNK, SIZE, Case, done, init, put, status
from tests.faults.scene import PATIENT, Films, Scene, Tls, check_always, scene
from transports.tiktok.sandbox import Fault, Switches
from uploader import Outcome, OutcomeUnknownError, UploadCancelledError, UploadResult
from uploader.errors import UploaderError

EARLY = 64 * 1024


@contextmanager
def stopped(
    films: Films,
    *faults: Fault,
    when: Callable[[Scene], object],
    tls: Tls | None = None,
    mode: str = "auto",
    switches: Switches | None = None,
) -> Iterator[tuple[Scene, UploadResult]]:
    """Cancel an upload when something is true of the sandbox, and return how it stands."""
    case = Case("stopped", faults, done(), switches or Switches())
    with scene(films, case, tls, timeouts=PATIENT, source_mode=mode) as playing:
        handle = playing.uploader.submit(films.long, playing.destination())
        playing.sandbox.wait_for(lambda: when(playing))
        handle.cancel()
        result = handle.result(10)
        check_always(playing, result)
        yield playing, result


def ended(result: UploadResult) -> tuple[Outcome, type[UploaderError] | None]:
    """Return outcome and class of error."""
    return result.outcome, type(result.error) if result.error else None


def arrived(operation: str, count: int = 1) -> Callable[[Scene], bool]:
    """Return a condition: so many requests have come."""
    return lambda playing: playing.seen(operation) == count


def part_is_read(index: int) -> Callable[[Scene], bool]:
    """Return a condition: every byte of a PUT has come, and nothing was answered."""

    def read(playing: Scene) -> bool:
        chunk = playing.sandbox.uploads[0].chunks[index]
        return chunk.received == CHUNK and chunk.stored

    return read


def some_is_read(index: int) -> Callable[[Scene], bool]:
    """Return a condition: the PUT has begun to arrive."""
    return lambda playing: playing.sandbox.uploads[0].chunks[index].received >= EARLY


def test_while_init_is_out(films: Films) -> None:
    """Init may have opened a post: UNKNOWN, and it says so."""
    with stopped(films, init(stall_answer=True), when=arrived("init")) as (playing, result):
        assert ended(result) == (Outcome.UNKNOWN, OutcomeUnknownError)
        assert playing.seen("put") == playing.seen("status") == 0


@pytest.mark.parametrize("mode", ["mmap", "buffered"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("index", [0, 1, 2], ids=["first", "middle", "last"])
def test_while_a_body_is_going_out(
    films: Films, tls: Tls, index: int, secure: bool, mode: str
) -> None:
    """Nothing of the part counts, and nothing of it arrives afterwards: CANCELLED stays true.

    When the kernel has taken every byte of the last part, more may arrive than we know: UNKNOWN.
    """
    fault = put(index + 1, stall_after=EARLY)
    with stopped(
        films, fault, when=some_is_read(index), tls=tls if secure else None, mode=mode
    ) as (playing, result):
        if result.bytes_sent == SIZE:
            assert ended(result) == (Outcome.UNKNOWN, OutcomeUnknownError)
        else:
            assert ended(result) == (Outcome.CANCELLED, UploadCancelledError)
        # The stalled PUT ends when its peer has gone, not before: only then all is known.
        playing.sandbox.wait_for(lambda: playing.sandbox.uploads[0].chunks[index].ended)
        post = playing.sandbox.uploads[0]
        assert post.received == index * CHUNK
        assert not playing.sandbox.posts
        assert playing.seen("init") == 1


def test_while_the_answer_to_a_part_is_awaited(films: Films) -> None:
    """Before the last part nothing can have been posted, whatever was stored."""
    fault = put(2, stall_answer=True)
    with stopped(films, fault, when=part_is_read(1)) as (playing, result):
        assert ended(result) == (Outcome.CANCELLED, UploadCancelledError)
        assert playing.seen("status") == 0


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_while_the_answer_to_the_last_part_is_awaited(films: Films, tls: Tls, secure: bool) -> None:
    """The status is asked once: it was published."""
    fault = put(3, stall_answer=True)
    with stopped(films, fault, when=part_is_read(2), tls=tls if secure else None) as (
        playing,
        result,
    ):
        assert ended(result) == (Outcome.DONE, None)
        assert playing.seen("status") == 1


def test_while_the_answer_to_the_last_part_is_awaited_and_the_status_is_dead(
    films: Films,
) -> None:
    """Nobody tells: UNKNOWN."""
    faults = put(3, stall_answer=True), status(lose_request=True)
    with stopped(films, *faults, when=part_is_read(2)) as (playing, result):
        assert ended(result) == (Outcome.UNKNOWN, OutcomeUnknownError)
        assert playing.seen("status") == 1


def test_while_the_answer_to_the_last_part_is_awaited_and_the_status_is_silent(
    films: Films,
) -> None:
    """Neither an end nor a number: UNKNOWN."""
    switches = Switches(stuck_processing=True, uploaded_bytes="absent")
    fault = put(3, stall_answer=True)
    with stopped(films, fault, when=part_is_read(2), switches=switches) as (_, result):
        assert ended(result) == (Outcome.UNKNOWN, OutcomeUnknownError)


def test_while_a_finished_upload_is_watched(films: Films) -> None:
    """Every byte is confirmed: the destination goes on by itself, and the result says so."""
    with stopped(films, status(stall_answer=True), when=arrived("status")) as (playing, result):
        assert ended(result) == (Outcome.PROCESSING, UploadCancelledError)
        playing.sandbox.assert_posted_once(films.long)


def test_while_a_retry_is_waited_for(films: Films) -> None:
    """No request is out: CANCELLED, although init was sent and limited."""
    waiting = threading.Event()
    case = Case("stopped", (init(status=429),), done())
    with scene(films, case) as playing:
        playing.clock.on_wait, playing.clock.stands = waiting.set, True
        handle = playing.uploader.submit(films.small, playing.destination())
        assert waiting.wait(10)
        handle.cancel()
        result = handle.result(10)
        assert ended(result) == (Outcome.CANCELLED, UploadCancelledError)
        assert playing.seen("init") == 1


def test_closing_the_uploader_stops_what_runs(films: Films) -> None:
    """Closing suspends all: it ends in time, and whoever waits gets an end."""
    case = Case("closed", (put(2, stall_after=EARLY),), done())
    with scene(films, case, timeouts=PATIENT) as playing:
        handle = playing.uploader.submit(films.long, playing.destination())
        playing.sandbox.wait_for(lambda: some_is_read(1)(playing))
        playing.uploader.close()
        assert handle.result(0).outcome is Outcome.SUSPENDED
        assert playing.sandbox.violations == []
