"""What a caller may hand over as a source, and what is refused before anything is sent."""

import contextlib
import gc
import io
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.engine.files import make_clip
from uploader.errors import ConfigurationError, SourceError
from uploader.source import Source, SourceMode, describe, open_source

CONTENT = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    """Worker threads for sources."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


def descriptors() -> set[str]:
    """Return the open descriptors of this process."""
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the names are the point


@contextlib.contextmanager
def no_descriptor_is_left() -> Iterator[None]:
    """Fail when a descriptor that was opened inside is still open."""
    gc.collect()
    before = descriptors()
    yield
    gc.collect()
    assert len(descriptors()) == len(before)


def opened(source: Any, executor: ThreadPoolExecutor, mode: SourceMode = SourceMode.AUTO) -> Source:
    """Describe and open a source as an upload does."""
    facts, found = describe(source)
    return open_source(found, facts, mode=mode, executor=executor, on_fallback=lambda reason: None)


async def content(source: Source) -> bytes:
    """Read a small source whole, and close it."""
    window = await source.window(0, source.size, 0)
    read = bytes(window.view)
    window.release()
    source.close()
    return read


def refusal(source: Any) -> str:
    """Return why a source is refused."""
    with pytest.raises(SourceError) as caught:
        describe(source)
    return str(caught.value)


class Wrapped:
    """A file as Django wraps it: `file` inside, everything else passed on, `size` and `chunks`."""

    def __init__(self, file: Any, name: str) -> None:
        self.file = file
        self.name = name

    @property
    def fileno(self) -> Any:
        return self.file.fileno

    @property
    def read(self) -> Any:
        return self.file.read

    @property
    def seek(self) -> Any:
        return self.file.seek

    @property
    def flush(self) -> Any:
        return self.file.flush

    @property
    def size(self) -> int:
        return len(CONTENT)


# -- what is taken ------------------------------------------------------------------------------


async def test_every_kind_of_source_gives_the_same_bytes(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    """Path, text, open file, Django's kinds of file, streams and bytes: all of the content."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    with no_descriptor_is_left(), path.open("rb") as plain, path.open("rb") as wrapped:
        plain.seek(1234)
        stream = io.BytesIO(CONTENT)
        stream.seek(99)
        sources: list[Any] = [
            path,
            str(path),
            os.fspath(path),
            plain,
            Wrapped(wrapped, "clip.mp4"),
            stream,
            Wrapped(io.BytesIO(CONTENT), "clip.mp4"),
            CONTENT,
            bytearray(CONTENT),
            memoryview(CONTENT),
        ]
        for source in sources:
            assert await content(opened(source, executor)) == CONTENT
        assert plain.tell() == 1234
        del sources, stream, source


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (Wrapped(io.BytesIO(CONTENT), "clip.mp4"), "clip.mp4"),
        (Wrapped(io.BytesIO(CONTENT), "/srv/media/clip.mov"), "clip.mov"),
        (CONTENT, ""),
    ],
)
def test_the_name_comes_along(source: Any, name: str) -> None:
    """A name decides the media type later; only its last part is kept."""
    facts, _ = describe(source)
    assert (facts.name, facts.size, facts.head) == (name, len(CONTENT), CONTENT[:64])


def test_describing_twice_spools_once() -> None:
    """What was spooled is described again without another copy."""
    _, spooled = describe(io.BytesIO(CONTENT))
    facts, again = describe(spooled)
    assert again is spooled
    assert facts.size == len(CONTENT)


async def test_what_a_writer_has_in_its_buffer_is_sent_too(executor: ThreadPoolExecutor) -> None:
    """A file that was just written and not flushed loses no byte of its end."""
    with tempfile.NamedTemporaryFile("w+b", suffix=".mp4") as file:
        file.write(CONTENT[:-10])
        file.write(CONTENT[-10:])
        assert await content(opened(file, executor)) == CONTENT


async def test_a_stream_in_a_spooled_temporary_file_is_taken(executor: ThreadPoolExecutor) -> None:
    """Python's own spooled file, as web frameworks hand it over, is read from its beginning."""
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as file:
        file.write(CONTENT[:-10])
        file.write(CONTENT[-10:])
        assert await content(opened(file, executor)) == CONTENT


async def test_the_callers_file_is_neither_closed_nor_moved(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    """An open file is the caller's: after the upload it is open, where it was."""
    path = make_clip(tmp_path / "clip.mp4", 100_000)
    for mode in SourceMode:
        with path.open("rb") as file:
            file.seek(77)
            await content(opened(file, executor, mode))
            assert not file.closed
            assert file.tell() == 77


# -- what is refused ----------------------------------------------------------------------------


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The path is named, with a hint."""
    with pytest.raises(SourceError, match=r"gone\.mp4 does not exist") as caught:
        describe(tmp_path / "gone.mp4")
    assert caught.value.hints


@pytest.mark.parametrize("mode", ["path", "file", "bytes", "stream"])
def test_an_empty_source_is_refused(tmp_path: Path, mode: str) -> None:
    """Nothing to send is a mistake, in every kind of source."""
    path = tmp_path / "clip.mp4"
    path.touch()
    with path.open("rb") as file:
        source = {"path": path, "file": file, "bytes": b"", "stream": io.BytesIO()}[mode]
        with pytest.raises(SourceError, match="empty: 0 bytes"):
            describe(source)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory is named as one."""
    with no_descriptor_is_left(), pytest.raises(SourceError, match="a directory, not a file"):
        describe(tmp_path)


@pytest.mark.timeout(10)
def test_a_fifo_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    """Opening a FIFO must not wait for somebody to write."""
    os.mkfifo(tmp_path / "clip.mp4")
    with no_descriptor_is_left(), pytest.raises(SourceError, match="a FIFO, not a file"):
        describe(tmp_path / "clip.mp4")


def test_a_pipe_is_refused() -> None:
    """Standard input of a pipeline has a descriptor, and no size."""
    reading, writing = os.pipe()
    with open(reading, "rb") as stream, open(writing, "wb"):  # noqa: PTH123 - a descriptor
        told = refusal(stream)
    assert "a FIFO, not a file" in told


def test_a_device_is_refused() -> None:
    """A device never ends."""
    with pytest.raises(SourceError, match="a device, not a file"):
        describe("/dev/zero")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A UNIX socket is no file, by its path and by its stream."""
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("clip.mp4")
        assert "clip.mp4" in refusal("clip.mp4")
    left, right = socket.socketpair()
    with left, right, left.makefile("rb") as stream:
        assert "a socket, not a file" in refusal(stream)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A user without the right to read is told so, by a child that is not root."""
    path = make_clip(tmp_path / "clip.mp4", 1000)
    path.chmod(0)
    script = (
        "import os, sys\n"
        "from uploader.source import describe\n"
        "from uploader.errors import SourceError\n"
        "os.getuid() or os.setuid(65534)\n"
        "try: describe(sys.argv[1])\n"
        "except SourceError as error: print(error, *error.hints, sep='|')\n"
    )
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    told = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert told == f"{path} is not readable for this user|try: ls -l {path}\n"


@pytest.mark.parametrize("path", ["clip\0.mp4", "x" * 5000 + ".mp4", ""])
def test_a_path_that_cannot_be_is_refused(path: str) -> None:
    """A path that no file can have is a SourceError like any other."""
    with pytest.raises(SourceError):
        describe(path)


@pytest.mark.parametrize("source", [None, 7, 3.5, [], object(), Path])
def test_what_is_no_source_is_refused(source: object) -> None:
    """Another type is the caller's mistake, and its name is told."""
    with pytest.raises(ConfigurationError, match="is no source"):
        describe(source)


@pytest.mark.parametrize("text", [io.StringIO("text"), Wrapped(io.StringIO("text"), "a.mp4")])
def test_a_stream_of_text_is_refused(text: Any) -> None:
    """Text has no bytes until somebody chooses them."""
    with pytest.raises(ConfigurationError, match="bytes"):
        describe(text)


def test_a_file_that_must_be_awaited_is_refused_with_a_hint() -> None:
    """Web frameworks' asynchronous uploads hold the file that we can read."""

    class Upload:
        async def read(self, size: int = -1) -> bytes:
            return b""

    with pytest.raises(ConfigurationError, match="Upload") as caught:
        describe(Upload())
    assert "upload.file" in caught.value.hints[0]


async def test_a_stream_that_cannot_seek_is_read_from_where_it_is(
    executor: ThreadPoolExecutor,
) -> None:
    """The answer of a download can be uploaded without a file in between."""

    class Download(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *args: Any) -> int:
            raise io.UnsupportedOperation("seek")

        def fileno(self) -> int:
            raise io.UnsupportedOperation("fileno")

    assert await content(opened(Download(CONTENT), executor)) == CONTENT


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_closed_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A file that was closed before is told as that."""
    path = make_clip(tmp_path / "clip.mp4", 1000)
    with path.open("rb") as file, io.BytesIO(CONTENT) as stream:
        pass
    with pytest.raises(SourceError, match="closed"):
        describe(file if kind == "file" else stream)


async def test_a_stream_that_fails_is_told_and_leaves_nothing() -> None:
    """An OSError of the caller's stream becomes a SourceError, and the copy is gone."""

    class Failing(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise OSError(5, "Input/output error")

    with no_descriptor_is_left(), pytest.raises(SourceError, match="Input/output error"):
        describe(Failing())


# -- between describing and opening -------------------------------------------------------------


@pytest.mark.parametrize("change", [b"", CONTENT[:-1], CONTENT + b"x"])
@pytest.mark.parametrize("mode", list(SourceMode))
def test_a_file_that_changed_its_size_since_it_was_planned_is_refused(
    tmp_path: Path, executor: ThreadPoolExecutor, mode: SourceMode, change: bytes
) -> None:
    """A recording that still grows, or was cut, is refused with both sizes before a byte."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    facts, source = describe(path)
    path.write_bytes(change)
    with (
        no_descriptor_is_left(),
        pytest.raises(SourceError, match=f"had {len(CONTENT):,} .* has {len(change):,} now"),
    ):
        open_source(source, facts, mode=mode, executor=executor, on_fallback=print)


def test_a_file_that_was_closed_since_it_was_planned_is_refused(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    """A caller that closes its file too early is told so."""
    with make_clip(tmp_path / "clip.mp4", 1000).open("rb") as file:
        facts, source = describe(file)
    with pytest.raises(SourceError, match="closed before"):
        open_source(source, facts, mode=SourceMode.AUTO, executor=executor, on_fallback=print)


@pytest.mark.parametrize(
    ("mode", "kind", "told"),
    [(SourceMode.AUTO, "mmap", False), (SourceMode.MMAP, "mmap", False),
     (SourceMode.BUFFERED, "aiofiles", True)],
)  # fmt: skip
def test_the_mode_chooses_how_a_file_is_read(
    tmp_path: Path, executor: ThreadPoolExecutor, mode: SourceMode, kind: str, told: bool
) -> None:
    """Mapped where that is safe, buffered when asked for, and a reason is told."""
    reasons: list[str] = []
    facts, source = describe(make_clip(tmp_path / "clip.mp4", 1000))
    found = open_source(source, facts, mode=mode, executor=executor, on_fallback=reasons.append)
    found.close()
    found.close()
    assert found.kind == kind
    assert bool(reasons) is told
