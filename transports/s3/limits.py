"""The limits of S3's multipart uploads, as data.

Rule: each number stands beside its source; each can be overridden, because servers that speak S3
have limits of their own.

Source: [QF] https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from uploader.errors import ConfigurationError
from uploader.model import MIB
from uploader.transport import Capabilities, Moment, Order, TailRule

MIN_PART: Final = 5 * MIB
"""[QF] "5 MiB to 5 GiB. There is no minimum size limit on the last part"."""
MAX_PART: Final = 5 * 1024 * MIB
MAX_PARTS: Final = 10_000
"""[QF] part numbers are "1 to 10,000 (inclusive)"."""
MAX_OBJECT: Final = MAX_PART * MAX_PARTS
"""[QF] "48.8 TiB": as many of the largest parts as there may be."""
MAX_SINGLE: Final = 5 * 1024 * MIB
"""[QF] one PUT takes "5 GiB"."""
LIST_PAGE: Final = 1000
"""[QF] parts returned "for a list parts request"."""
PART_SIZE: Final = 16 * MIB
MAX_LANES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Limits:
    """The limits that the planner obeys, in bytes."""

    min_part: int = MIN_PART
    max_part: int = MAX_PART
    max_parts: int = MAX_PARTS
    max_object: int = MAX_OBJECT
    max_single: int = MAX_SINGLE

    def capabilities(
        self,
        *,
        part_size: int = PART_SIZE,
        max_lanes: int = MAX_LANES,
        digests: Collection[str] = (),
    ) -> Capabilities:
        """Return the limits with a wanted part size; raise `ConfigurationError` out of bounds."""
        if not self.min_part <= part_size <= self.max_part:
            raise ConfigurationError(
                f"a part size of {part_size:,} bytes is outside"
                f" {self.min_part:,} to {self.max_part:,}"
            )
        if max_lanes < 1:
            raise ConfigurationError(f"{max_lanes} lanes send nothing: at least 1 is needed")
        return Capabilities(
            order=Order.ANY,
            tail=TailRule.SHORT,
            irreversible=Moment.COMPLETE,
            part_size=part_size,
            min_part=self.min_part,
            max_part=self.max_part,
            max_parts=self.max_parts,
            max_size=self.max_object,
            max_single=self.max_single,
            max_last_part=self.max_part,
            max_lanes=max_lanes,
            digests=frozenset(digests),
            unknown_size=True,
        )
