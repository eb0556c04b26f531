"""Names by which another process finds an application's own files, such as those of a storage.

    references.register(Files())

Rule: optional; without a `Files` a source is a path, an open file or bytes, and only a path can be
found again. A reference is "<scheme>:<name>", and is what the journal keeps in place of a path.
"""

from __future__ import annotations

import os
from typing import Any, Protocol


class Files(Protocol):
    """An application's files. `scheme` begins their references; it is no name of a drive."""

    scheme: str

    def refer(self, source: Any) -> str | None:
        """Return the name of a file of its own, `None` for anything else. Opens nothing."""
        ...

    def find(self, name: str) -> Any:
        """Return a file by its name, as a path or an open binary file; raise `SourceError`."""
        ...


class ReferredPath(os.PathLike[str]):
    """A path that stands for what has a reference."""

    def __init__(self, path: str, reference: str) -> None:
        self._path = path
        self.reference = reference

    def __fspath__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"ReferredPath({self._path!r}, {self.reference!r})"


class ReferredFile:
    """An open file that stands for what has a reference; of the file's own words these are used."""

    def __init__(self, file: Any, reference: str) -> None:
        self._file = file
        self.reference = reference
        self.name = reference.rpartition("/")[2].rpartition(":")[2]

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._file.read(size)
        return content

    def fileno(self) -> int:
        return int(self._file.fileno())

    def close(self) -> None:
        self._file.close()


_registered: dict[str, Files] = {}


def register(files: Files) -> None:
    """Find files of an application in this process from now on, in place of those of its scheme."""
    _registered[files.scheme] = files


def referred(source: Any) -> Any:
    """Return what stands for a source that has a reference, any other one as it is."""
    if isinstance(source, str):
        scheme, _, name = source.partition(":")
        known = _registered.get(scheme)
        return source if known is None else _found(known, name)
    for files in _registered.values():
        own = files.refer(source)
        if own is not None:
            return _found(files, own)
    return source


def reference_of(source: Any) -> str | None:
    """Return the reference of what stands for a source, `None` where there is none."""
    found = getattr(source, "reference", None)
    known = isinstance(found, str) and found.partition(":")[0] in _registered
    return str(found) if known else None


def _found(files: Files, name: str) -> ReferredPath | ReferredFile:
    reference = f"{files.scheme}:{name}"
    found = files.find(name)
    if isinstance(found, str | os.PathLike):
        return ReferredPath(os.fspath(found), reference)
    return ReferredFile(found, reference)
