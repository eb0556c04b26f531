"""Which upload an upload is.

Rule: pure. The same file for the same account with the same public fields is the same upload, on
any machine and with any token; a key that the caller chose says so by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from uploader.model import KIB

SAMPLES: Final = 16
SAMPLE: Final = 64 * KIB


def identity(
    *,
    transport: str,
    origin: str,
    account: str,
    fields: Mapping[str, Any],
    fingerprint: str,
    key: str | None,
) -> str:
    """Return the identity as a hex digest.

    With a `key` only transport, account and key count; else all public fields and the content's
    fingerprint do. The credential never does.
    """
    facts: list[Any] = (
        [transport, account, "key", key]
        if key is not None
        else [transport, origin, account, dict(fields), fingerprint]
    )
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sample_places(size: int) -> list[tuple[int, int]]:
    """Return the (start, length) pairs that a fingerprint is taken of: begin, end, and between.

    A file of at most SAMPLES * SAMPLE bytes is read whole.
    """
    if size <= SAMPLES * SAMPLE:
        return [(0, size)]
    last = size - SAMPLE
    return [(last * number // (SAMPLES - 1), SAMPLE) for number in range(SAMPLES)]
