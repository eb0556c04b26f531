"""The CRC32C of an object from those of its parts.

Rule: pure arithmetic. Appending n zero bytes multiplies a remainder by x^(8n) modulo the
polynomial; a sum of two strings is that of the first, moved so, plus that of the second.
https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4 (reflected polynomial 0x82F63B78)
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from typing import Final

from uploader.model import Plan, Receipt

CRC32C: Final = "crc32c"
_POLYNOMIAL: Final = 0x82F63B78
_ONE: Final = 1 << 31
"""x^0 where the highest power is the lowest bit."""


def combined(first: int, second: int, length: int) -> int:
    """Return the CRC32C of two strings' concatenation; `length` is the second one's, in bytes."""
    return _times(_power(8 * length), first) ^ second


def whole(plan: Plan, receipts: Mapping[int, Receipt]) -> str | None:
    """Return an object's sum as Cloud Storage writes it, `None` when a part's is not known.

    A part that was sent in two pieces has a receipt of the last piece only.
    """
    total = 0
    for part in plan:
        fields = receipts[part.index].fields if part.index in receipts else {}
        if CRC32C not in fields or fields.get("start") != part.start:
            return None
        total = combined(total, int.from_bytes(base64.b64decode(fields[CRC32C])), part.length)
    return written(total.to_bytes(4))


def written(digest: bytes) -> str:
    """Return a sum as Cloud Storage writes it: big-endian, in base64."""
    return base64.b64encode(digest).decode()


def _times(left: int, right: int) -> int:
    """Multiply two polynomials modulo the CRC's."""
    product = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


@cache
def _power(exponent: int) -> int:
    """Return x^exponent modulo the polynomial."""
    result, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            result = _times(result, square)
        square = _times(square, square)
        exponent >>= 1
    return result
