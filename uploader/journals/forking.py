"""Keeps what belongs to a process out of its forked children.

Rule: a fork waits until no thread is inside a journal, so that the child inherits no half-done
transaction and no lock that nobody will ever release.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """What wants to know of a fork."""

    @property
    def fork_lock(self) -> threading.RLock: ...

    def before_fork(self) -> None:
        """Put away what a child must not inherit; the lock is held. Must neither block nor fail."""
        ...

    def start_in_child(self) -> None:
        """Give up what belongs to the parent, the lock included. Must neither block nor fail."""
        ...


_members: WeakSet[Forked] = WeakSet()
_guard = threading.Lock()
_waiting: list[Forked] = []


def watch(member: Forked) -> None:
    """Tell `member` of each fork for as long as it lives."""
    with _guard:
        _members.add(member)


def _before() -> None:
    _guard.acquire()
    # Two threads may fork at once: both ask for the locks in the same order.
    _waiting[:] = sorted(_members, key=id)
    for member in _waiting:
        member.fork_lock.acquire()
        member.before_fork()


def _in_parent() -> None:
    for member in _waiting:
        member.fork_lock.release()
    _waiting.clear()
    _guard.release()


def _in_child() -> None:
    global _guard  # noqa: PLW0603 - the inherited one is held by a thread that is not here
    _guard = threading.Lock()
    for member in _waiting:
        member.start_in_child()
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
