"""Streams of unknown size, to a real S3 server: every end of the stream, and every way to fail."""

import asyncio
import contextlib
import io
import itertools
import mmap
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from tests.engine.clock import FakeClock
from tests.s3.gate import REGION
from tests.s3.rig import HERE, OWNER, PART, Bucket, S3Server, destination
from transports.s3 import S3Credential, S3Limits
from transports.tiktok import DirectPost
from uploader import AsyncUploader, Outcome, Uploader
from uploader.api.shared import _Live
from uploader.engine.feeding import BLOCKS, part_length
from uploader.errors import (
    ConfigurationError,
    PausedError,
    PlanError,
    RejectedError,
    RetriesExhaustedError,
    SourceError,
    SourceReadError,
)
from uploader.events import Event, PartConfirmed, UploadCancelled, UploadCompleted, UploadFailed
from uploader.journal import Pause
from uploader.model import MIB
from uploader.testing.faulty_proxy import Answer, Fault, FaultyProxy, LoseAnswer, Stall

KEY = "streams/a stream.bin"
_NUMBERS = itertools.count()
Make = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Serve S3."""
    with S3Server(tmp_path_factory.mktemp("s3") / "server.log") as server:
        yield server


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    """Make a bucket that no other test knows."""
    return Bucket(server.client(), f"streams-{next(_NUMBERS)}")


@pytest.fixture
def to(server: S3Server, bucket: Bucket) -> Any:
    """Return a destination with parts of 64 KiB."""
    return destination(server.url, bucket.name, KEY)


def content(size: int) -> bytes:
    """Return bytes that are the same for the same size."""
    return random.Random(size).randbytes(size)


def pieces(whole: bytes, size: int) -> Iterator[bytes]:
    """Cut into pieces that fit no part."""
    return (whole[start : start + size] for start in range(0, len(whole), size))


def blocks_of(uploader: Uploader | AsyncUploader) -> Any:
    """Return the budget of all streams."""
    return uploader._thread.call(_blocks)


async def _blocks(engine: Any) -> Any:
    return engine.blocks


def until(happened: Callable[[], object]) -> None:
    """Poll what another thread or process brings about."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.01)


@pytest.mark.parametrize(
    "size", [1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 2 * PART + 1, 5 * PART + 7]
)
def test_every_size_arrives(uploader: Uploader, to: Any, bucket: Bucket, size: int) -> None:
    """Whole; what fits one part in one request, without a session."""
    whole = content(size)

    result = uploader.upload_stream(pieces(whole, 10_007), to, name="/tmp/a stream.bin")

    assert result.outcome is Outcome.DONE, result.error
    assert bucket.read(KEY) == whole
    parts = -(-size // PART)
    assert (result.size, result.parts, result.bytes_sent) == (size, parts, size)
    head = bucket.head(KEY)
    assert head["ETag"].strip('"').endswith(f"-{parts}") == (parts > 1)
    assert result.fields["etag"] == head["ETag"]
    until(lambda: not bucket.open_uploads())
    assert blocks_of(uploader).used == 0


@pytest.mark.parametrize("piece", [1, PART, 3 * PART + 1])
def test_pieces_may_have_any_size(uploader: Uploader, to: Any, bucket: Bucket, piece: int) -> None:
    """Also empty ones, larger ones than a part, and other things than bytes that are bytes."""
    whole = content(PART + 5 if piece == 1 else 4 * PART + 1)
    given = itertools.chain([b"", bytearray()], map(memoryview, pieces(whole, piece)), [b""])

    assert uploader.upload_stream(given, to).outcome is Outcome.DONE
    assert bucket.read(KEY) == whole


async def test_asyncio_reads_all_kinds(server: S3Server, bucket: Bucket) -> None:
    """Async iterables and readers on this loop, all others on a thread."""
    whole = content(2 * PART + 3)

    async def produced() -> AsyncIterator[bytes]:
        for piece in pieces(whole, 30_000):
            await asyncio.sleep(0)
            yield piece

    fed = asyncio.StreamReader(limit=len(whole))
    fed.feed_data(whole)
    fed.feed_eof()
    async with AsyncUploader(metrics=False) as uploader:
        for number, stream in enumerate(
            [produced(), fed, io.BytesIO(whole), pieces(whole, 30_000)]
        ):
            place = destination(server.url, bucket.name, f"{number}")
            result = await uploader.upload_stream(stream, place, name="x.bin")
            assert result.outcome is Outcome.DONE, result.error
            assert bucket.read(f"{number}") == whole


def test_its_events_and_metrics_are_those_of_a_file(
    make_uploader: Make, to: Any, seen: list[Event]
) -> None:
    """Parts are confirmed one by one, and the end tells the size that nobody knew."""
    uploader = make_uploader(subscribers=[seen.append])

    uploader.upload_stream(pieces(content(3 * PART + 1), PART), to)

    confirmed = [event for event in seen if isinstance(event, PartConfirmed)]
    assert sorted(event.part for event in confirmed) == [0, 1, 2, 3]
    assert sum(event.length for event in confirmed) == 3 * PART + 1
    (ended,) = (event for event in seen if isinstance(event, UploadCompleted))
    assert (ended.size, ended.bytes_sent) == (3 * PART + 1, 3 * PART + 1)


@pytest.mark.parametrize("empty", [[], [b"", b""], io.BytesIO()])
def test_an_empty_stream_is_refused(
    uploader: Uploader, to: Any, bucket: Bucket, empty: Any
) -> None:
    """Before anything is sent or recorded."""
    with pytest.raises(SourceError, match="the stream is empty: 0 bytes"):
        uploader.upload_stream(empty, to)

    assert bucket.held(KEY) == []
    assert list(uploader.journal.latest(9)) == []
    assert blocks_of(uploader).used == 0


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"bytes", "a bytes is no stream"),
        ("clip.mp4", "a str is no stream"),
        (7, "a int is no stream"),
        (io.StringIO("text"), "the stream yields str, and bytes are needed"),
        ([b"x", None], "the stream yields NoneType, and bytes are needed"),
    ],
)
def test_what_is_no_stream_is_refused(uploader: Uploader, to: Any, stream: Any, said: str) -> None:
    """It is the caller's fault, and says what to give."""
    with pytest.raises(ConfigurationError, match=said):
        uploader.upload_stream(stream, to)
    assert blocks_of(uploader).used == 0


def test_a_destination_that_must_know_the_size_is_refused(
    uploader: Uploader, post: Callable[..., DirectPost]
) -> None:
    """Not a byte is taken of the stream."""
    taken: list[int] = []

    def stream() -> Iterator[bytes]:
        taken.append(1)
        yield b"x"

    with pytest.raises(ConfigurationError, match="tiktok takes no stream whose size is not known"):
        uploader.upload_stream(stream(), post())

    assert taken == []


@pytest.mark.parametrize("before", [100, PART + 1, 4 * PART + 1])
def test_a_stream_that_fails_fails_its_upload(
    make_uploader: Make, to: Any, bucket: Bucket, seen: list[Event], before: int
) -> None:
    """The error is typed and has the stream's own as its cause; what was sent is dropped."""

    def failing() -> Iterator[bytes]:
        yield from pieces(content(before), 9_000)
        raise ValueError("secret detail")

    uploader = make_uploader(subscribers=[seen.append])
    with pytest.raises(SourceReadError, match=r"^the stream failed with ValueError$") as raised:
        uploader.upload_stream(failing(), to)

    assert isinstance(raised.value.__cause__, ValueError)
    until(lambda: not bucket.open_uploads())
    assert bucket.held(KEY) == []
    assert blocks_of(uploader).used == 0
    if before > PART:
        (entry,) = uploader.journal.latest(9)
        assert (entry.outcome, entry.holder) == (Outcome.FAILED, None)
        until(lambda: any(isinstance(each, UploadFailed) for each in seen))
        failed = [each.error for each in seen if isinstance(each, UploadFailed)]
        assert failed == [SourceReadError.code]


def test_parts_go_out_as_they_come(server: S3Server, bucket: Bucket, uploader: Uploader) -> None:
    """A slow producer holds up nothing that it has given already."""
    whole = content(4 * PART)
    with FaultyProxy(server.url) as proxy:

        def slow() -> Iterator[bytes]:
            yield whole[: 2 * PART]
            yield whole[2 * PART : 2 * PART + 1]
            proxy.wait_for(
                lambda: sum(each.method == "PUT" and each.answered == 200
                            for each in proxy.exchanges) == 2
            )  # fmt: skip
            yield whole[2 * PART + 1 :]

        result = uploader.upload_stream(slow(), destination(proxy.base_url, bucket.name, KEY))

    assert result.outcome is Outcome.DONE
    assert bucket.read(KEY) == whole


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="PUT", path="partNumber=2&", act=LoseAnswer()),
        Fault(method="PUT", path="partNumber=2&", act=Answer(503), times=2),
        Fault(method="POST", path=r"\?uploads", act=Answer(500)),
        Fault(method="POST", path=r"\?uploadId=", act=LoseAnswer()),
    ],
)
def test_what_fails_on_the_way_is_sent_again_from_memory(
    server: S3Server, bucket: Bucket, uploader: Uploader, fault: Fault
) -> None:
    """The stream is read once; a lost completion is asked about."""
    whole = content(3 * PART + 11)
    with FaultyProxy(server.url) as proxy:
        proxy.script(fault)
        place = destination(proxy.base_url, bucket.name, KEY)
        result = uploader.upload_stream(pieces(whole, PART), place)
        assert proxy.pending == []

    assert result.outcome is Outcome.DONE, result.error
    assert bucket.read(KEY) == whole
    until(lambda: not bucket.open_uploads())


@pytest.mark.parametrize(
    ("answer", "times", "kind"),
    [(Answer(503), 99, RetriesExhaustedError), (Answer(400), 1, RejectedError)],
)
def test_what_the_destination_refuses_stops_the_producer(
    server: S3Server,
    bucket: Bucket,
    uploader: Uploader,
    answer: Answer,
    times: int,
    kind: type[Exception],
) -> None:
    """The endless stream is not read on, its parts are dropped, and nothing is to be resumed."""
    closed: list[bool] = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(PART)
        finally:
            closed.append(True)

    with FaultyProxy(server.url) as proxy:
        proxy.script(Fault(method="PUT", path="partNumber=3&", act=answer, times=times))
        place = destination(proxy.base_url, bucket.name, KEY)
        result = uploader.upload_stream(endless(), place)

    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, kind)
    assert closed == [True]
    until(lambda: not bucket.open_uploads())
    assert uploader.resume_all() == []
    assert blocks_of(uploader).used == 0


async def test_cancelling_drops_what_was_sent(
    server: S3Server, bucket: Bucket, seen: list[Event]
) -> None:
    """The task that waits is cancelled: the upload is, too, on the server as well."""
    gone_on = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield bytes(2 * PART + 1)
        gone_on.set()
        await asyncio.Event().wait()

    async with AsyncUploader(metrics=False, subscribers=[seen.append]) as uploader:
        place = destination(server.url, bucket.name, KEY)
        task = asyncio.create_task(uploader.upload_stream(stuck(), place))
        await gone_on.wait()
        await asyncio.to_thread(until, bucket.open_uploads)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(until, lambda: not bucket.open_uploads())
        (entry,) = await asyncio.to_thread(uploader.journal.latest, 9)
        await asyncio.to_thread(
            until, lambda: any(isinstance(each, UploadCancelled) for each in seen)
        )
        blocks = blocks_of(uploader)
        await asyncio.to_thread(until, lambda: not blocks.used)
    assert entry.name == ""


def test_an_exception_in_the_waiting_thread_stops_the_upload(
    server: S3Server, bucket: Bucket, uploader: Uploader
) -> None:
    """As Ctrl-C is one, or a task's time limit."""

    class Interrupt(BaseException):
        pass

    def interrupted() -> Iterator[bytes]:
        yield bytes(2 * PART + 1)
        until(bucket.open_uploads)
        raise Interrupt

    with pytest.raises(Interrupt):
        uploader.upload_stream(interrupted(), destination(server.url, bucket.name, KEY))

    until(lambda: not bucket.open_uploads())
    until(lambda: uploader.journal.latest(1)[0].outcome is Outcome.CANCELLED)
    assert blocks_of(uploader).used == 0


def test_closing_the_uploader_ends_a_stream_that_waits(to: Any, bucket: Bucket) -> None:
    """It is cancelled and dropped, as nothing could go on with it."""
    uploader, going_on = Uploader(metrics=False), threading.Event()

    def waits() -> Iterator[bytes]:
        yield bytes(2 * PART + 1)
        until(bucket.open_uploads)
        uploader.close()
        going_on.set()
        yield bytes(4 * PART)

    with contextlib.suppress(ConfigurationError):
        result = uploader.upload_stream(waits(), to)
        assert result.outcome is Outcome.CANCELLED
    assert going_on.is_set()
    until(lambda: not bucket.open_uploads())


def test_a_key_names_a_stream(to: Any, bucket: Bucket, uploader: Uploader) -> None:
    """What is done under it is answered; without one each call is an upload of its own."""
    first = uploader.upload_stream(pieces(content(2 * PART), 999), to, key="nightly")
    again = uploader.upload_stream([b"other"], to, key="nightly")
    anew = uploader.upload_stream([b"other"], to, key="nightly", again=True)

    assert (again.upload_id, again.bytes_sent) == (first.upload_id, 0)
    assert anew.upload_id != first.upload_id
    assert bucket.read(KEY) == b"other"
    one, two = (uploader.upload_stream([b"same"], to) for _ in range(2))
    assert one.upload_id != two.upload_id
    assert blocks_of(uploader).used == 0


CHILD = """
import sys
from tests.s3.rig import destination
from uploader import Uploader
url, bucket, journal, parts = sys.argv[1:]
def stream():
    for number in range(int(parts)):
        yield bytes([number]) * 65536
        print(number, flush=True)
    if int(parts) > 3:
        sys.stdin.read()
Uploader(journal=journal, metrics=False).upload_stream(
    stream(), destination(url, bucket, "killed"), key="one")
"""


@pytest.mark.parametrize(("parts", "outcome"), [(4, Outcome.FAILED), (3, Outcome.DONE)])
def test_after_a_kill_nothing_is_resumed(
    server: S3Server, bucket: Bucket, tmp_path: Path, parts: int, outcome: Outcome
) -> None:
    """In the middle: it has failed, and is dropped. At the completion: the server is asked."""
    journal = tmp_path / "uploads.db"
    with FaultyProxy(server.url) as proxy:
        proxy.script(Fault(method="POST", path=r"\?uploadId=", act=Stall()))
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, proxy.base_url, bucket.name, journal, str(parts)],
            cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            if outcome is Outcome.DONE:
                proxy.wait_for(lambda: proxy.stalls, timeout=30)
                until(lambda: bucket.held("killed"))
            else:
                puts = r"partNumber=2&"
                proxy.wait_for(
                    lambda: any(puts in each.target.reveal() and each.answered == 200
                                for each in proxy.exchanges),
                    timeout=30,
                )  # fmt: skip
        finally:
            child.send_signal(signal.SIGKILL)
            child.communicate()
        proxy.release()
        proxy.clear()
        with Uploader(journal=journal, metrics=False, credentials=_owner) as uploader:
            (result,) = uploader.resume_all()
            assert result.outcome is outcome, result.error
            assert uploader.resume_all() == []
            place = destination(proxy.base_url, bucket.name, "killed")
            repeated = uploader.upload_stream([b"anew"], place, key="one")
    until(lambda: not bucket.open_uploads())
    assert repeated.outcome is Outcome.DONE
    assert (bucket.read("killed") == b"anew") == (outcome is Outcome.FAILED)


def _owner(transport: str, account: str | None) -> Any:
    return S3Credential(Credentials(OWNER.key_id, OWNER.secret), REGION)


def test_memory_is_bounded_whatever_comes(
    server: S3Server, bucket: Bucket, make_uploader: Make
) -> None:
    """Three parts of an upload are in memory, not its 40; the process grows by no more."""
    part, count = 1 * MIB, 40
    uploader = make_uploader()
    budget = blocks_of(uploader)
    piece, most, grown = content(part // 4), [0], [0]

    def watched() -> Iterator[bytes]:
        for number in range(4 * count):
            most[0] = max(most[0], budget.used)
            if number == 4 * BLOCKS:
                grown[0] = -resident()
            yield piece
        grown[0] += resident()

    place = destination(server.url, bucket.name, KEY, part_size=part)
    result = uploader.upload_stream(watched(), place)

    assert (result.outcome, result.size) == (Outcome.DONE, part * count)
    assert part <= most[0] <= BLOCKS * part
    assert grown[0] < 16 * MIB
    assert budget.used == 0


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_many_streams_wait_for_each_other(
    server: S3Server, bucket: Bucket, make_uploader: Make
) -> None:
    """Six at once within the room of two parts: all arrive, and the room is never passed."""
    uploader = make_uploader(stream_bytes=2 * PART)
    budget, most = blocks_of(uploader), [0]

    def one(number: int) -> Outcome:
        def stream() -> Iterator[bytes]:
            for piece in pieces(content(3 * PART + number), 50_000):
                most[0] = max(most[0], budget.used)
                yield piece

        place = destination(server.url, bucket.name, f"{number}")
        outcome: Outcome = uploader.upload_stream(stream(), place).outcome
        return outcome

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(6))) == [Outcome.DONE] * 6

    assert most[0] == 2 * PART
    for number in range(6):
        assert bucket.read(f"{number}") == content(3 * PART + number)


def test_parts_grow_before_their_number_is_used_up(
    server: S3Server, bucket: Bucket, uploader: Uploader
) -> None:
    """Ten parts hold 36 times the wanted size; what comes beyond is refused and dropped."""
    limits = S3Limits(min_part=PART, max_parts=10)
    place = destination(server.url, bucket.name, KEY, limits=limits)
    sizes = [part_length(index, place.transport().capabilities) for index in range(10)]
    assert sizes == [PART] * 5 + [2 * PART, 4 * PART, 8 * PART, 16 * PART, 32 * PART]
    most = sum(sizes)

    whole = content(12 * PART)
    result = uploader.upload_stream(pieces(whole, PART), place)
    assert (result.outcome, result.parts) == (Outcome.DONE, 8)
    assert bucket.read(KEY) == whole

    with pytest.raises(PlanError, match=f"the stream has more than {most:,} bytes in 10 parts"):
        uploader.upload_stream(pieces(bytes(most + 1), PART), place)
    until(lambda: not bucket.open_uploads())
    assert bucket.read(KEY) == whole


def test_the_real_limits_reach_a_terabyte() -> None:
    """Half of S3's parts have the wanted 16 MiB; all of them are within its limits."""
    limits = S3Limits().capabilities()
    sizes = [part_length(index, limits) for index in range(limits.max_parts)]

    assert sizes == sorted(sizes)
    assert (sizes[4999], sizes[5000], sizes[-1]) == (16 * MIB, 32 * MIB, 512 * MIB)
    assert sum(sizes) > 10**12
    odd = replace(limits, part_size=5 * MIB + 1, alignment=256 * 1024)
    assert all(part_length(index, odd) % odd.alignment == 0 for index in range(0, 10_000, 500))


def test_progress_grows_with_the_stream(
    server: S3Server, bucket: Bucket, uploader: Uploader, still: FakeClock
) -> None:
    """The total is what has come so far, and never less than what was sent."""
    seen: list[tuple[int, int]] = []
    runs: list[Any] = []
    attach = _Live.attach

    def attached(live: Any, run: Any) -> None:
        runs.append(live)
        attach(live, run)

    def stream() -> Iterator[bytes]:
        for _ in range(6):
            if runs:
                progress = runs[0].progress
                seen.append((progress.total, progress.confirmed))
            yield bytes(PART)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Live, "attach", attached)
        uploader.upload_stream(stream(), destination(server.url, bucket.name, KEY))

    totals = [total for total, _ in seen]
    assert totals == sorted(totals)
    assert totals[0] < totals[-1] <= 6 * PART
    assert all(confirmed <= total for total, confirmed in seen)
    assert runs[0].progress.done == 6 * PART


def test_a_stream_that_is_paused_is_not_begun(uploader: Uploader, to: Any) -> None:
    """Nobody could go on with it later: it fails, says why, and the same call starts anew."""
    uploader.pause("s3", reason="we look at it", by="ann")

    held = uploader.upload_stream(io.BytesIO(b"a" * 1000), to, key="one")
    uploader.unpause("s3")
    result = uploader.upload_stream(io.BytesIO(b"a" * 1000), to, key="one")

    assert held.outcome is Outcome.FAILED
    assert isinstance(held.error, PausedError)
    assert held.bytes_sent == 0
    assert result.outcome is Outcome.DONE


def test_a_stream_may_be_what_ends_a_pause(uploader: Uploader, to: Any) -> None:
    """It was let through, and its first part is stored."""
    uploader.journal.pause(Pause("s3", None, "a rule", since=0.0, by="breaker", trial=1.0))

    result = uploader.upload_stream(io.BytesIO(b"a" * 1000), to)

    assert result.outcome is Outcome.DONE
    assert uploader.pauses() == []
