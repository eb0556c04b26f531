"""The brake of a run."""

import asyncio
from typing import Any, cast

import pytest

from uploader.engine import stopping
from uploader.engine.settings import SystemClock
from uploader.engine.stopping import Stop, StopReason
from uploader.errors import SourceChangedError
from uploader.source import Source


class Gone:
    """A source whose file was changed."""

    def check(self) -> None:
        raise SourceChangedError("clip.mp4 was truncated")


async def test_a_file_counts_until_its_last_byte_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes of it while the last answer is waited for stops nothing."""
    monkeypatch.setattr(stopping, "GUARD_EVERY", 0.001)
    stop = Stop(SystemClock(), None)
    asked: list[Any] = []

    def spent() -> bool:
        asked.append(stop.reason)
        return len(asked) < 4

    with stop.guarding(cast("Source", Gone()), spent):
        stop.task = asyncio.create_task(asyncio.Event().wait())
        await asyncio.wait((stop.task,), timeout=10)

    assert asked == [None] * 4
    assert stop.reason is StopReason.SOURCE_LOST
