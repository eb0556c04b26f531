"""A strict local stand-in for YouTube's resumable uploads.

Rule: stand-alone (aiohttp and the standard library; of `uploader` only `serving`), and cheap to
import: names are loaded when first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transports.youtube.sandbox.faults import Fault
    from transports.youtube.sandbox.sandbox import YouTubeSandbox, YouTubeViolation
    from transports.youtube.sandbox.videos import RequestRecord, Video

__all__ = ["Fault", "RequestRecord", "Video", "YouTubeSandbox", "YouTubeViolation"]

_HOME = {
    "Fault": "faults",
    "RequestRecord": "videos",
    "Video": "videos",
    "YouTubeSandbox": "sandbox",
    "YouTubeViolation": "sandbox",
}


def __getattr__(name: str) -> object:
    """Load an exported name from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
