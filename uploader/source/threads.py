"""Waits for calls on worker threads, which cannot be stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(call: Awaitable[T]) -> T:
    """Await a call on a worker thread, and its end also when it is given up.

    What a thread still does would move a position, or read memory, that is somebody else's by then.
    """
    calling = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        await asyncio.wait((calling,))
        if not calling.cancelled():
            calling.exception()
        raise
