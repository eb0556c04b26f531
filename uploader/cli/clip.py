"""The video that the demonstration publishes: four seconds of colour bars, as large as one likes.

Rule: the file that grows stays a valid MP4 and takes no room on the disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from uploader.errors import ConfigurationError

CLIP: Final = Path(__file__).with_name("clip.mp4")
_SMALL_HEADER: Final = 8
_LARGE_HEADER: Final = 16
_MOST_IN_32_BITS: Final = 2**32 - 1


def free_box(size: int) -> bytes:
    """Return the header of a `free` box of `size` bytes, header included (ISO/IEC 14496-12).

    Above 4 GiB the size is written in 64 bits behind the type.
    """
    if size < _SMALL_HEADER:
        raise ValueError(f"a box of {size} bytes has no room for its header")
    if size <= _MOST_IN_32_BITS:
        return size.to_bytes(4, "big") + b"free"
    return (1).to_bytes(4, "big") + b"free" + size.to_bytes(8, "big")


def grow(file: Path, size: int) -> None:
    """Let an MP4 grow to `size` bytes by a `free` box whose content is a hole in the file."""
    missing = size - file.stat().st_size
    if missing == 0:
        return
    if missing < _SMALL_HEADER:
        least = file.stat().st_size + _SMALL_HEADER
        raise ConfigurationError(f"a video of {size:,} bytes cannot be made").hint(
            f"give a size of at least {least:,} bytes"
        )
    with file.open("ab") as stream:
        stream.write(free_box(missing))
        stream.truncate(size)


@contextmanager
def grown_clip(size: int) -> Iterator[Path]:
    """Lend the clip, grown to `size` bytes, in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="uploader-demo-", dir=_roomy()) as directory:
        file = Path(directory) / CLIP.name
        shutil.copyfile(CLIP, file)
        grow(file, size)
        yield file


def _roomy() -> str | None:
    """Return a directory on a disk: where /tmp is memory, reading a hole would fill it."""
    if any(name in os.environ for name in ("TMPDIR", "TEMP", "TMP")):
        return None
    return "/var/tmp" if os.access("/var/tmp", os.W_OK) else None  # noqa: S108 - made by mkdtemp
