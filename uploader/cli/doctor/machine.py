"""What can be known without asking anybody: the journal, the disk, the kernel, the environment.

Rule: looking changes nothing; a journal that does not exist is not made.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from uploader import registry
from uploader.cli import accounts, journals
from uploader.cli.journals import Place
from uploader.cli.sizes import show_size
from uploader.errors import UploaderError
from uploader.journal import ENDED
from uploader.journals import default_path
from uploader.model import MIB
from uploader.source.lease import ReadLease
from uploader.source.memory import can_probe
from uploader.transport import Finding, Level, TransportFactory

SCARCE: Final = 256 * MIB
"""Bytes of free disk below which somebody should know: a journal that cannot grow stops uploads."""
SPENT: Final = 16 * MIB
FILES: Final = 1024
"""Descriptors for 64 uploads with a file, two connections and some lanes each, and what is open
anyway."""
FEW_FILES: Final = 256
OURS: Final = (
    journals.VARIABLE,
    accounts.VARIABLE,
    "UPLOADER_DEBUG",
    "UPLOADER_ENVIRONMENT",
    "UPLOADER_LIMITS",
    "UPLOADER_RATES",
    "UPLOADER_SEAL_KEY",
)
"""Environment variables that the uploader reads. A test compares them with the code."""
_LIKE: Final = 0.8
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9._-]+)")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_NOT_USED: Final = frozenset({"bench", "testing"})


def findings(where: Place, factories: Iterable[TransportFactory]) -> Iterator[Finding]:
    """Yield all that concerns this machine and this process."""
    yield of_journal(where)
    yield of_disk(where)
    yield of_python()
    yield of_extras()
    yield of_descriptors()
    yield of_kernel(_folder(where))
    yield of_variables(factories)


def of_journal(where: Place) -> Finding:
    """Say whether the journal can be opened and written, and what it holds."""
    if where.host is not None:
        return Finding(check="journal", level=Level.OK, says=f"the application's: {where}")
    path = where.path
    if path is None:
        return Finding(check="journal", level=Level.WARN, says="none: nothing is remembered")
    folder = _folder(where)
    if not where.exists:
        if os.access(folder, os.W_OK | os.X_OK):
            return Finding(check="journal", level=Level.OK, says=f"none yet; it will be {path}")
        return Finding(
            check="journal",
            level=Level.FAIL,
            says=f"none yet, and {folder} cannot be written by this user",
            advice=f"name another one: --journal PATH, or {journals.VARIABLE}=PATH",
        )
    facts = {"path": str(path)}
    own = path.stat()
    if hasattr(os, "geteuid") and own.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        return Finding(
            check="journal",
            level=Level.FAIL,
            says=f"{path} belongs to user {own.st_uid}, this is user {os.geteuid()}",
            advice="run the command as that user, or name another journal",
            facts=facts,
        )
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(folder, os.W_OK):
        return Finding(
            check="journal",
            level=Level.FAIL,
            says=f"{path}, or the folder beside it, cannot be written by this user",
            advice=f"look at their owner and mode: ls -ld {path} {folder}",
            facts=facts,
        )
    try:
        with journals.opened(where) as journal:
            counts = {str(state): count for state, (count, _) in journal.counts().items() if count}
    except UploaderError as error:
        return Finding(
            check="journal",
            level=Level.FAIL,
            says=error.message,
            advice=" ".join(error.hints),
            facts=facts,
        )
    unknown = counts.get("unknown", 0)
    under_way = sum(counts.values()) - sum(counts.get(str(state), 0) for state in ENDED)
    says = f"{path}: {sum(counts.values()):,} uploads, {under_way:,} not ended"
    return Finding(
        check="journal",
        level=Level.WARN if unknown else Level.OK,
        says=f"{says}, {unknown:,} of them unknown" if unknown else says,
        advice="look at them: uploader list --state unknown" if unknown else "",
        facts={**facts, "uploads": counts},
    )


def of_disk(where: Place) -> Finding:
    """Say how much room the journal's disk has."""
    folder = _folder(where)
    free = shutil.disk_usage(folder).free
    level = Level.FAIL if free < SPENT else Level.WARN if free < SCARCE else Level.OK
    return Finding(
        check="disk",
        level=level,
        says=f"{show_size(free)} are free beside the journal ({folder})",
        advice="" if level is Level.OK else "make room: what cannot be recorded is not sent",
        facts={"free": free},
    )


def of_python() -> Finding:
    """Say which interpreter and which of the libraries that carry the bytes are here."""
    versions = {name: _version(name) for name in ("mmap-uploader", "aiohttp", "uvloop")}
    says = f"Python {platform.python_version()} on {platform.system()} {platform.release()}, "
    says += ", ".join(f"{name} {found or 'missing'}" for name, found in versions.items())
    lacks = versions["uvloop"] is None and sys.platform != "win32"
    return Finding(
        check="python",
        level=Level.WARN if lacks else Level.OK,
        says=says,
        advice="pip install uvloop: asyncio's own loop serves, and is slower" if lacks else "",
        facts=versions,
    )


def of_extras() -> Finding:
    """Say which optional extras are here, with the versions of what they bring."""
    try:
        known = importlib.metadata.distribution("mmap-uploader")
    except importlib.metadata.PackageNotFoundError:
        return Finding(check="extras", level=Level.WARN, says="the package is not installed")
    brings: dict[str, dict[str, str | None]] = {}
    for text in known.requires or ():
        requirement, _, marker = text.partition(";")
        extra, name = _EXTRA.search(marker), _REQUIREMENT.match(requirement)
        if extra is not None and name is not None and extra[1] not in _NOT_USED:
            brings.setdefault(extra[1], {})[name[1]] = _version(name[1])
    whole = {extra: found for extra, found in brings.items() if all(found.values())}
    torn = [extra for extra, found in brings.items() if extra not in whole and any(found.values())]
    said = [
        f"{extra} ({', '.join(f'{name} {version}' for name, version in found.items())})"
        for extra, found in sorted(whole.items())
    ]
    absent = sorted(brings.keys() - whole.keys() - set(torn))
    says = f"installed: {', '.join(said) or 'none'}; not installed: {', '.join(absent) or 'none'}"
    return Finding(
        check="extras",
        level=Level.OK,
        says=says + (f"; in part: {', '.join(sorted(torn))}" if torn else ""),
        facts=brings,
    )


def of_descriptors() -> Finding:
    """Say how many files this process may open."""
    try:
        import resource
    except ImportError:
        return Finding(check="open files", level=Level.OK, says="this system has no such limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    plenty = soft == resource.RLIM_INFINITY
    level = Level.OK
    if not plenty:
        level = Level.FAIL if soft < FEW_FILES else Level.WARN if soft < FILES else Level.OK
    most = "without limit" if plenty else f"{soft:,}"
    return Finding(
        check="open files",
        level=level,
        says=f"{most} may be open; 64 uploads at once may want {FILES:,}",
        advice="" if level is Level.OK else f"ulimit -n {FILES} (at most {hard:,} here)",
        facts={"soft": soft, "hard": hard},
    )


def of_kernel(folder: Path) -> Finding:
    """Say whether files can be mapped safely here: leases, and the look at pages that are gone."""
    probes, leases = can_probe(), False
    with tempfile.NamedTemporaryFile(dir=folder if os.access(folder, os.W_OK) else None) as file:
        fd = os.open(file.name, os.O_RDONLY)
        file.close()  # who has a file open for writing keeps others from a lease
        try:
            lease = ReadLease.take(fd)
            if lease is not None:
                leases = True
                lease.give_back()
        finally:
            os.close(fd)
    facts = {"leases": leases, "populate_read": probes}
    if leases and probes:
        says = "read leases and MADV_POPULATE_READ: files are mapped, and no byte is copied"
        return Finding(check="kernel", level=Level.OK, says=says, facts=facts)
    lacks = [
        name
        for name, there in (("read leases", leases), ("MADV_POPULATE_READ", probes))
        if not there
    ]
    return Finding(
        check="kernel",
        level=Level.WARN,
        says=f"no {' and no '.join(lacks)} here: files are read into buffers, which costs more CPU",
        advice="Linux 5.14 or newer on a local file system, with files of this user, has both",
        facts=facts,
    )


def of_variables(factories: Iterable[TransportFactory]) -> Finding:
    """Say which variables look like ours and are read by nobody."""
    known = {*OURS}
    for name in registry.names():
        known |= _variables(registry.load(name))
    for factory in factories:
        known |= _variables(factory)
    wrong: dict[str, str | None] = {}
    for name in os.environ:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1, _LIKE)
        if name.startswith("UPLOADER_") or near:
            wrong[name] = near[0] if near else None
    given = sorted(name for name in known if name in os.environ)
    if not wrong:
        says = f"set are {', '.join(given)}" if given else "none of ours is set"
        return Finding(check="environment", level=Level.OK, says=says, facts={"set": given})
    said = [f"{name}{f' (is it {near}?)' if near else ''}" for name, near in sorted(wrong.items())]
    return Finding(
        check="environment",
        level=Level.WARN,
        says=f"nobody reads {', '.join(said)}",
        advice="correct the spelling, or unset them",
        facts={"set": given, "unread": wrong},
    )


def _variables(factory: TransportFactory) -> set[str]:
    more = getattr(factory, "account_variables", ())
    return {name for name in (factory.token_variable, *more) if name}


def _folder(where: Place) -> Path:
    """Return the nearest folder that exists on the way to the journal."""
    folder = (where.path or default_path()).absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
