"""Tell whether a file is still the one that was opened.

Rule: compares what `stat` says; reads no content.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from uploader.errors import SourceChangedError


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Size and time stamps of an open file, and which file its path named."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> FileIdentity:
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)

    @property
    def stamp(self) -> tuple[int, ...]:
        """The same as plain numbers."""
        return (self.device, self.inode, self.size, self.modified_ns)


def check_unchanged(name: str, fd: int, path: Path | None, opened: FileIdentity) -> None:
    """Raise `SourceChangedError` when the file was written to, truncated, grown or replaced."""
    now = FileIdentity.of(os.fstat(fd))
    if now.size < opened.size:
        raise SourceChangedError(
            f"{name} was truncated from {opened.size:,} to {now.size:,} bytes while it was sent"
        )
    if now.size > opened.size:
        raise SourceChangedError(
            f"{name} grew from {opened.size:,} to {now.size:,} bytes while it was sent"
        ).hint("upload a file only after the program that writes it has closed it")
    if now.modified_ns != opened.modified_ns:
        raise SourceChangedError(f"{name} was written to while it was sent")
    if path is None:
        return
    try:
        named = FileIdentity.of(path.stat())
    except OSError:
        raise SourceChangedError(f"{name} was deleted or moved while it was sent") from None
    if (named.device, named.inode) != (opened.device, opened.inode):
        raise SourceChangedError(f"{name} was replaced by another file while it was sent")
