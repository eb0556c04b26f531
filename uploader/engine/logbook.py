"""One upload's page in the journal, and the lease on it.

Rule: the journal is called on worker threads, unless it never waits; a record whose loss could post
twice is on the disk before the request goes out. A run whose lease has lapsed by its own monotonic
clock sends nothing more, whatever the journal says.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, TypeVar

from uploader.errors import JournalError, LeaseLostError
from uploader.journal import Entry, Journal, Lease, PartRecord, may_wait
from uploader.model import Session

T = TypeVar("T")

LEASE_TTL = 60.0
"""Seconds after which a silent run may be taken over."""
RENEW_EVERY = LEASE_TTL / 4
SAFE = 0.8
"""The share of a lease's life in which a run still sends: clocks run at slightly unlike speeds."""


class Logbook:
    """Record how one leased upload fares.

    `refer` returns the `reference` of an entry with a session.
    """

    def __init__(
        self,
        journal: Journal,
        entry: Entry,
        lease: Lease,
        executor: Executor,
        *,
        refer: Callable[[Session | None], str | None],
    ) -> None:
        self._journal = journal
        self._executor = executor
        self._lease = lease
        self._granted = elapsed()
        self._lost = False
        self._keeping: asyncio.TimerHandle | asyncio.Task[None] | None = None
        self._waits = may_wait(journal)
        self._refer = refer
        self.entry = entry

    @property
    def journal(self) -> Journal:
        return self._journal

    @property
    def wants_digests(self) -> bool:
        """Whether the parts' content is to be proved later; a journal may spare it."""
        return bool(getattr(self._journal, "wants_digests", True))

    def permit(self) -> None:
        """Raise `LeaseLostError` when this run may not send another byte."""
        age = elapsed() - self._granted
        if self._lost or age > self._lease.ttl * SAFE:
            raise LeaseLostError(
                f"the lease on {self.entry.upload_id} was not renewed for {age:.0f} s",
                upload_id=self.entry.upload_id,
            )

    def keep(self, lost: Callable[[], None]) -> None:
        """Renew the lease from now on; call `lost` when it cannot be held any longer."""
        loop = asyncio.get_running_loop()

        def begin() -> None:
            self._keeping = loop.create_task(self._keep(lost))

        # A timer first: most runs are over before a lease has to be renewed.
        self._keeping = loop.call_later(RENEW_EVERY, begin)

    def keep_no_more(self) -> None:
        """Renew the lease no more."""
        if self._keeping is not None:
            self._keeping.cancel()

    async def _keep(self, lost: Callable[[], None]) -> None:
        while True:
            before = elapsed()
            try:
                await self._do(lambda: self._journal.renew(self._lease))
                self._granted = before
            except LeaseLostError:
                self._lost = True
            except JournalError:
                pass  # tried again; `permit` ends the run when it takes too long
            with contextlib.suppress(LeaseLostError):
                self.permit()
                await asyncio.sleep(RENEW_EVERY)
                continue
            lost()
            return

    async def save(
        self, *, part: PartRecord | None = None, durable: bool = False, **changes: Any
    ) -> None:
        """Write fields of the entry, and a part; raise `JournalError`."""
        await self._do(lambda: self._write(changes, part=part, durable=durable))

    def says(self, changes: Mapping[str, Any]) -> bool:
        """Whether the entry has these fields already."""
        return all(getattr(self.entry, name) == value for name, value in changes.items())

    async def parts(self) -> list[PartRecord]:
        return list(await self._do(lambda: self._journal.parts(self.entry.upload_id)))

    async def end(self, **changes: Any) -> None:
        """Write the last fields, if any, and give the lease back whatever becomes of them.

        A journal that cannot be reached lets the lease lapse. Raises `JournalError`.
        """

        def last() -> None:
            try:
                if changes:
                    self._write(changes)
            finally:
                with contextlib.suppress(JournalError):
                    self._journal.release(self._lease)

        await self._do(last)

    def _write(
        self, changes: dict[str, Any], *, part: PartRecord | None = None, durable: bool = False
    ) -> None:
        reference = self._refer(changes.get("session", self.entry.session))
        if reference != self.entry.reference:  # that of a session before is not this upload's
            changes["reference"] = reference
        self._journal.save(self._lease, changes, part=part, durable=durable)
        self.entry = replace(self.entry, **changes)

    async def _do(self, call: Callable[[], T]) -> T:
        """Call the journal on a worker thread, to its end also when the run is stopped meanwhile.

        A record that was written after the run's last one would undo it.
        """
        if not self._waits:
            return call()
        calling = asyncio.get_running_loop().run_in_executor(self._executor, call)
        try:
            return await asyncio.shield(calling)
        except asyncio.CancelledError:
            with contextlib.suppress(JournalError):
                await calling
            raise


def elapsed() -> float:
    """Return seconds that pass also while the machine sleeps, where the system counts them.

    Not the engine's clock, which a test may move: a lease is renewed, and lapses, in real time. And
    not `monotonic`, which stands still during a suspend while the journal's clock goes on.
    """
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)
