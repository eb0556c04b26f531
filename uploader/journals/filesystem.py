"""Which file systems a journal may live on.

Rule: SQLite's locks and shared memory do not work over a network; better refused than corrupted.
https://www.sqlite.org/wal.html: "WAL does not work over a network filesystem."
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from uploader.errors import JournalError

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "beegfs"}
)


def refuse_network(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Raise `JournalError` when `folder` lies on a network file system, where that can be told."""
    kind = kind_of(folder, mounts)
    if kind in NETWORK:
        raise JournalError(f"{folder} is on {kind}, a network file system").hint(
            "keep the SQLite journal on a local disk; machines share a journal in a database"
        )


def kind_of(folder: Path, mounts: Path) -> str | None:
    """Return the type of the file system that holds `folder`, `None` where it cannot be told."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    place, best, kind = folder.resolve(), -1, None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].encode().decode("unicode_escape"))
        if (place == point or point in place.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind
