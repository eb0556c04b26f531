"""What a transport needs beyond the uploader itself, and whether it is installed.

Rule: read from the metadata of the distribution that offers the transport, which has an extra of
the transport's name where one is needed. Nothing is imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from typing import Final

from uploader.registry import GROUP

_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


@dataclass(frozen=True, slots=True)
class Offer:
    """Where a transport comes from. `extra` is "" where none is needed."""

    distribution: str
    extra: str
    installed: bool

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.distribution}[{self.extra}]" if self.extra else self.distribution


def offers() -> dict[str, Offer]:
    """Return where each installed transport comes from, by its name."""
    found: dict[str, Offer] = {}
    for entry in entry_points(group=GROUP):
        if entry.dist is None:
            continue
        known = entry.dist.metadata.get_all("Provides-Extra") or []
        extra = entry.name if entry.name in known else ""
        found[entry.name] = Offer(
            entry.dist.name, extra, not extra or _satisfied(entry.dist.name, extra)
        )
    return found


def _satisfied(name: str, extra: str) -> bool:
    """Tell whether every distribution is there that an extra asks for, versions aside."""
    for text in distribution(name).requires or []:
        requirement, _, marker = text.partition(";")
        condition, match = _EXTRA.search(marker), _REQUIREMENT.match(requirement)
        if condition is None or condition[1] != extra or match is None:
            continue
        try:
            distribution(match[1])
        except PackageNotFoundError:
            return False
        if not all(_satisfied(match[1], each.strip()) for each in (match[2] or "").split(",")):
            return False
    return True
