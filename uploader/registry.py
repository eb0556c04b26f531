"""Finds transports through the entry-point group `uploader.transports`.

Rule: nobody is special; ours and third parties' come through the same door.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from uploader.errors import ConfigurationError
from uploader.transport import TransportFactory

GROUP = "uploader.transports"


@cache
def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> list[str]:
    """Return the names of the installed transports."""
    return sorted(_found())


def load(name: str) -> TransportFactory:
    """Return a transport's factory; raise `ConfigurationError` for a name that is not installed."""
    entry = _found().get(name)
    if entry is None:
        raise ConfigurationError(f"there is no transport {name!r}").hint(
            f"installed are: {', '.join(names()) or 'none'}"
        )
    factory: TransportFactory = entry.load()
    return factory
