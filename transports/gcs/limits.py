"""Cloud Storage's limits as data.

Rule: each number stands beside its source.
[Q] https://cloud.google.com/storage/quotas
[R] https://cloud.google.com/storage/docs/resumable-uploads
[N] https://cloud.google.com/storage/docs/objects#naming
[B] https://cloud.google.com/storage/docs/buckets#naming
"""

from __future__ import annotations

from typing import Final

from transports.resumable import ALIGNMENT
from uploader.errors import ConfigurationError
from uploader.model import MIB
from uploader.transport import Capabilities, Moment, Order, TailRule

MAX_OBJECT: Final = 5 * 1024**4
"""[Q] "Maximum object size: 5 TiB"."""
PART: Final = 32 * MIB
"""[R] larger chunks are faster, and each one in doubt is sent again: a compromise; at least 8 MiB
is advised."""
SESSION_LIFETIME: Final = 7 * 86_400.0
"""[R] "a session URI expires after one week", in seconds."""
MAX_NAME: Final = 1024
"""[N] bytes of an object's name in UTF-8."""
MAX_METADATA: Final = 8192
"""[Q] "Maximum combined size of all custom metadata keys and values per object: 8 KiB"."""
MAX_BUCKET: Final = 222
"""[B] 3 to 63 characters, with dots up to 222."""


def capabilities(part_size: int | None, *, checksum: bool) -> Capabilities:
    """Return the limits with a wanted part size; raise `ConfigurationError` for a wrong one.

    Two uploads of one object leave one object, so nothing counts before the upload is told to be
    done; one that is cancelled while its last chunk is on the way may have made the object.
    """
    wanted = PART if part_size is None else part_size
    if wanted < ALIGNMENT or wanted % ALIGNMENT or wanted > MAX_OBJECT:
        raise ConfigurationError(
            f"a part size of {wanted:,} bytes is no multiple of {ALIGNMENT:,} up to {MAX_OBJECT:,}"
        )
    return Capabilities(
        order=Order.SEQUENTIAL,
        tail=TailRule.SHORT,
        irreversible=Moment.COMPLETE,
        part_size=wanted,
        min_part=ALIGNMENT,
        max_part=MAX_OBJECT,
        max_parts=MAX_OBJECT // ALIGNMENT,
        max_size=MAX_OBJECT,
        max_single=MAX_OBJECT,
        max_last_part=MAX_OBJECT,
        session_lifetime=SESSION_LIFETIME,
        alignment=ALIGNMENT,
        accepts_partial=True,
        digests=frozenset({"crc32c"}) if checksum else frozenset(),
    )
