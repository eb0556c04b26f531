"""A token store that lives and dies with the process.

Rule: the same promises as any store, but durability and other processes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from uploader.accounts import rules
from uploader.tokens import NEW, AccountTokens


class MemoryTokenStore:
    """Keep tokens in a dict."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], AccountTokens] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._leases: dict[tuple[str, str], threading.Lock] = {}

    def get(self, transport: str, account: str) -> AccountTokens | None:
        with self._lock:
            return self._kept.get((transport, account))

    def save(self, tokens: AccountTokens) -> AccountTokens:
        place = (tokens.transport, tokens.account)
        with self._lock:
            found = self._kept.get(place)
            stored = found.version if found is not None else NEW
            if stored != tokens.version:
                raise rules.changed(tokens, stored)
            # Never the same number twice: who held what was removed must not take it for the new.
            self._versions[place] = self._versions.get(place, NEW) + 1
            self._kept[place] = replace(tokens, version=self._versions[place])
            return self._kept[place]

    @contextmanager
    def lease(self, transport: str, account: str, timeout: float) -> Iterator[None]:
        with self._lock:
            lock = self._leases.setdefault((transport, account), threading.Lock())
        if not lock.acquire(timeout=timeout):
            raise rules.busy(account, timeout)
        try:
            yield
        finally:
            lock.release()

    def list(self, transport: str | None = None) -> Sequence[AccountTokens]:
        with self._lock:
            return [
                tokens
                for (name, _), tokens in sorted(self._kept.items())
                if transport in (None, name)
            ]

    def remove(self, transport: str, account: str) -> bool:
        with self._lock:
            return self._kept.pop((transport, account), None) is not None

    def close(self) -> None:
        """Nothing is open."""
