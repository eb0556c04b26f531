"""`uploader publish` and `uploader enqueue`: files to a destination, now or later.

Rule: everything is checked before anything is sent or recorded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uploader import registry
from uploader.api import Uploader
from uploader.cli import accounts, destinations, logs, screen
from uploader.cli.checking import checked, one_key
from uploader.cli.credentials import token_for
from uploader.cli.entries import as_document
from uploader.cli.exits import Exit
from uploader.cli.journals import Place
from uploader.cli.running import Manner, open_journal
from uploader.cli.sending import send, warn_of_no_account
from uploader.cli.times import show_moment
from uploader.errors import ConfigurationError
from uploader.journal import Entry, State
from uploader.secret import Secret
from uploader.transport import TransportFactory


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Where files go, in the words of the command line."""

    to: str
    fields: Mapping[str, Any]
    token_file: Path | None = None
    key: str | None = None


def publish(files: Sequence[Path], post: Post, *, again: bool, manner: Manner, where: Place) -> int:
    """Publish the files and return the exit code. Raises `BadInput` or `UploaderError` before."""
    logs.configure(manner.log_format, manner.log_level)
    one_key(files, post.key)
    factory = registry.load(post.to)
    credentials = None
    if post.token_file is None:
        credentials = accounts.source_for(factory.name, post.fields.get("account"))
    # An account that has logged in here is signed for by its own tokens, whatever a variable holds.
    token = None if credentials is not None else token_for(factory, post.token_file)
    destination = destinations.build(factory, token, post.fields)
    return send(
        [(file, destination) for file in files],
        key=post.key,
        again=again,
        manner=manner,
        where=where,
        credentials=credentials,
        variable=factory.token_variable,
    )


def enqueue(
    files: Sequence[Path],
    post: Post,
    *,
    not_before: float | None,
    not_after: float | None,
    where: Place,
    json: bool,
) -> int:
    """Record the files to be sent later and return the exit code."""
    logs.configure("console", None)
    one_key(files, post.key)
    _refuse_times(not_before, not_after)
    factory = registry.load(post.to)
    destination = destinations.build(factory, _token_of(factory, post), post.fields)
    # Who resumes it brings the token, when the account says whose post it is.
    later = None if destination.access_token else _nobody
    uploader = Uploader(metrics=False, journal=where.journal, credentials=later)
    try:
        found = checked(uploader, [(file, destination) for file in files])
        warn_of_no_account([destination], post.key, where)
        open_journal(uploader, where)
        record = partial(uploader.enqueue, key=post.key, not_before=not_before, not_after=not_after)
        ids = [record(file.file, destination) for file in found]
        entries = [entry for entry in map(uploader.journal.get, ids) if entry is not None]
    finally:
        uploader.close()
    if json:
        screen.document({"exit_code": 0, "uploads": [as_document(entry) for entry in entries]})
    else:
        for file, entry in zip(found, entries, strict=True):
            screen.say(screen.plain(f"{file.file.name}: {_recorded(entry, where)}"))
    return Exit.DONE


def _recorded(entry: Entry, where: Place) -> str:
    if entry.state is not State.QUEUED:
        return f"recorded before, {entry.state} (look at it: " + (
            where.command("show", entry.upload_id) + ")"
        )
    due = f", not before {show_moment(entry.not_before)}" if entry.not_before is not None else ""
    end = f", not after {show_moment(entry.not_after)}" if entry.not_after is not None else ""
    return f"queued as {entry.upload_id}{due}{end}"


def _token_of(factory: TransportFactory, post: Post) -> Secret | None:
    """Return the token where it tells whose post it is; a named account does without."""
    if post.fields.get("account") is not None and post.token_file is None:
        return None
    return token_for(factory, post.token_file)


def _nobody(transport: str, account: str | None) -> Secret:
    return Secret("")


def _refuse_times(not_before: float | None, not_after: float | None) -> None:
    if not_after is not None and not_after <= max(not_before or 0.0, time.time()):
        raise ConfigurationError(f"--not-after {show_moment(not_after)} leaves no time").hint(
            "give a time that is to come, after --not-before"
        )
