"""Which tokens are due for a refresh, and what this process knows of them beyond their store.

Rule: no I/O. Seconds are those of the clock that is given. Thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from uploader.tokens import AccountTokens

AHEAD: Final = 600.0
"""Seconds before its end in which a token is refreshed already."""
SHARE: Final = 0.1
"""Or this share of its life, when that is shorter."""
PAUSE: Final = 30.0
"""Seconds without another try after a refresh failed whose old token is good still."""


class Freshness:
    """Remember, by account, what was refused, what failed, and what could not be stored yet."""

    def __init__(self, clock: Callable[[], float], ahead: float) -> None:
        self._clock = clock
        self._ahead = ahead
        self._lock = threading.Lock()
        self._refused: dict[str, int] = {}
        self._unsaved: dict[str, AccountTokens] = {}
        self._paused: dict[str, float] = {}

    def is_due(self, tokens: AccountTokens) -> bool:
        """Tell whether to refresh before anything else is signed."""
        with self._lock:
            if self._refused.get(tokens.account) == tokens.version:
                return True
            paused = self._paused.get(tokens.account, 0.0)
        if tokens.expires is None:
            return False
        now = self._clock()
        ahead = min(self._ahead, SHARE * (tokens.expires - tokens.updated))
        return now >= tokens.expires or (now >= tokens.expires - ahead and now >= paused)

    def is_good(self, tokens: AccountTokens) -> bool:
        """Tell whether a token signs still, as far as is known."""
        with self._lock:
            refused = self._refused.get(tokens.account) == tokens.version
        return not refused and (tokens.expires is None or self._clock() < tokens.expires)

    def refused(self, tokens: AccountTokens) -> None:
        """Note that the server does not take a token any more."""
        with self._lock:
            self._refused[tokens.account] = tokens.version

    def failed(self, account: str) -> None:
        """Note that a refresh was not answered: nobody tries again at once."""
        with self._lock:
            self._paused[account] = self._clock() + PAUSE

    def unsaved(self, account: str) -> AccountTokens | None:
        """Return what a refresh gave and no store has."""
        with self._lock:
            return self._unsaved.get(account)

    def hold(self, tokens: AccountTokens) -> None:
        """Hold what a refresh gave until it is stored, and `forget` is called."""
        with self._lock:
            self._unsaved[tokens.account] = tokens

    def forget(self, account: str) -> None:
        """Know nothing of an account but what its store says."""
        with self._lock:
            for kept in (self._refused, self._unsaved, self._paused):
                kept.pop(account, None)
