"""`uploader pause` and `uploader unpause`, and what lists tell of pauses.

Rule: works on the journal alone; whoever uploads by it obeys within seconds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uploader import registry
from uploader.api.shared import whoever
from uploader.cli import journals, screen
from uploader.cli.exits import Exit
from uploader.cli.times import iso
from uploader.engine.pausing import paused, scope
from uploader.errors import ConfigurationError
from uploader.journal import PAUSABLE, Entry, Pause


def pause(
    transport: str | None,
    account: str | None,
    *,
    seconds: float | None,
    reason: str,
    journal: Path | None,
    json: bool,
) -> int:
    """Record a pause and return the exit code."""
    if seconds is not None and seconds <= 0:
        raise ConfigurationError(f"a pause of {seconds:g} s holds nothing back")
    name, now = _known(transport), time.time()
    until = None if seconds is None else now + seconds
    made = Pause(name, account, reason, since=now, until=until, by=whoever())
    with journals.opened(journals.place(journal)) as book:
        book.pause(made)
    if json:
        screen.document({"exit_code": 0, "pause": as_document(made)})
    else:
        screen.say(screen.plain(line(made)))
    return Exit.DONE


def unpause(
    transport: str | None,
    account: str | None,
    *,
    everything: bool,
    journal: Path | None,
    json: bool,
) -> int:
    """Lift pauses; the exit code is 1 when there was none."""
    if everything and (transport or account):
        raise ConfigurationError("--all and a transport or account contradict each other")
    name = _known(transport)
    with journals.opened(journals.place(journal)) as book:
        scopes = [(each.transport, each.account) for each in book.pauses()]
        count = sum(book.unpause(*each) for each in (scopes if everything else [(name, account)]))
        left = book.pauses()
    code = Exit.DONE if count else Exit.FAILED
    if json:
        pauses = [as_document(each) for each in left]
        screen.document({"exit_code": int(code), "lifted": count, "pauses": pauses})
        return code
    what = "pauses" if everything else f"pauses of {scope(name, account)}"
    if count:
        screen.say(screen.plain(f"lifted: {count:,} {what}"))
        screen.remark(f"what waited goes on by: {screen.command()} resume --all")
    else:
        screen.complain(f"there are no {what}")
    for each in left:
        screen.remark(screen.plain(f"still: {line(each)}"))
    return code


def line(each: Pause) -> str:
    """Return a pause in one line."""
    return paused(each).message


def as_document(each: Pause) -> dict[str, Any]:
    """Return a pause as JSON-able facts."""
    return {
        "transport": each.transport,
        "account": each.account,
        "reason": each.reason,
        "by": each.by,
        "since": iso(each.since),
        "until": iso(each.until),
        "trial": iso(each.trial),
    }


def of(entry: Entry, pauses: Sequence[Pause]) -> list[Pause]:
    """Return the pauses that hold an upload back."""
    if entry.state not in PAUSABLE:
        return []
    return [each for each in pauses if each.covers(entry.transport, entry.account)]


def _known(transport: str | None) -> str | None:
    """Return the name by which the journal knows a transport; raise for one that is none."""
    if transport is None:
        return None
    factory = registry.load(transport)
    return str(getattr(factory, "account_transport", transport))
