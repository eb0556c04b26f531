"""Streams: from whoever produces the bytes to the engine.

Rule: the producer runs where the caller is (its thread, or its event loop), so that an exception of
either reaches the other, and what it waits for is room. One block is filled at a time, and handed
over when more comes or the stream ends.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
)
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from uploader.engine import Engine
from uploader.engine.feeding import Block, Feed, Over
from uploader.engine.streaming import check_streams, prepare_stream
from uploader.errors import ConfigurationError, SourceError, SourceReadError, UploaderError
from uploader.model import MIB
from uploader.transport import Destination

if TYPE_CHECKING:
    from uploader.api.handle import UploadHandle
    from uploader.api.shared import Drive, Face
    from uploader.engine.claiming import Wish

T = TypeVar("T")
Stream: TypeAlias = Any
"""An object with `read(n)`, or an iterable of bytes; in asyncio also with an async `read`, or an
async iterable."""
READ = 1 * MIB
"""Bytes that are asked of a `read` at once."""


class Ask(Protocol):
    """How a producer reaches the engine from where it runs."""

    async def engine(self, work: Callable[[Engine], Awaitable[T]]) -> T:
        """Run `work` on the engine's loop."""
        ...

    async def blocking(self, call: Callable[[], T]) -> T:
        """Make a call that blocks."""
        ...


class Pouring:
    """One stream on its way. `pour` is driven by the caller, `abandon` may be called meanwhile."""

    def __init__(
        self, face: Face, destination: Destination, name: str, wish: Wish, drive: Drive
    ) -> None:
        check_streams(destination)
        self._face = face
        self._destination = destination
        self._name = name
        self._wish = wish
        self._drive = drive
        self._feed: Feed | None = None
        self._given_up = False
        self.handle: UploadHandle | None = None

    async def pour(self, pieces: AsyncIterator[Any], ask: Ask) -> UploadHandle:
        """Take the stream to its end, or to that of its run, and return the run's handle."""
        self._feed = feed = await ask.engine(self._opened)
        try:
            async with aclosing(_produced(pieces)) as produced:  # a generator ends with us
                await self._fill(feed, produced, ask)
        except Over:
            pass  # the run says why
        except UploaderError as error:
            failure = error
            if self.handle is None:
                self._face._thread.post(feed.close)
                raise
            self._face._thread.post(lambda: feed.fail(failure))
        if self.handle is None:
            raise UploaderError("the upload was given up before it began")
        return self.handle

    def abandon(self) -> None:
        """Stop the upload: nobody waits for it any more."""
        self._given_up = True
        if self.handle is not None:
            self.handle.cancel()  # the run closes the feed when it has ended
        elif self._feed is not None:
            self._face._thread.post(self._feed.close)

    async def _opened(self, engine: Engine) -> Feed:
        return Feed(engine.blocks, self._destination.transport().capabilities)

    async def _fill(self, feed: Feed, pieces: AsyncIterator[memoryview], ask: Ask) -> None:
        block = await ask.engine(lambda _: feed.block())
        async for piece in pieces:
            rest = piece
            while len(rest):
                if block.is_full:
                    await self._hand(feed, block, ask, last=False)
                    block = await ask.engine(lambda _: feed.block())
                rest = block.fill(rest)
        if block.length:
            await self._hand(feed, block, ask, last=True)
        else:
            raise SourceError("the stream is empty: 0 bytes")

    async def _hand(self, feed: Feed, block: Block, ask: Ask, *, last: bool) -> None:
        async def hand(engine: Engine) -> None:
            feed.hand(block, last=last)

        await ask.engine(hand)
        if self.handle is None:
            self.handle = await ask.blocking(lambda: self._begun(feed, block))
            if self._given_up:
                self.abandon()

    def _begun(self, feed: Feed, first: Block) -> UploadHandle:
        def prepared() -> Any:
            return prepare_stream(
                feed,
                first,
                self._destination,
                name=self._name,
                credentials=self._face._credentials,
            )

        return self._face._start_stream(prepared, feed, self._wish, self._drive)


async def _produced(pieces: AsyncIterator[Any]) -> AsyncGenerator[memoryview, None]:
    """Yield what a stream yields as bytes; what it raises is a `SourceReadError`'s cause."""
    try:
        async for piece in pieces:
            yield _octets(piece)
    except (UploaderError, GeneratorExit):
        raise
    except Exception as error:
        raise SourceReadError(f"the stream failed with {type(error).__name__}") from error
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


def _octets(piece: Any) -> memoryview:
    try:
        return memoryview(piece).cast("B")
    except TypeError:
        raise ConfigurationError(
            f"the stream yields {type(piece).__name__}, and bytes are needed"
        ).hint("open it in binary mode") from None


# In the caller's thread.


class InThread:
    """Ask from a thread that may block: nothing here ever suspends."""

    def __init__(self, face: Face) -> None:
        self._face = face

    async def engine(self, work: Callable[[Engine], Awaitable[T]]) -> T:
        return self._face._thread.call(work)

    async def blocking(self, call: Callable[[], T]) -> T:
        return call()


def pour_here(pouring: Pouring, stream: Stream, face: Face) -> UploadHandle:
    """Take a stream to its end in this thread; what is thrown into it stops the upload."""
    try:
        return _to_its_end(pouring.pour(_each(_pieces(stream)), InThread(face)))
    except BaseException:
        pouring.abandon()
        raise


def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        work.close()
    raise RuntimeError("a producer in a thread waited for an event loop")


def _pieces(stream: Stream) -> Iterator[Any]:
    read = getattr(stream, "read", None)
    if callable(read):
        return iter(lambda: read(READ), b"")
    if isinstance(stream, str | bytes | bytearray | memoryview):
        raise ConfigurationError(f"a {type(stream).__name__} is no stream").hint(
            "upload() takes a path, and bytes whose size is known"
        )
    try:
        return iter(stream)
    except TypeError:
        raise ConfigurationError(
            f"a {type(stream).__name__} is no stream: give a binary file or an iterable of bytes"
        ) from None


async def _each(pieces: Iterator[Any]) -> AsyncIterator[Any]:
    try:
        for piece in pieces:
            yield piece
    finally:
        if isinstance(pieces, Generator):
            pieces.close()


# On the caller's event loop.


class OnLoop:
    """Ask from an event loop, which never stalls meanwhile."""

    def __init__(self, face: Face) -> None:
        self._face = face

    async def engine(self, work: Callable[[Engine], Awaitable[T]]) -> T:
        future, cancel = self._face._thread.start(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            cancel()
            raise

    async def blocking(self, call: Callable[[], T]) -> T:
        return await asyncio.to_thread(call)


async def pour_there(pouring: Pouring, stream: Stream, face: Face) -> UploadHandle:
    """Take a stream to its end: an async one on this loop, any other one on a thread."""
    await asyncio.to_thread(face.start)
    pieces = _async_pieces(stream)
    try:
        if pieces is None:
            return await asyncio.to_thread(pour_here, pouring, stream, face)
        return await pouring.pour(pieces, OnLoop(face))
    except BaseException:
        pouring.abandon()
        raise


def _async_pieces(stream: Stream) -> AsyncIterator[Any] | None:
    if hasattr(stream, "__aiter__"):
        found: AsyncIterator[Any] = aiter(stream)
        return found
    read = getattr(stream, "read", None)
    return _read(stream) if inspect.iscoroutinefunction(read) else None


async def _read(stream: Stream) -> AsyncIterator[Any]:
    while piece := await stream.read(READ):
        yield piece
