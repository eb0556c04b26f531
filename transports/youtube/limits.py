"""YouTube's limits as data.

Rule: each number stands beside its source. Where "characters" may mean UTF-16 units or code points,
the count is that of UTF-16 units, which is the larger one.
[I] https://developers.google.com/youtube/v3/docs/videos/insert
[V] https://developers.google.com/youtube/v3/docs/videos#properties
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from transports.resumable import ALIGNMENT
from uploader.errors import ConfigurationError
from uploader.model import MIB
from uploader.transport import Capabilities, Moment, Order, TailRule

MAX_VIDEO: Final = 256_000_000_000
"""[I] "Maximum file size: 256GB": the decimal reading is the smaller one."""
PART: Final = 32 * MIB
"""A compromise of ours: each chunk that is in doubt is sent again."""
MAX_TITLE: Final = 100
"""[V] `snippet.title`: "a maximum length of 100 characters"."""
MAX_DESCRIPTION: Final = 5000
"""[V] `snippet.description`: "a maximum length of 5000 bytes"."""
MAX_TAGS: Final = 500
"""[V] `snippet.tags[]`: "a maximum length of 500 characters", commas and quotes counted."""
FORBIDDEN: Final = "<>"
"""[V] title and description "may contain all valid UTF-8 characters except < and >"."""


def capabilities(part_size: int | None) -> Capabilities:
    """Return the limits with a wanted part size; raise `ConfigurationError` for a wrong one.

    How long a session lives is documented nowhere; one that is gone answers 404 or 410.
    """
    wanted = PART if part_size is None else part_size
    if wanted < ALIGNMENT or wanted % ALIGNMENT:
        raise ConfigurationError(f"a part size of {wanted:,} bytes is no multiple of {ALIGNMENT:,}")
    return Capabilities(
        order=Order.SEQUENTIAL,
        tail=TailRule.SHORT,
        irreversible=Moment.LAST_PART,
        part_size=wanted,
        min_part=ALIGNMENT,
        max_part=max(wanted, MAX_VIDEO // ALIGNMENT * ALIGNMENT),
        max_parts=-(-MAX_VIDEO // ALIGNMENT),
        max_size=MAX_VIDEO,
        max_single=MAX_VIDEO,
        max_last_part=MAX_VIDEO,
        alignment=ALIGNMENT,
        accepts_partial=True,
        reopens=True,
    )


def check_title(name: str, title: str) -> None:
    """Raise `ConfigurationError` for a title that YouTube refuses."""
    check_text(name, title)
    units = len(title.encode("utf-16-le")) // 2
    if units > MAX_TITLE:
        raise ConfigurationError(
            f"the {name} has {units:,} UTF-16 units, YouTube takes {MAX_TITLE}"
        )
    if not title.strip():
        raise ConfigurationError(f"the {name} is empty")


def check_description(name: str, description: str) -> None:
    """Raise `ConfigurationError` for a description that YouTube refuses."""
    check_text(name, description)
    length = len(description.encode())
    if length > MAX_DESCRIPTION:
        raise ConfigurationError(
            f"the {name} has {length:,} bytes in UTF-8, YouTube takes {MAX_DESCRIPTION:,}"
        )


def check_text(name: str, text: str) -> None:
    """Raise `ConfigurationError` for characters that YouTube takes nowhere."""
    found = [character for character in FORBIDDEN if character in text]
    if found:
        raise ConfigurationError(f"the {name} holds {' and '.join(found)}, which YouTube refuses")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise ConfigurationError(f"the {name} holds half a sign, which is no UTF-8")


def check_tags(tags: Sequence[str]) -> None:
    """Raise `ConfigurationError` for tags that are too many, empty, or of a forbidden character.

    [V] a comma between two of them counts, and two quotes around each that has a space.
    """
    for tag in tags:
        check_text("tag", tag)
        if not tag.strip() or "," in tag:
            raise ConfigurationError(f"{tag!r} is no tag: it is empty or holds a comma")
    lengths = [len(tag.encode("utf-16-le")) // 2 + 2 * (" " in tag) for tag in tags]
    total = sum(lengths) + max(0, len(tags) - 1)
    if total > MAX_TAGS:
        raise ConfigurationError(
            f"the {len(tags)} tags have {total:,} characters with commas and quotes,"
            f" YouTube takes {MAX_TAGS}"
        )
