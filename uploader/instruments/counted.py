"""A journal whose failures are counted.

Rule: changes nothing that a journal does or says. Its failures are no events: they must be counted
also where no upload, and no engine, exists yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

from uploader.errors import JournalError, LeaseHeldError, LeaseLostError
from uploader.instruments.counting import Metrics
from uploader.journal import ENDED, Claim, Journal

_DRIVING = frozenset({"claim", "take", "renew", "save"})
"""What a run does with its lease."""


def counted(journal: Journal, metrics: Metrics) -> Journal:
    """Return `journal`, with what it fails to do counted by `metrics`."""
    return cast(Journal, _Counted(journal, metrics))


class _Counted:
    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self._journal = journal
        self._metrics = metrics
        self._lost: deque[object] = deque(maxlen=256)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._journal, name)
        return self._watched(name, found) if callable(found) else found

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = call(*args, **kwargs)
            except LeaseHeldError:
                if name in _DRIVING:
                    self._metrics.lease_conflict()
                raise
            except LeaseLostError:
                # A run hears of one loss several times: when it renews, and when it ends.
                if name in _DRIVING and args and args[0] not in self._lost:
                    self._lost.append(args[0])
                    self._metrics.lease_conflict()
                raise
            except JournalError:
                self._metrics.journal_failed(name)
                raise
            if isinstance(answer, Claim) and _is_held(answer):
                self._metrics.lease_conflict()
            return answer

        return watched


def _is_held(claim: Claim) -> bool:
    return claim.lease is None and not claim.fresh and claim.entry.state not in ENDED
