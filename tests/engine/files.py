"""Files to send.

Rule: large ones are sparse but nowhere repeat: bytes that are lost, swapped or sent twice show.
"""

import hashlib
import random
from pathlib import Path

STEP = 64 * 1024


def make_clip(path: Path, size: int, *, seed: int = 1) -> Path:
    """Write `size` bytes to `path`, different in every 64 KiB and for every seed."""
    chance = random.Random(seed * 1_000_003 + size)
    with path.open("wb") as file:
        for start in range(0, size, STEP):
            file.seek(start)
            file.write(chance.randbytes(min(24, size - start)))
        file.truncate(size)
    return path


def sha256(content: Path | bytes) -> str:
    """Return the hex digest of a file or of bytes."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
