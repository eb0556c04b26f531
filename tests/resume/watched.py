"""A journal that tells of each record before and after it is made.

Rule: a record is a call that changes what is known of an upload: `claim`, `take`, `save`,
`release`; they are counted from 1. What `before` raises is what the caller gets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uploader.journal import Journal


def nothing(number: int) -> None:
    """Let the record be made."""


class Watched:
    """Stand before a journal."""

    def __init__(
        self,
        journal: Journal,
        *,
        before: Callable[[int], None] = nothing,
        after: Callable[[int], None] = nothing,
    ) -> None:
        self._journal = journal
        self._before = before
        self._after = after
        self.records = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def claim(self, *given: Any, **named: Any) -> Any:
        return self._counted(lambda: self._journal.claim(*given, **named))

    def take(self, *given: Any, **named: Any) -> Any:
        return self._counted(lambda: self._journal.take(*given, **named))

    def save(self, *given: Any, **named: Any) -> Any:
        return self._counted(lambda: self._journal.save(*given, **named))

    def release(self, *given: Any, **named: Any) -> Any:
        return self._counted(lambda: self._journal.release(*given, **named))

    def _counted(self, record: Callable[[], Any]) -> Any:
        self.records += 1
        number = self.records
        self._before(number)
        value = record()
        self._after(number)
        return value
