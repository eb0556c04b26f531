"""What a figure depends on: machine, kernel, Python and library versions.

Rule: facts that make two reports comparable; no host name, path or user.
"""

from __future__ import annotations

import os
import platform
import ssl
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "mmap-uploader",
    "aiohttp",
    "uvloop",
    "requests",
    "urllib3",
    "httpx",
    "pycurl",
    "boto3",
    "obstore",
    "tuspy",
)


def describe() -> dict[str, Any]:
    """Return machine and versions as JSON."""
    return {
        "system": platform.system(),
        "release": platform.release().split("-")[0],
        "processor": _processor(),
        "cores": _cores(),
        "memory_bytes": _memory(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def line(machine: dict[str, Any]) -> str:
    """Return what `describe` told as one line."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"{machine['system']} {machine['release']}, {machine['processor']}, "
        f"{machine['cores']} cores, Python {machine['python']}, {machine['openssl']}, {packages}"
    )


def _cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
