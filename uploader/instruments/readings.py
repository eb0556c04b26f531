"""What is not counted but asked for when somebody scrapes: the journal, accounts, pauses.

Rule: asked of whoever knows, at every scrape, by the process that serves it, and stored nowhere; so
it is right after a crash and is not added up over worker processes. What cannot be asked is left
out of this scrape and counted; a scrape never fails for it.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from uploader.breaker import BREAKER
from uploader.errors import JournalError
from uploader.instruments.counting import metrics_for
from uploader.instruments.labels import narrow_labels
from uploader.instruments.table import BY_NAME, METRICS, Kind
from uploader.journal import Journal, Pause, State

LOG = logging.getLogger("uploader")

EVERYTHING = "all"
"""The label of a pause of every destination."""

Accounts = Callable[[], Mapping[str, int]]
"""Return how many accounts are in each state."""
Paused = Callable[[], Mapping[str, bool]]
"""Return for each destination's name whether uploads to it are held back."""


class Readings:
    """The collector of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = weakref.ref(registry)
        self._lock = threading.Lock()
        self._journals: list[Journal] = []
        self._known: set[str] = set()
        self._narrow = narrow_labels()
        self.accounts: Accounts | None = None
        self.paused: Paused | None = None
        registry.register(self)

    def add(self, journal: Journal) -> None:
        with self._lock:
            self._journals.append(journal)

    def remove(self, journal: Journal) -> None:
        with self._lock:
            self._journals = [known for known in self._journals if known is not journal]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name what this collects, without asking anybody."""
        return [_family(metric.name) for metric in METRICS if metric.kind is Kind.READ]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._of_journals()
        paused = self.paused or (lambda: self._held(breaker=False))
        asked = ("accounts", self.accounts), ("paused", paused), ("breaker_open", self._open)
        for name, ask in asked:
            if ask is not None:
                yield from self._asked(name, ask)

    def _asked(
        self, name: str, ask: Callable[[], Mapping[str, float]]
    ) -> Iterator[GaugeMetricFamily]:
        try:
            told = ask()
        except Exception:
            LOG.exception("the metric %s cannot be read", name)
            return
        narrow = self._narrow[BY_NAME[name].labels[0]]
        sums: dict[str, float] = {}
        for label, value in told.items():
            kept = narrow(str(label))
            sums[kept] = sums.get(kept, 0) + value
        family = _family(name)
        for label, value in sums.items():
            family.add_metric([label], value)
        yield family

    def _of_journals(self) -> Iterator[GaugeMetricFamily]:
        counts = [found for journal in self._distinct() if (found := self._counts(journal))]
        if not counts:
            return
        uploads, oldest = _family("journal_uploads"), _family("journal_oldest_seconds")
        for state in State:
            told = [found.get(state, (0, 0.0)) for found in counts]
            uploads.add_metric([str(state)], sum(count for count, _ in told))
            oldest.add_metric([str(state)], max(age for _, age in told))
        yield uploads
        yield oldest

    def _open(self) -> Mapping[str, bool]:
        return self._held(breaker=True)

    def _held(self, *, breaker: bool) -> Mapping[str, bool]:
        """Return which destinations are paused as a whole, by any journal; `all` is every one.

        What was paused once is told of as long as the process lives, so that a series falls to 0.
        """
        standing = {
            pause.transport or EVERYTHING
            for journal in self._distinct()
            for pause in self._pauses(journal)
            if pause.account is None and (pause.by == BREAKER or not breaker)
        }
        with self._lock:
            self._known |= standing
            return {name: name in standing for name in self._known}

    def _pauses(self, journal: Journal) -> Sequence[Pause]:
        try:
            return journal.pauses()
        except JournalError:
            registry = self._registry()
            if registry is not None:
                metrics_for(registry).journal_failed("pauses")
            return ()

    def _distinct(self) -> list[Journal]:
        """Return each journal once: two uploaders on one file are one journal."""
        with self._lock:
            journals = list(self._journals)
        return list({_place(journal): journal for journal in journals}.values())

    def _counts(self, journal: Journal) -> Mapping[State, tuple[int, float]] | None:
        try:
            return journal.counts()
        except Exception as error:
            if not isinstance(error, JournalError):
                LOG.exception("the journal cannot be counted")
            registry = self._registry()
            if registry is not None:
                metrics_for(registry).journal_failed("counts")
            return None


def _place(journal: Journal) -> Any:
    path = getattr(journal, "path", None)
    return id(journal) if path is None else str(path)


def _family(name: str) -> GaugeMetricFamily:
    metric = BY_NAME[name]
    return GaugeMetricFamily(metric.full_name, metric.help, labels=metric.labels)


_made: weakref.WeakKeyDictionary[Any, Readings] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def readings_for(registry: CollectorRegistry | None = None) -> Readings:
    """Return the readings of a registry, made once; the process's own registry by default."""
    chosen = REGISTRY if registry is None else registry
    with _lock:
        found = _made.get(chosen)
        if found is None:
            found = _made[chosen] = Readings(chosen)
        return found


def watch_journal(
    journal: Journal, registry: CollectorRegistry | None = None
) -> Callable[[], None]:
    """Tell of a journal from now on, and return what ends that.

    An `Uploader` does so with its own while it is open.
    """
    readings = readings_for(registry)
    readings.add(journal)
    return lambda: readings.remove(journal)


def watch_accounts(count: Accounts, registry: CollectorRegistry | None = None) -> None:
    """Ask `count` at every scrape how many accounts are in each state; the last one given counts.

    It runs on whatever thread serves the scrape, and must not take long.
    """
    readings_for(registry).accounts = count


def watch_paused(paused: Paused, registry: CollectorRegistry | None = None) -> None:
    """Ask `paused` at every scrape which destinations are held back, instead of the journals.

    As for `watch_accounts`.
    """
    readings_for(registry).paused = paused
