"""The most memory that this process had resident since a moment.

Rule: measures the process as the kernel sees it; where it cannot, it says `None`, never a guess.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"  # proc(5): "reset the peak resident set size"


class PeakMemory:
    """Watch from now on how far the resident memory rises over what it is now (Linux only)."""

    def __init__(self) -> None:
        self._idle: int | None
        try:
            _CLEAR_REFS.write_text(_RESET_PEAK)
            self._idle = _kilobytes("VmRSS")
        except (OSError, ValueError):
            self._idle = None

    def growth(self) -> int | None:
        """Return the bytes between the peak and the start, `None` when the system does not tell."""
        if self._idle is None:
            return None
        return max(0, _kilobytes("VmHWM") - self._idle) * 1024


def _kilobytes(name: str) -> int:
    for entry in _STATUS.read_text().splitlines():
        if entry.startswith(f"{name}:"):
            return int(entry.split()[1])
    raise ValueError(f"{_STATUS} has no {name}")
