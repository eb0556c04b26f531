"""A strict local stand-in for TikTok's Content Posting API and its upload host.

Rule: stand-alone (aiohttp and the standard library; of `uploader` only `serving`), and cheap to
import: names are loaded when first used, because the pytest plug-in lives in this package.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transports.tiktok.sandbox.clock import SandboxClock
    from transports.tiktok.sandbox.faults import Fault
    from transports.tiktok.sandbox.posts import Chunk, Post, RequestRecord
    from transports.tiktok.sandbox.sandbox import Sandbox, SandboxViolation
    from transports.tiktok.sandbox.switches import Switches

__all__ = [
    "Chunk",
    "Fault",
    "Post",
    "RequestRecord",
    "Sandbox",
    "SandboxClock",
    "SandboxViolation",
    "Switches",
]

_HOME = {
    "Chunk": "posts",
    "Fault": "faults",
    "Post": "posts",
    "RequestRecord": "posts",
    "Sandbox": "sandbox",
    "SandboxClock": "clock",
    "SandboxViolation": "sandbox",
    "Switches": "switches",
}


def __getattr__(name: str) -> object:
    """Load an exported name from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
