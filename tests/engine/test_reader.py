"""The reader: every byte in order, from anywhere, and nothing held when it stops."""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uploader.errors import SourceChangedError, SourceError, SourceReadError
from uploader.model import KIB, Plan
from uploader.pipeline import Reader, WindowBudget
from uploader.source.buffered import BytesSource, BytesWindow

STEADY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],
)
CONTENT = bytes(i * i % 251 for i in range(3_000)) * 700


class Counted(BytesSource):
    """Bytes whose windows are counted, and which can fail or dawdle."""

    def __init__(self, content: bytes = CONTENT) -> None:
        super().__init__(content, name="clip.mp4")
        self.out = 0
        self.fails: BaseException | None = None
        self.gate: asyncio.Event | None = None

    async def window(self, start: int, length: int, ahead: int) -> BytesWindow:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        window = await super().window(start, length, ahead)
        self.out += 1
        release = window.release
        counted: Any = window

        class Releasing:
            view = counted.view

            def release(inner) -> None:  # noqa: N805 - `self` is the source here
                self.out -= 1
                release()

        return Releasing()  # type: ignore[return-value]


def made(
    source: Counted, *, part_size: int = 700_000, capacity: int = 1 << 20
) -> tuple[Reader, WindowBudget]:
    """Return a reader of the source in parts, and its budget."""
    budget = WindowBudget(capacity)
    plan = Plan(source.size, part_size, max(1, source.size // part_size))
    return Reader(source, plan, budget.allowance()), budget


async def turns(count: int = 10) -> None:
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


def ends_of(plan_size: int, part_size: int) -> set[int]:
    """Return where parts end."""
    count = max(1, plan_size // part_size)
    return {part.stop for part in Plan(plan_size, part_size, count)}


async def test_all_bytes_come_in_order_and_never_across_a_parts_end() -> None:
    """The windows join to the file, each within one part."""
    source = Counted()
    reader, budget = made(source)
    await reader.seek(0)
    position, ends = 0, ends_of(source.size, 700_000)
    while position < source.size:
        item = await reader.next()
        assert item.start == position
        assert bytes(item.window.view) == CONTENT[position : position + item.length]
        assert not any(position < end < position + item.length for end in ends)
        position += item.length
        reader.done(item)
    await reader.stop()
    assert (source.out, budget.used) == (0, 0)


@STEADY
@given(data=st.data())
def test_seek_restart_and_stop_in_any_order_hold_nothing(data: st.DataObject) -> None:
    """Whatever is sought, taken, kept and stopped: the right bytes come, and all is given back."""

    async def play() -> None:
        source = Counted()
        part_size = data.draw(st.integers(300_000, source.size))
        reader, budget = made(source, part_size=part_size)
        held: deque[Any] = deque()
        position: int | None = None
        for _ in range(data.draw(st.integers(1, 25))):
            match data.draw(st.sampled_from(["seek", "next", "next", "done", "turns", "stop"])):
                case "seek":
                    while held:
                        reader.done(held.popleft())
                    position = data.draw(st.integers(0, source.size - 1))
                    await reader.seek(position)
                case "next" if position is not None and position < source.size and len(held) < 2:
                    item = await reader.next()
                    assert item.start == position
                    stop = position + item.length
                    assert bytes(item.window.view) == CONTENT[position:stop]
                    position = stop
                    held.append(item)
                case "done" if held:
                    reader.done(held.popleft())
                case "turns":
                    await turns(data.draw(st.integers(1, 5)))
                case "stop":
                    await reader.stop()
                    position = None
                    assert source.out == len(held)
        while held:
            reader.done(held.popleft())
        await reader.stop()
        assert (source.out, budget.used, budget.windows) == (0, 0, 0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play())


async def test_reading_goes_on_past_the_end_of_a_part() -> None:
    """While an answer is on its way, the next part's first windows become ready."""
    source = Counted()
    reader, _ = made(source, part_size=256 * KIB)
    await reader.seek(0)
    await turns()
    first = await reader.next()
    await turns()
    assert first.length == 256 * KIB
    assert reader.queued >= 1
    reader.done(first)
    await reader.seek(first.length)
    assert (await reader.next()).start == first.length
    await reader.stop()


@pytest.mark.parametrize("given_up", [False, True])
async def test_a_digest_is_taken_beside_the_loop_and_to_its_end(given_up: bool) -> None:
    """A thread may still read a window when the reader is stopped: it is released after that."""
    source, begun, go_on = Counted(), threading.Event(), threading.Event()

    class Held(ThreadPoolExecutor):
        def submit(self, call: Any, /, *args: Any, **settings: Any) -> Future[Any]:
            def held() -> Any:
                begun.set()
                go_on.wait(10)
                return call(*args, **settings)

            return super().submit(held)

    with Held(1) as source.executor:
        reader, budget = made(source, part_size=source.size, capacity=12 << 20)
        await reader.seek(0)
        await asyncio.to_thread(begun.wait, 10)
        assert (source.out, reader.queued) == (1, 0)
        if given_up:
            stopping = asyncio.create_task(reader.stop())
            await turns()
            assert (stopping.done(), source.out) == (False, 1)
            go_on.set()
            await stopping
        else:
            go_on.set()
            reader.done(await reader.next())
            assert reader.digests == {0: xxhash.xxh3_128_hexdigest(CONTENT)}
            await reader.stop()
    assert (source.out, budget.used, budget.windows) == (0, 0, 0)


async def test_seeking_to_where_it_is_keeps_what_was_read() -> None:
    """The next part does not read again what was read ahead for it."""
    source = Counted()
    reader, _ = made(source)
    await reader.seek(0)
    await turns()
    ready = reader.queued
    await reader.seek(0)
    assert reader.queued == ready > 0
    await reader.stop()


@pytest.mark.parametrize("error", [SourceReadError("EIO"), SourceChangedError("truncated")])
async def test_a_source_error_comes_in_its_turn(error: SourceError) -> None:
    """Windows that were read before the failure are good; the failure follows them."""
    source = Counted()
    reader, budget = made(source)
    await reader.seek(0)
    await turns()
    source.fails = error
    read = 0
    with pytest.raises(type(error)) as caught:  # noqa: PT012 - until it comes
        while True:
            item = await reader.next()
            read += item.length
            reader.done(item)
    assert caught.value is error
    assert read > 0
    source.fails = None
    await reader.seek(read)
    assert (await reader.next()).start == read
    await reader.stop()
    assert budget.used <= 1 << 20


@pytest.mark.timeout(10)
@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(5, "EIO"), MemoryError()])
async def test_any_other_failure_of_a_source_is_told_and_does_not_hang(error: Exception) -> None:
    """An exception that nobody foresaw ends the read as a SourceReadError."""
    source = Counted()
    source.fails = error
    reader, budget = made(source)
    await reader.seek(0)
    with pytest.raises(SourceReadError, match=type(error).__name__):
        await reader.next()
    await reader.stop()
    assert budget.used == 0


@pytest.mark.timeout(10)
async def test_a_cancellation_while_the_reader_stops_is_not_swallowed() -> None:
    """A caller that is cancelled in the middle of a restart is cancelled."""

    class Slow(Counted):
        async def window(self, start: int, length: int, ahead: int) -> BytesWindow:
            try:
                return await super().window(start, length, ahead)
            except asyncio.CancelledError:
                await turns(5)  # as long as a thread needs to end
                raise

    source = Slow()
    source.gate = asyncio.Event()
    reader, _ = made(source)
    await reader.seek(0)
    await turns()
    restarting = asyncio.create_task(reader.seek(1000))
    await turns(2)
    restarting.cancel()
    await asyncio.wait((restarting,))
    assert restarting.cancelled()
    source.gate.set()
    await reader.stop()
    assert source.out == 0


async def test_a_small_file_is_read_at_once_and_given_back() -> None:
    """It is ready when `seek` returns; whoever stops before taking it leaves nothing held."""
    source = Counted(CONTENT[: 100 * KIB])
    reader, budget = made(source)
    await reader.seek(0)
    assert reader.queued == 1
    await reader.seek(0)
    assert (reader.queued, source.out) == (1, 1)
    reader.done(await reader.next())
    await reader.seek(0)
    await reader.stop()
    assert (source.out, budget.used) == (0, 0)
    source.fails = SourceReadError("EIO")
    await reader.seek(0)
    with pytest.raises(SourceReadError):
        await reader.next()


async def test_a_small_file_of_many_parts_is_read_as_there_is_room() -> None:
    """It has more windows than may be held at once."""
    content = CONTENT[: 100 * KIB]
    source = Counted(content)
    reader, budget = made(source, part_size=10 * KIB)
    await asyncio.wait_for(reader.seek(0), 10)
    read = b""
    while len(read) < len(content):
        item = await reader.next()
        read += bytes(item.window.view)
        reader.done(item)
    await reader.stop()
    assert (read, source.out, budget.used) == (content, 0, 0)
