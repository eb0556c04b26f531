"""The application inside of which the command runs, where there is one.

Rule: it brings its own journal, logins and credentials, which stay its own: the command closes none
of them. An option that names another journal wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from uploader.journal import Journal
from uploader.tokens import TokenStore
from uploader.transport import CredentialSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What an application brings.

    `command` is how the command is called there, to be pasted; `place` is where its journal is, in
    words. `settings` are further ones of its uploader, such as subscribers.
    """

    command: str
    place: str
    journal: Journal
    tokens: TokenStore | None = None
    credentials: CredentialSource | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


_hosts: list[Host] = []


def current() -> Host | None:
    """Return the application that the command runs in, `None` for the installed script."""
    return _hosts[-1] if _hosts else None


@contextmanager
def inside(host: Host) -> Iterator[None]:
    """Let the command run inside of an application while the context lasts."""
    _hosts.append(host)
    try:
        yield
    finally:
        _hosts.remove(host)
