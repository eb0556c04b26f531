"""A wire, bodies for it, and what must be left of them: nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from uploader.http import Request, Timeouts
from uploader.model import Plan
from uploader.pipeline import PartBody, Reader, WindowBudget
from uploader.source import SourceMode, describe, open_source
from uploader.wire.aiohttp_wire import AiohttpWire

PATIENT = Timeouts(connect=10.0, stall=10.0, response=10.0)


@contextlib.asynccontextmanager
async def wire(timeouts: Timeouts = PATIENT, **settings: Any) -> AsyncIterator[AiohttpWire]:
    """Open a wire, and see that closing it leaves no task behind."""
    before = asyncio.all_tasks()
    opened = AiohttpWire(timeouts=timeouts, **settings)
    try:
        yield opened
    finally:
        await opened.close()
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not {task.get_name() for task in left if "uploader" in task.get_name()}


@contextlib.asynccontextmanager
async def body_of(path: Path, mode: SourceMode = SourceMode.MMAP) -> AsyncIterator[PartBody]:
    """Read a file ahead as one part, and see that every window of it comes back."""
    facts, source = describe(path)
    with ThreadPoolExecutor(1) as executor:
        opened = open_source(
            source, facts, mode=mode, executor=executor, on_fallback=lambda reason: None
        )
        budget = WindowBudget()
        allowance = budget.allowance()
        plan = Plan(facts.size, facts.size, 1)
        reader = Reader(opened, plan, allowance)
        await reader.seek(0)
        try:
            yield PartBody(reader, plan.part(0))
        finally:
            await reader.stop()
            allowance.close()
            opened.close()
    assert (budget.used, budget.windows, budget.active) == (0, 0, 0)
    assert "uploader-reader" not in {task.get_name() for task in asyncio.all_tasks()}


def put(url: str, body: PartBody) -> Request:
    """Return a request that streams a body."""
    return Request("put", "PUT", url, headers={"Content-Type": "video/mp4"}, body=body)


def post(url: str, *, fresh: bool = False) -> Request:
    """Return a small request."""
    return Request("status", "POST", url, content=b"{}", fresh=fresh)


def descriptors() -> int:
    """Count this process's open files and sockets."""
    return len(list(Path("/proc/self/fd").iterdir()))
