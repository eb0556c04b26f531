"""From what a caller hands us to an open source, and to what can be known of it before.

Rule: bad input is refused here, with one sentence that says what to do, before anything is sent.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import io
import os
import shutil
import stat
import tempfile
import weakref
from collections.abc import Callable
from concurrent.futures import Executor
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from uploader.errors import ConfigurationError, SourceChangedError, SourceError
from uploader.model import SourceFacts
from uploader.source import references
from uploader.source.buffered import BufferedSource, BytesSource
from uploader.source.contract import Source
from uploader.source.identity import FileIdentity
from uploader.source.lease import ReadLease
from uploader.source.mapped import MappedSource
from uploader.source.memory import can_probe

SourceInput: TypeAlias = Any
"""`str | Path`, an open binary file, a Django `File`, or `bytes`; what `references.Files` knows."""

HEAD_BYTES = 64
_can_probe = cache(can_probe)


class SourceMode(StrEnum):
    """How a file is read: mapped where that is safe (AUTO), always mapped, or never."""

    AUTO = "auto"
    MMAP = "mmap"
    BUFFERED = "buffered"


class Spooled:
    """A temporary copy of something that has no file descriptor of its own."""

    def __init__(self, readable: Any, name: str) -> None:
        self.name = name
        self.reference = references.reference_of(readable)
        self.file = tempfile.TemporaryFile(prefix="uploader-")  # noqa: SIM115 - closed with us
        self._closing = weakref.finalize(self, self.file.close)
        try:
            shutil.copyfileobj(readable, self.file, 1024 * 1024)
            self.file.flush()
        except OSError as error:
            # Closing tries again to write what no disk took; the descriptor is closed all the same.
            with contextlib.suppress(OSError):
                self._closing()
            raise SourceError(
                f"{name} cannot be copied to a temporary file: {error.strerror or error}"
            ) from None
        except TypeError:
            raise ConfigurationError(f"{name} does not read as bytes").hint(
                "open it in binary mode"
            ) from None


def describe(source: SourceInput) -> tuple[SourceFacts, SourceInput]:
    """Return what can be known of a source, and what to open it by.

    A stream without a descriptor is copied to a temporary file first. What a `references.Files`
    knows is found by it. Raises `SourceError`.
    """
    path: Path | None = None
    source = references.referred(source)
    match source:
        case bytes() | bytearray() | memoryview():
            content = bytes(source)
            _refuse_empty("the content", len(content))
            return SourceFacts("", len(content), content[:HEAD_BYTES]), content
        case str() | os.PathLike():
            path = Path(source)
            fd = _open(path)
        case Spooled():
            fd = os.dup(source.file.fileno())
        case _ if callable(getattr(source, "read", None)) and not isinstance(source, type):
            _refuse_unreadable(source)
            found = _flushed(source)
            if found is None:
                opened, source = source, Spooled(_rewound(source), _name(source))
                if isinstance(opened, references.ReferredFile):
                    opened.close()
                found = source.file.fileno()
            fd = os.dup(found)
        case _:
            raise ConfigurationError(
                f"a {type(source).__name__} is no source: give a path, a binary file or bytes"
            )
    name = path.name if path is not None else _name(source)
    try:
        identity = FileIdentity.of(_regular(name, fd))
        _refuse_empty(name, identity.size)
        head = os.pread(fd, HEAD_BYTES, 0)
        return SourceFacts(name, identity.size, head, identity.stamp), source
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from None
    finally:
        os.close(fd)


def open_source(
    source: SourceInput,
    facts: SourceFacts,
    *,
    mode: SourceMode,
    executor: Executor,
    on_fallback: Callable[[str], None],
) -> Source:
    """Open what `describe` saw. `on_fallback` is told why a file is not mapped."""
    if isinstance(source, bytes):
        return BytesSource(source, name=facts.name or "the content")
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    fd = _open(path) if path is not None else _duplicate(source, facts.name)
    try:
        identity = FileIdentity.of(_regular(facts.name, fd))
        if identity.size != facts.size:
            raise SourceError(
                f"{facts.name} had {facts.size:,} bytes when it was planned"
                f" and has {identity.size:,} now"
            ).hint("upload a file only after the program that writes it has closed it")
        if facts.stamp and facts.stamp != identity.stamp:
            raise SourceChangedError(
                f"{facts.name} was changed or replaced after it was planned, before it was sent"
            ).hint("upload a file only after the program that writes it has closed it")
        reason = None if mode is SourceMode.MMAP else _unmappable(mode)
        lease = ReadLease.take(fd) if reason is None else None
        if lease is None and reason is None and mode is SourceMode.AUTO:
            reason = "no read lease is to be had: it may be open for writing somewhere"
        if reason is None:
            try:
                return MappedSource(
                    fd,
                    name=facts.name,
                    path=path,
                    identity=identity,
                    executor=executor,
                    lease=lease,
                )
            except OSError as error:
                reason = f"the file cannot be mapped: {error.strerror}"
                if lease is not None:
                    lease.give_back()
                if mode is SourceMode.MMAP:
                    raise SourceError(f"{facts.name}: {reason}") from None
        on_fallback(reason)
        return BufferedSource(fd, name=facts.name, path=path, identity=identity, executor=executor)
    except BaseException:
        os.close(fd)
        raise


def _unmappable(mode: SourceMode) -> str | None:
    if mode is SourceMode.BUFFERED:
        return "asked for"
    if not _can_probe():
        return "this system cannot tell lost pages from a crash (needs Linux 5.14)"
    return None


def _open(path: Path) -> int:
    # O_NONBLOCK: opening a FIFO without a writer would wait for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(path, flags)
    except ValueError:
        raise SourceError(f"{str(path)!r} is no path") from None
    except OSError as error:
        match error.errno:
            case errno.ENOENT:
                raise SourceError(f"{path} does not exist").hint("check the path") from None
            case errno.EACCES:
                raise SourceError(f"{path} is not readable for this user").hint(
                    f"try: ls -l {path}"
                ) from None
            case _:
                raise SourceError(f"{path} cannot be opened: {error.strerror}") from None


def descriptor_of(source: SourceInput, name: str) -> int:
    """Return a new descriptor of what `describe` saw, for the caller to close."""
    if isinstance(source, str | os.PathLike):
        return _open(Path(source))
    return _duplicate(source, name)


def _duplicate(source: Any, name: str) -> int:
    found = _descriptor(source)
    if found is None:
        raise SourceError(f"{name} was closed before it was uploaded")
    return os.dup(found)


def _regular(name: str, fd: int) -> os.stat_result:
    facts = os.fstat(fd)
    if stat.S_ISREG(facts.st_mode):
        return facts
    kind = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }.get(stat.S_IFMT(facts.st_mode), "not a regular file")
    raise SourceError(f"{name} is {kind}, not a file").hint("give the path of a video file")


def _refuse_empty(name: str, size: int) -> None:
    if size == 0:
        raise SourceError(f"{name} is empty: 0 bytes")


def _name(source: Any) -> str:
    name = getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) and name else "the file"


def _descriptor(source: Any) -> int | None:
    if isinstance(source, Spooled):
        return source.file.fileno()
    try:
        return int(source.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def _refuse_unreadable(source: Any) -> None:
    if getattr(source, "closed", False) is True:
        raise SourceError(f"{_name(source)} is closed")
    if inspect.iscoroutinefunction(source.read):
        raise ConfigurationError(f"a {type(source).__name__} is read by awaiting it").hint(
            "give the file inside of it, such as upload.file"
        )


def _flushed(source: Any) -> int | None:
    """Return the descriptor of an open file when all that was written to it can be read there."""
    found = _descriptor(source)
    if found is not None and hasattr(source, "flush"):
        try:
            source.flush()
        except OSError as error:
            raise SourceError(f"{_name(source)} cannot be flushed: {error.strerror}") from None
    return found


def _rewound(source: Any) -> Any:
    if hasattr(source, "seek"):
        with contextlib.suppress(io.UnsupportedOperation):
            source.seek(0)
    return source
