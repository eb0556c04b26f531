"""Mapped, buffered and in memory: the same bytes, whatever the cut."""

import asyncio
import gc
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.files import make_clip
from uploader.errors import SourceChangedError, SourceReadError
from uploader.source import Source, SourceMode, Window, describe, open_source

STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=15)
KINDS = ["mmap", "aiofiles", "bytes"]


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    """Worker threads for sources."""
    with ThreadPoolExecutor(4) as executor:
        yield executor


def opened(path: Path, kind: str, executor: Executor) -> Source:
    """Open a file as one kind of source."""
    facts, source = describe(path.read_bytes() if kind == "bytes" else path)
    mode = SourceMode.BUFFERED if kind == "aiofiles" else SourceMode.MMAP
    found = open_source(
        source, facts, mode=mode, executor=executor, on_fallback=lambda reason: None
    )
    assert found.kind == kind
    return found


def read_whole(path: Path) -> bytes:
    """Return the content of a file."""
    return path.read_bytes()


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the number is the point


async def read_by(source: Source, lengths: list[int], *, held: int) -> bytes:
    """Read a source window by window, with `held` of them unreleased at a time."""
    read, start, windows = bytearray(), 0, deque[Window]()
    for length in lengths:
        window = await source.window(start, length, 1 << 20)
        windows.append(window)
        start += length
        read += window.view
        if len(windows) > held:
            windows.popleft().release()
    while windows:
        windows.popleft().release()
    return bytes(read)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose size is no multiple of anything."""
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 3 * 1024 * 1024 + 1237)


@STEADY
@given(data=st.data(), held=st.integers(0, 3))
@pytest.mark.parametrize("kind", KINDS)
def test_any_cut_gives_the_same_bytes(
    clip: Path, executor: ThreadPoolExecutor, kind: str, data: st.DataObject, held: int
) -> None:
    """Windows of any lengths, some still held while others are given back, join to the file."""
    size, lengths = clip.stat().st_size, list[int]()
    while size:
        top = min(size, 2 * 1024 * 1024)
        lengths.append(top if len(lengths) > 20 else data.draw(st.integers(1, top)))
        size -= lengths[-1]

    async def read() -> bytes:
        source = opened(clip, kind, executor)
        try:
            return await read_by(source, lengths, held=held)
        finally:
            source.close()

    assert asyncio.run(read()) == clip.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_bytes_again_after_they_were_given_back(
    clip: Path, executor: ThreadPoolExecutor, kind: str
) -> None:
    """A retry reads backwards into what was released, and finds it as it was."""
    source, content = opened(clip, kind, executor), read_whole(clip)
    end = len(content) - 1
    for start, length in [(0, 1 << 20), (1 << 20, 5000), (17, 4096), (0, 1), (end, 1)]:
        window = await source.window(start, length, 0)
        assert bytes(window.view) == content[start : start + length]
        window.release()
    source.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_window_cannot_be_used_after_its_release(
    clip: Path, executor: ThreadPoolExecutor, kind: str
) -> None:
    """Bytes of a buffer that others fill again are out of reach."""
    source = opened(clip, kind, executor)
    window = await source.window(0, 1000, 0)
    view = window.view
    window.release()
    with pytest.raises(ValueError, match="released"):
        view[0]
    source.close()


@pytest.mark.parametrize("kind", ["mmap", "aiofiles"])
async def test_a_closed_source_holds_no_descriptor(
    clip: Path, executor: ThreadPoolExecutor, kind: str
) -> None:
    """Closing gives everything back, twice as well as once, with windows out as well as without."""
    gc.collect()
    before = descriptors()
    for out in (False, True):
        source = opened(clip, kind, executor)
        window = await source.window(0, 70_000, 1 << 20)
        if not out:
            window.release()
        source.close()
        source.close()
        if out:
            window.release()
        del window, source
    gc.collect()
    assert descriptors() == before


@pytest.mark.parametrize("kind", ["mmap", "aiofiles"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: os.truncate(path, 1000), "truncated from 100,000 to 1,000"),
        (lambda path: os.truncate(path, 100_001), "grew from 100,000 to 100,001"),
        (lambda path: os.utime(path, ns=(0, 12345)), "written to"),
        (lambda path: path.unlink(), "deleted or moved"),
        (lambda path: make_clip(path.with_suffix(".new"), 100_000).replace(path), "replaced"),
    ],
    ids=["truncated", "grown", "written", "deleted", "replaced"],
)
def test_a_changed_file_is_told_before_the_next_part(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str, change: Callable[[Path], Any],
    words: str,
) -> None:  # fmt: skip
    """Each way in which a file stops being the one that was opened is told as itself."""
    path = make_clip(tmp_path / "clip.mp4", 100_000)
    with path.open("r+b"):  # a writer was there first: no lease stops it
        source = opened(path, kind, executor)
    source.check()
    change(path)
    with pytest.raises(SourceChangedError, match=words):
        source.check()
    source.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.utime(path, ns=(0, 12345)),
        lambda path: make_clip(path.with_suffix(".new"), 100_000).replace(path),
    ],
    ids=["written", "replaced"],
)
def test_a_file_that_changed_while_its_upload_waited_is_not_opened(
    tmp_path: Path, executor: ThreadPoolExecutor, change: Callable[[Path], Any]
) -> None:
    """What was planned and recorded was other content, if of the same size."""
    path = make_clip(tmp_path / "clip.mp4", 100_000)
    facts, source = describe(path)
    change(path)
    with pytest.raises(SourceChangedError, match="after it was planned"):
        open_source(
            source, facts, mode=SourceMode.AUTO, executor=executor, on_fallback=lambda reason: None
        )


@pytest.mark.parametrize("kind", ["mmap", "aiofiles"])
async def test_lost_pages_are_an_error_and_no_crash(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str
) -> None:
    """A window beyond the end of a file that was cut raises; the process lives."""
    path = make_clip(tmp_path / "clip.mp4", 1_000_000)
    with path.open("r+b") as writer:
        source = opened(path, kind, executor)
        os.truncate(writer.fileno(), 4096)
    with pytest.raises(SourceChangedError, match="truncated"):
        await source.window(500_000, 100_000, 0)
    source.close()


@pytest.mark.parametrize("guarded", [True, False])
def test_only_a_lease_lets_others_read_later(
    tmp_path: Path, guarded: bool, executor: Executor
) -> None:
    """Pages of an unguarded mapping may go: reading them on a thread would be a crash."""
    path = make_clip(tmp_path / "clip.mp4", 100_000)
    with path.open("rb" if guarded else "r+b"):
        source = opened(path, "mmap", executor)
        assert (source.lent is not None, source.executor is not None) == (guarded, guarded)
        source.close()
        assert source.lent is None


async def test_a_writer_waits_while_a_mapped_file_is_sent_and_is_let_in_at_once(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    """A truncation in the middle is held back until the source has noticed and given way."""
    path = make_clip(tmp_path / "clip.mp4", 1_000_000)
    source = opened(path, "mmap", executor)
    truncation = asyncio.create_task(asyncio.to_thread(os.truncate, path, 0))

    async def noticed() -> None:
        while True:
            source.check()
            await asyncio.sleep(0)

    with pytest.raises(SourceChangedError, match="about to be changed"):
        await noticed()
    assert os.stat(path).st_size == 1_000_000  # noqa: PTH116 - a moment's work
    source.close()
    await truncation


class Parked(Executor):
    """Runs so many jobs at once and keeps the others, in order, until `go`."""

    def __init__(self) -> None:
        self.free = 1_000_000
        self.parked: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self.parked.append((future, lambda: fn(*args, **kwargs)))
        if self.free > 0:
            self.free -= 1
            self.go()
        return future

    def go(self) -> None:
        while self.parked:
            future, job = self.parked.pop(0)
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)


async def turns(count: int = 20) -> None:
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_read_that_was_given_up_does_not_move_the_next_one(tmp_path: Path) -> None:
    """A cancelled read still ends on its thread: what is read after it comes from its own place."""
    path = make_clip(tmp_path / "clip.mp4", 300_000)
    parked, content = Parked(), read_whole(path)
    source = opened(path, "aiofiles", parked)
    (await source.window(0, 65_536, 0)).release()
    parked.free = 1  # its seek
    first = asyncio.create_task(source.window(65_536, 65_536, 0))
    await turns()
    assert len(parked.parked) == 1
    first.cancel()
    await turns()
    if first.done():
        stale, parked.parked, parked.free = parked.parked, [], 1
        second = asyncio.create_task(source.window(0, 65_536, 0))
        await turns()
        parked.parked[:0] = stale
    else:
        second = asyncio.create_task(source.window(0, 65_536, 0))
    parked.free = 1_000_000
    parked.go()
    window = await second
    assert bytes(window.view) == content[:65_536]
    window.release()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.close()


@pytest.mark.parametrize("kind", ["mmap", "aiofiles"])
async def test_a_cancelled_window_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    """Stopping in the middle of a read gives descriptor and mapping back when its thread ends."""
    path = make_clip(tmp_path / "clip.mp4", 4 * 1024 * 1024)
    gc.collect()
    before = descriptors()
    with ThreadPoolExecutor(1) as own:
        source = opened(path, kind, own)
        reading = asyncio.create_task(source.window(0, 1 << 20, 0))
        await turns(1)
        reading.cancel()
        await asyncio.wait((reading,))
        source.close()
    if not reading.cancelled():  # it was too fast to be stopped
        reading.result().release()
    del reading, source
    await turns()  # the loop still holds the message that the thread has ended
    gc.collect()
    assert descriptors() == before


async def test_a_disk_that_fails_is_a_source_error(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO while reading names the bytes and the reason."""
    source: Any = opened(make_clip(tmp_path / "clip.mp4", 100_000), "aiofiles", executor)
    (await source.window(0, 10, 0)).release()

    async def fail(view: memoryview) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(source._file, "readinto", fail)
    with pytest.raises(SourceReadError, match=r"bytes 10 to 60 failed: Input/output error"):
        await source.window(10, 50, 0)
    source.close()
