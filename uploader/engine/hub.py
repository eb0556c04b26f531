"""Hands events to subscribers on a thread of their own.

Rule: nothing that a subscriber does can stop or slow an upload. Events arrive in order, each once.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence

from uploader.events import Event, Subscriber

LOG = logging.getLogger("uploader")
LUMP = 0.02
"""Seconds in which events are gathered: waking a thread for each costs the loop its GIL."""
MOST_WAITING = 20_000
"""Events that may wait for slow subscribers before further ones are dropped."""


class EventHub:
    """Queue events for `subscribers`."""

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._subscribers = tuple(subscribers)
        self._queue: queue.SimpleQueue[Event | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._lump: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def emit(self, event: Event) -> None:
        """Queue an event; never blocks, never raises. Called on the engine's loop."""
        if not self._subscribers or self._closed:
            return
        if self._queue.qsize() > MOST_WAITING:
            self._dropped += 1
            if self._dropped == 1:
                LOG.warning("subscribers are too slow: events are dropped")
            return
        self._lump.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LUMP, self._hand_over)

    async def flush(self, limit: float = 1.0) -> None:
        """Wait until everything emitted so far is delivered, at most `limit` seconds."""
        self._hand_over()
        if self._thread is None:
            return
        loop = asyncio.get_running_loop()
        delivered = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(delivered.set)

        self._queue.put(tell)
        try:
            async with asyncio.timeout(limit):
                await delivered.wait()
        except TimeoutError:
            LOG.warning("subscribers are slow: results do not wait for them")

    async def close(self) -> None:
        """Deliver what waits, for at most two seconds, and end the thread.

        What is emitted by a run that did not end in its grace is not delivered: it would start a
        thread that nobody ends.
        """
        self._hand_over()
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join, 2.0)

    def _hand_over(self) -> None:
        """Give what was gathered to the thread, which starts with the first event."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lump, self._lump = self._lump, []
        if not lump:
            return
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._deliver, name="uploader-events", daemon=True
            )
            self._thread.start()
        for event in lump:
            self._queue.put(event)

    def _deliver(self) -> None:
        while (item := self._queue.get()) is not None:
            if not isinstance(item, Event):
                try:
                    item()
                except RuntimeError:
                    continue  # the loop that asked is closed
                continue
            for subscriber in self._subscribers:
                try:
                    subscriber(item)
                except Exception:
                    LOG.exception("a subscriber failed on %s", type(item).__name__)
