"""A body on its way: memory, limits, and the file that changes under it."""

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wire.conftest import SIZE
from tests.wire.peer import Connection, passed, peer
from tests.wire.rig import body_of, descriptors, post, put, wire
from uploader import NetworkError, SourceChangedError, Timeouts
from uploader.errors import SourceError
from uploader.http import Request
from uploader.source import SourceMode
from uploader.wire import Sink

MODES = pytest.mark.parametrize("mode", [SourceMode.AUTO, SourceMode.MMAP, SourceMode.BUFFERED])
SECURE = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
# Where the clock of the loop is waited for, on the loop that uploads run on.
OURS = pytest.mark.asyncio(loop_factories=["uvloop"])
STALL = Timeouts(connect=5.0, stall=0.25, response=5.0)
SILENCE = Timeouts(connect=5.0, stall=5.0, response=0.25)


def hashing_into(digest: Any) -> Callable[[Connection], Awaitable[None]]:
    """Return a peer that takes a body and answers 201."""

    async def hashing(connection: Connection) -> None:
        left = (await connection.head()).length
        while left:
            piece = await connection.read(left)
            digest.update(piece)
            left -= len(piece)
        await connection.answer(201)

    return hashing


@SECURE
@MODES
async def test_every_byte_arrives(
    film: Path,
    mode: SourceMode,
    secure: bool,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> None:
    """The same bytes, whatever they were read by and sent through."""
    digest = hashlib.sha256()

    tls = tls_server_context if secure else None
    async with (
        peer(hashing_into(digest), tls=tls) as server,
        wire(ssl_context=tls_client_context) as sender,
        body_of(film, mode) as body,
    ):
        assert (await sender.send(put(server.url, body))).status == 201
        assert body.accepted == SIZE
    assert digest.digest() == hashlib.sha256(film.read_bytes()).digest()  # noqa: ASYNC240


@OURS
@SECURE
@MODES
async def test_a_peer_that_stops_reading(
    film: Path,
    mode: SourceMode,
    secure: bool,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> None:
    """It is cut off at its limit, by a reset, and nothing is left of it."""

    async def deaf(connection: Connection) -> None:
        await connection.head()
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await hang.wait()
        connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await connection.until_gone()

    hang, loop = asyncio.Event(), asyncio.get_running_loop()
    tls = tls_server_context if secure else None
    async with (
        peer(deaf, tls=tls, buffer=4096) as server,
        wire(STALL, ssl_context=tls_client_context) as sender,
    ):
        before, began = descriptors(), loop.time()
        async with body_of(film, mode) as body:
            with pytest.raises(NetworkError, match=r"no byte was taken .* for 0\.25 s") as caught:
                await sender.send(put(server.url, body))
        assert loop.time() - began < 5.0
        assert caught.value.ambiguous
        assert body.accepted < SIZE
        hang.set()
        await asyncio.wait_for(server.finished.wait(), 5)
        # Not delivered after all: the peer met a reset, or at the least an end in mid-body.
        assert server.received + (1 << 20) < SIZE
        await passed(0.01)
        assert descriptors() <= before


async def test_a_peer_that_is_slow_but_steady(film: Path) -> None:
    """Far longer than the limit on stalls, and never cut off: it counts bytes."""

    async def slow(connection: Connection) -> None:
        left = (await connection.head()).length
        while left > SIZE // 2:
            left -= len(await connection.reader.readexactly(1 << 19))
            await passed(STALL.stall / 5)
        while left:
            left -= len(await connection.read(left))
        await connection.answer(206)

    loop = asyncio.get_running_loop()
    async with peer(slow, buffer=1 << 16) as server, wire(STALL) as sender, body_of(film) as body:
        began = loop.time()
        assert (await sender.send(put(server.url, body))).status == 206
        assert loop.time() - began > 2 * STALL.stall


@OURS
@SECURE
@pytest.mark.parametrize("streamed", [True, False], ids=["body", "content"])
async def test_a_peer_that_never_answers(
    film: Path,
    streamed: bool,
    secure: bool,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> None:
    """The limit on answers begins when the last byte has arrived; no descriptor stays behind."""

    async def mute(connection: Connection) -> None:
        await connection.request()
        await connection.until_gone()

    tls = tls_server_context if secure else None
    async with (
        peer(mute, tls=tls) as server,
        wire(SILENCE, ssl_context=tls_client_context) as sender,
    ):
        before = descriptors()
        async with body_of(film) as body:
            request = put(server.url, body) if streamed else post(server.url)
            with pytest.raises(NetworkError, match=r"no answer came .* for 0\.25 s") as caught:
                await sender.send(request)
        assert caught.value.ambiguous
        await asyncio.wait_for(server.finished.wait(), 5)
        await passed(0.01)
        assert descriptors() <= before


@SECURE
@MODES
async def test_a_caller_that_stops(
    film: Path,
    mode: SourceMode,
    secure: bool,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> None:
    """Cancelled in mid-body: what the kernel holds is dropped, not delivered."""
    begun, resume = asyncio.Event(), asyncio.Event()

    async def watching(connection: Connection) -> None:
        await connection.head()
        await connection.read(1)
        begun.set()
        await resume.wait()
        await connection.until_gone()

    tls = tls_server_context if secure else None
    async with (
        peer(watching, tls=tls, buffer=4096) as server,
        wire(ssl_context=tls_client_context) as sender,
    ):
        async with body_of(film, mode) as body:
            sending = asyncio.create_task(sender.send(put(server.url, body)))
            await begun.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await body.ended()
        resume.set()
        await asyncio.wait_for(server.finished.wait(), 5)
        assert isinstance(server.ended[0], ConnectionResetError) or secure


@MODES
@pytest.mark.parametrize("after", [0, 1 << 20], ids=["at once", "in mid-body"])
async def test_a_peer_that_resets(film: Path, mode: SourceMode, after: int) -> None:
    """The windows come back, and the error is typed."""

    async def resetting(connection: Connection) -> None:
        await connection.head()
        while connection._peer.received < after:
            await connection.read(1 << 16)
        connection.reset()

    async with peer(resetting) as server, wire() as sender, body_of(film, mode) as body:
        with pytest.raises(NetworkError) as caught:
            await sender.send(put(server.url, body))
        assert caught.value.ambiguous
        assert caught.value.__cause__ is caught.value.__context__ is None


async def nobody(connection: Connection) -> None:
    """Never met."""


@MODES
async def test_nobody_there(film: Path, mode: SourceMode) -> None:
    """A body that never began gives its windows back too."""
    async with peer(nobody) as server:
        url = server.url
    async with wire() as sender, body_of(film, mode) as body:
        with pytest.raises(NetworkError, match="refused") as caught:
            await sender.send(put(url, body))
        assert not caught.value.ambiguous
        assert body.written == 0


@contextlib.asynccontextmanager
async def shrinking(film: Path, tmp_path: Path) -> AsyncIterator[tuple[Path, asyncio.Event]]:
    """Copy the film; when the event is set, it is cut off after a mebibyte."""
    path = tmp_path / "shrinks.mp4"
    shutil.copyfile(film, path)
    cut = asyncio.Event()
    # Open for writing from the start, as a recorder holds it: so no read lease is given.
    with path.open("r+b") as file:

        async def shrink() -> None:
            await cut.wait()
            file.truncate(1 << 20)

        task = asyncio.create_task(shrink())
        yield path, cut
        await task


@SECURE
@MODES
async def test_a_file_that_is_truncated_in_mid_body(
    film: Path,
    tmp_path: Path,
    mode: SourceMode,
    secure: bool,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> None:
    """Reported as what it is, not as the broken connection that it causes; and no SIGBUS."""
    tls = tls_server_context if secure else None
    async with shrinking(film, tmp_path) as (path, cut):

        async def reading(connection: Connection) -> None:
            await connection.head()
            await connection.read(1 << 16)
            cut.set()
            await passed(0.02)
            await connection.until_gone()

        async with (
            peer(reading, tls=tls, buffer=4096) as server,
            wire(ssl_context=tls_client_context) as sender,
            body_of(path, mode) as body,
        ):
            with pytest.raises(SourceChangedError, match="truncated") as caught:
                await sender.send(put(server.url, body))
        assert caught.value.__cause__ is None
        assert server.received < SIZE


@pytest.mark.parametrize("refusal", [None, errno.EINVAL], ids=["lent", "not lent"])
async def test_a_file_under_a_lease_is_lent_to_the_kernel(
    film: Path, monkeypatch: pytest.MonkeyPatch, refusal: int | None
) -> None:
    """Its pages are not copied; where the file system cannot lend them, it is asked once."""
    digest, calls, lent, lend = hashlib.sha256(), 0, 0, os.sendfile

    def watched(target: int, file: int, at: int, length: int) -> int:
        nonlocal calls, lent
        calls += 1
        if refusal is not None:
            raise OSError(refusal, os.strerror(refusal))
        taken = lend(target, file, at, length)
        lent += taken
        return taken

    monkeypatch.setattr(os, "sendfile", watched)
    async with (
        peer(hashing_into(digest)) as server,
        wire() as sender,
        body_of(film, SourceMode.AUTO) as body,
    ):
        assert (await sender.send(put(server.url, body))).status == 201
    assert digest.digest() == hashlib.sha256(film.read_bytes()).digest()  # noqa: ASYNC240
    assert calls == 1 if refusal else lent > SIZE // 2


class Watched:
    """A body that looks into the socket's buffers while it is sent."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.digests: dict[str, bytes] = {}
        self.error: SourceError | None = None
        self.accepted = 0
        self.writing = True
        self.most_unsent = 0

    def __len__(self) -> int:
        return self._length

    @property
    def complete(self) -> bool:
        return self.accepted == self._length

    async def stream(self, sink: Sink) -> None:
        piece = memoryview(bytes(1 << 20))
        while self.accepted < self._length:
            taken = await sink.write(piece[: self._length - self.accepted])
            self.most_unsent = max(self.most_unsent, sink.unsent())
            self.accepted += taken

    async def ended(self) -> None:
        """Nothing is held."""


@OURS
@SECURE
async def test_a_written_slice_is_the_kernels(
    secure: bool, tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext
) -> None:
    """No byte waits in user space when `write` returns: its window may be given back."""

    async def slow(connection: Connection) -> None:
        head = await connection.head()
        left = head.length
        while left:
            left -= len(await connection.read(left))
            await asyncio.sleep(0)
        await connection.answer(201)

    tls = tls_server_context if secure else None
    body = Watched(16 << 20)
    async with (
        peer(slow, tls=tls, buffer=4096) as server,
        wire(ssl_context=tls_client_context) as sender,
    ):
        answer = await sender.send(Request("put", "PUT", server.url, body=body))
    assert (answer.status, body.most_unsent) == (201, 0)


async def test_a_body_is_streamed_once(film: Path) -> None:
    """A second try needs a second body: the first one's bytes are gone."""

    async def polite(connection: Connection) -> None:
        await connection.request()
        await connection.answer(206)

    async with peer(polite) as server, wire() as sender, body_of(film) as body:
        await sender.send(put(server.url, body))
        with pytest.raises(RuntimeError, match="once"):
            await body.stream(Nowhere())


class Nowhere:
    """A sink that is never reached."""

    slice_size = 1

    async def write(self, data: memoryview, file: int | None = None, at: int = 0) -> int:
        raise AssertionError

    def unsent(self) -> int:
        raise AssertionError

    def abort(self) -> None:
        raise AssertionError
