"""Which file systems a journal may live on.

Rule: SQLite's locks and shared memory do not work over a network; better refused than corrupted.
https://www.sqlite.org/wal.html: "WAL does not work over a network filesystem."
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from uploader.errors import JournalError

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs"}
    | {"beegfs", "davfs", "gfs2", "gpfs", "ocfs2", "orangefs", "pvfs2", "vboxsf", "vmhgfs"}
    | {f"fuse.{name}" for name in ("sshfs", "s3fs", "gcsfuse", "glusterfs", "rclone", "juicefs")}
    | {f"fuse.{name}" for name in ("ceph-fuse", "blobfuse2", "goofys", "mount-s3", "vmhgfs-fuse")}
)
MOUNTS: Final = Path("/proc/self/mounts")


def refuse_network(folder: Path, mounts: Path = MOUNTS) -> None:
    """Raise `JournalError` when `folder` lies on a network file system, where that can be told."""
    kind = "a network share" if str(folder).startswith("\\\\") else kind_of(folder, mounts)
    if kind in NETWORK or kind == "a network share":
        raise JournalError(f"{folder} is on {kind}, a network file system").hint(
            "keep the SQLite journal on a local disk; machines share a journal in a database"
        )


def kind_of(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the file system that holds `folder`, `None` where it cannot be told."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return None
    place, best, kind = os.fsencode(folder.resolve()) + b"/", -1, None
    for line in lines:
        fields = line.split(b" ")
        if len(fields) < 3:
            continue
        point = _plain(fields[1]).rstrip(b"/") + b"/"
        if place.startswith(point) and len(point) >= best:
            best, kind = len(point), os.fsdecode(fields[2])
    return kind


def _plain(field: bytes) -> bytes:
    # fstab(5): spaces, tabs, line ends and backslashes are written as \040 and so on.
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), field)
