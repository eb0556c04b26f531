"""What tus itself limits, which is little, and what we choose within it.

Rule: data only. A server's own limits are told by its answers (413 with `Tus-Max-Size`).
"""

from __future__ import annotations

from typing import Final

from uploader.errors import ConfigurationError
from uploader.model import MIB
from uploader.transport import Capabilities, Moment, Order, TailRule

UNLIMITED: Final = 2**63 - 1
"""tus sets no limit to sizes; an offset of 64 bits is what servers store."""
PART: Final = 64 * MIB
"""Bytes in a PATCH where nobody chooses. Proxies in between often end long requests, and a server
such as Cloudflare Stream wants multiples of 256 KiB of at least 5 MiB and at most 200 MiB:
https://developers.cloudflare.com/stream/uploading-videos/resumable-uploads/"""
PARTIAL: Final = 16 * MIB
"""Bytes in a partial upload, which costs a request to open and is sent again as a whole."""
MAX_PARTIAL: Final = 64
"""Partial uploads: their URLs travel in one header, of which servers take 8 to 16 KiB."""


def in_order(
    part_size: int | None, *, digests: frozenset[str], lifetime: float | None
) -> Capabilities:
    """Return what one upload, PATCHed in order, can do.

    An upload whose URL nobody was told stays empty, whatever became of the request for it.
    """
    return Capabilities(
        order=Order.SEQUENTIAL,
        tail=TailRule.SHORT,
        irreversible=Moment.LAST_PART,
        part_size=_checked(PART if part_size is None else part_size),
        min_part=1,
        max_part=UNLIMITED,
        max_parts=UNLIMITED,
        max_size=UNLIMITED,
        max_single=UNLIMITED,
        max_last_part=UNLIMITED,
        session_lifetime=lifetime,
        accepts_partial=True,
        digests=digests,
        reopens=True,
    )


def in_parallel(
    parallel: int, part_size: int | None, *, digests: frozenset[str], lifetime: float | None
) -> Capabilities:
    """Return what partial uploads can do that are joined at the end.

    Nothing counts before they are joined.
    """
    if not 2 <= parallel <= MAX_PARTIAL:
        raise ConfigurationError(f"parallel is {parallel}, it must be 2 to {MAX_PARTIAL}")
    return Capabilities(
        order=Order.ANY,
        tail=TailRule.SHORT,
        irreversible=Moment.COMPLETE,
        part_size=_checked(PARTIAL if part_size is None else part_size),
        min_part=1,
        max_part=UNLIMITED,
        max_parts=MAX_PARTIAL,
        max_size=UNLIMITED,
        max_single=UNLIMITED,
        max_last_part=UNLIMITED,
        session_lifetime=lifetime,
        max_lanes=parallel,
        digests=digests,
    )


def _checked(part_size: int) -> int:
    if not 1 <= part_size <= UNLIMITED:
        raise ConfigurationError(f"a part size of {part_size:,} bytes is not above 0")
    return part_size
